/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_COMMON_STATS_SAMPLE_H
#define TESTS_COMMON_STATS_SAMPLE_H

#include <stdint.h>

#include "base/stats.h"

/* Every field another value, one of them the largest there is. */
static inline struct ramzswap_stats stats_sample(void)
{
	struct ramzswap_stats stats;
	uint64_t next = 0;

#define FILL(name, label, unit, kind, help) stats.name = next += 1000003;
	STATS_FIELDS(FILL)
#undef FILL
	stats.disksize = UINT64_MAX;
	stats.locked = 1;
	stats.orig_data_size = UINT64_C(411108) * 1024 + 1023;
	return stats;
}

#endif
