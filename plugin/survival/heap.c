/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "survival/heap.h"

/* From here on a buffer is a mapping. */
#define MAPPED_MIN (1024 * 1024)

/*
 * nbdkit keeps a buffer of the largest request for each of a connection's threads.
 * The kernel's are at most 128 KiB.  So much heap is made resident for four of them,
 * as scripts/ramzswap has; further ones find theirs at their first request.
 */
#define WARM_BYTES (4 * (128 + 4) * 1024)

static void make_resident(void)
{
	void *heap = malloc(WARM_BYTES);

	if (heap) {
		memset(heap, 0, WARM_BYTES);
		/* Keeps the compiler from taking all of this away. */
		__asm__ volatile("" : : "r"(heap) : "memory");
	}
	free(heap);
}

void heap_prepare(bool locked)
{
	mallopt(M_MMAP_THRESHOLD, MAPPED_MIN);
	if (!locked)
		return;
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 256 * 1024 * 1024);
	make_resident();
}

void heap_trim(bool locked)
{
	malloc_trim(0);
	if (locked)
		make_resident();
}
