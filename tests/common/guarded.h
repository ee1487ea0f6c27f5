/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory between two inaccessible pages: one byte too far, on either side, is a SIGSEGV. */
#ifndef RAMZSWAP_GUARDED_H
#define RAMZSWAP_GUARDED_H

#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

struct guarded {
	unsigned char *start;
	unsigned char *end; /* start + the size asked for, rounded up to whole pages */
};

static inline struct guarded guarded_new(size_t size)
{
	size_t rounded = (size + 4095) & ~(size_t)4095;
	unsigned char *map =
		mmap(NULL, rounded + 2 * 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || mprotect(map + 65536, rounded, PROT_READ | PROT_WRITE) != 0)
		abort();
	return (struct guarded){ map + 65536, map + 65536 + rounded };
}

static inline void guarded_free(struct guarded guarded)
{
	munmap(guarded.start - 65536, guarded.end - guarded.start + 2 * 65536);
}

#endif
