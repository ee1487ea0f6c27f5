/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What requests take of memory, beside the disk: the buffers into which the protocol's server
 * reads what is written, and from which it sends what was read.  It makes them as large as a
 * client says, before anybody can say no; so they are counted, and refused, where they are made.
 *
 * The only place that says how large a request may be.
 */
#ifndef RAMZSWAP_REQUEST_MEMORY_H
#define RAMZSWAP_REQUEST_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* The largest request: what a client may send that was told of no limit (NBD's protocol). */
#define REQUEST_MAX (32u << 20)

/*
 * A buffer up to this is made whatever others have: no kernel's client sends a larger request
 * unless it is told to (max_sectors_kb is 4096 at most by default, Linux 7.x).
 */
#define REQUEST_ALWAYS (4u << 20)

/* What all larger ones may take together. */
#define REQUEST_LARGE_TOTAL (64u << 20)

/*
 * realloc and free for whoever makes buffers of requests.  NULL with ENOMEM, and block stays as it
 * is, for more than REQUEST_MAX, for what would pass REQUEST_LARGE_TOTAL, or where the system has
 * none.  Any thread; blocks of the C library may be mixed with these.
 */
void *request_memory_resize(void *block, size_t size);
void request_memory_free(void *block);

/* Bytes that buffers of 64 KiB and more take now. */
uint64_t request_memory_bytes(void);

#endif
