/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What map.c and span.c share.  These two are the only files that call mmap, mprotect,
 * madvise or mlock.
 */
#ifndef RAMZSWAP_SPAN_INTERNAL_H
#define RAMZSWAP_SPAN_INTERNAL_H

#include "span.h"

/* Bytes of a page of the system. */
size_t span_page_size(void);

/* Up to a multiple of a power of two. */
static inline size_t span_round_up(size_t bytes, size_t to)
{
	return (bytes + to - 1) & ~(to - 1);
}

/*
 * Takes the memory from whole pages, locked or not; they read as zero afterwards.
 * 0 or a negative errno.
 */
int span_discard(void *address, size_t bytes);

/* Whether a test wants this request for memory to fail: see span_fail_after. */
bool span_refused_for_test(void);

#endif
