/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How large a request may be: the only place that says so. */
#ifndef RAMZSWAP_REQUEST_H
#define RAMZSWAP_REQUEST_H

/*
 * The largest request of a kernel that swaps, to which ramzswap(8) limits the queue of its device.
 * Left alone, nbd sends up to 128 KiB (Linux 6.1), 1280 (6.12) or 4096 (7.x).  What a server of
 * swap needs for this much is resident before the first one.
 */
#define REQUEST_SWAP (128u << 10)

/* The largest request that is taken: what a client may send that was told of no limit (NBD's
 * protocol). */
#define REQUEST_MAX (32u << 20)

/*
 * A buffer up to this is made whatever others have: no kernel's client sends a larger request
 * unless it is told to (max_sectors_kb is 4096 at most by default, Linux 7.x).  Clients are told
 * that this is the largest: qemu cuts a write into such pieces and sends several at once, and all
 * must fit.
 */
#define REQUEST_ALWAYS (4u << 20)

/* What all larger ones may take together. */
#define REQUEST_LARGE_TOTAL (64u << 20)

#endif
