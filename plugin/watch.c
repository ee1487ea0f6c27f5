/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "stats.h"
#include "watch.h"

/* Of the limit: where the warning comes, and where all is well again. */
#define NEARLY_FULL(limit) ((limit) - (limit) / 8)
#define WELL(limit)	   ((limit) - (limit) / 4)

static unsigned long long mib(uint64_t bytes)
{
	return bytes >> 20;
}

/* Writes fail: for want of room under the limit, or of memory in the machine. */
static void say_full(const struct ramzswap_stats *stats, char *line, size_t size)
{
	if (stats->bd_size)
		snprintf(line, size,
			 "full: neither memory nor the backing store has room for more than the %llu "
			 "MiB of pages stored; writes that need more fail until pages are freed "
			 "(trim, swapoff)", mib(stats->orig_data_size));
	else if (stats->memlimit)
		snprintf(line, size,
			 "full: memlimit of %llu MiB reached with %llu MiB of pages stored; writes "
			 "that need more fail with ENOSPC until pages are freed (trim, swapoff) or "
			 "rzscontrol memlimit raises it",
			 mib(stats->memlimit), mib(stats->orig_data_size));
	else
		snprintf(line, size,
			 "full: the system has no more memory for this disk, which takes %llu MiB; "
			 "writes that need more fail until pages are freed",
			 mib(stats->mem_used_total));
}

bool watch_look(struct watch *watch, const struct ramzswap_stats *stats, char *line, size_t size)
{
	bool failed = stats->failed_writes > watch->failures;
	uint64_t used = stats->mem_used_total, limit = stats->memlimit;

	watch->failures = stats->failed_writes;
	if (failed && !watch->full) {
		watch->full = true;
		watch->warned = true;
		say_full(stats, line, size);
		return true;
	}
	/* With a backing store, memory that is nearly full is as it should be. */
	if (limit && used >= NEARLY_FULL(limit) && !watch->warned && !stats->bd_size) {
		watch->warned = true;
		snprintf(line, size,
			 "nearly full: %llu of %llu MiB of memlimit are in use, for %llu MiB of pages",
			 mib(used), mib(limit), mib(stats->orig_data_size));
		return true;
	}
	if (watch->warned && !failed && used < WELL(limit ? limit : UINT64_MAX)) {
		bool was_full = watch->full;

		watch->warned = false;
		watch->full = false;
		snprintf(line, size, "room again: %llu MiB are in use", mib(used));
		return was_full;
	}
	return false;
}
