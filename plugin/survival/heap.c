/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "survival/heap.h"

/* From here on a buffer is a mapping. */
#define MAPPED_MIN (1024 * 1024)

static void make_resident(size_t bytes)
{
	void *heap = malloc(bytes);

	if (heap) {
		/*
		 * Or the compiler makes one calloc of the two, which touches nothing that comes
		 * from the kernel; and behind it, or it takes away what nobody reads.
		 */
		__asm__ volatile("" : "+r"(heap));
		memset(heap, 0, bytes);
		__asm__ volatile("" : : "r"(heap) : "memory");
	}
	free(heap);
}

void heap_prepare(bool locked, size_t warm)
{
	mallopt(M_MMAP_THRESHOLD, MAPPED_MIN);
	if (!locked)
		return;
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 256 * 1024 * 1024);
	make_resident(warm);
}

void heap_trim(bool locked, size_t warm)
{
	malloc_trim(0);
	if (locked)
		make_resident(warm);
}
