/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gives memory back that pages still take which are swapped out.
 *
 * A page that MADV_PAGEOUT sends to a device that is not written at once stays in memory, in the
 * swap cache, until somebody is short of memory: of ballast that is all of it.  Nothing lets go of
 * such a page alone, as nobody has it mapped.  So it is mapped again, by a read, and sent out
 * again: now it is clean, and is freed without a write.  Meanwhile a process of its own holds on to
 * the slots, or the kernel would take them away with the read.
 */
#ifndef RAMZSWAP_SETTLE_H
#define RAMZSWAP_SETTLE_H

#include <stddef.h>

/* At a time: the memory that is mapped for a moment. */
#define SETTLE_MAX ((size_t)8 << 20)

/*
 * For private memory of whole pages, at most SETTLE_MAX, not locked, that has been swapped out and
 * is not written to.  Bytes that were in the swap cache before, or a negative errno: nothing has
 * changed then.  Pages that are being written stay; so may some others, mapped or not.
 */
long settle(char *memory, size_t size);

#endif
