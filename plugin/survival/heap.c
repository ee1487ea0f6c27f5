/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/request.h"
#include "survival/heap.h"

/* From here on a buffer is a mapping. */
#define MAPPED_MIN (1024 * 1024)

/*
 * nbdkit keeps a buffer of the largest request for each of a connection's threads.  So
 * much heap is made resident for what else it keeps, and, where its buffers are not ours
 * (server/request_spares.h), for two of them.
 */
#define WARM_BYTES (2 * (REQUEST_SWAP + 4096))

static void make_resident(void)
{
	void *heap = malloc(WARM_BYTES);

	if (heap) {
		/*
		 * Or the compiler makes one calloc of the two, which touches nothing that comes
		 * from the kernel; and behind it, or it takes away what nobody reads.
		 */
		__asm__ volatile("" : "+r"(heap));
		memset(heap, 0, WARM_BYTES);
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
