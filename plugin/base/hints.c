/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdbool.h>
#include <stdint.h>

#include "base/hints.h"
#include "base/stats.h"

/* A client that tries a thing out once is nothing to speak of. */
#define TRIMS_WORTH_A_WORD 4u
#define WRITES_WORTH_A_WORD 64u
#define ZEROES_WORTH_A_WORD 16384u /* pages: 64 MiB */

/* Kernels up to 6.11 write the zero pages of swap, but other pages by far more. */
static bool zeroes_prevail(const struct ramzswap_stats *stats)
{
	return stats->zero_writes >= ZEROES_WORTH_A_WORD &&
	       stats->zero_writes > stats->pages_stored + stats->bd_count;
}

size_t stats_hints(const struct ramzswap_stats *stats, const char *hints[HINTS_MAX])
{
	size_t count = 0;

	if (stats->misaligned_trims >= TRIMS_WORTH_A_WORD)
		hints[count++] = "trims come off the page borders: attach with -b 4096 "
				 "(qemu: discard_granularity=4096)";
	if (stats->misaligned_writes >= WRITES_WORTH_A_WORD &&
	    stats->misaligned_writes > stats->num_writes / 8)
		hints[count++] = "writes come in parts of pages: use blocks of 4096 bytes";
	if (zeroes_prevail(stats))
		hints[count++] = "zeroes come as data: let the client trim or zero "
				 "(qemu: discard=unmap,detect-zeroes=unmap)";
	return count;
}
