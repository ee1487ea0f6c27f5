/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "base/stats.h"
#include "server/fullness.h"

/* Of all that there is: where the warning comes, and where all is well again. */
#define NEARLY_FULL(end) ((end) - (end) / 8)
#define WELL(end) ((end) - (end) / 4)

/*
 * What a machine has left comes and goes with other programs, and writes that fail for want of
 * it may be few and far between: a minute without either is the end of it.
 */
#define CALM_LOOKS (60000 / FULLNESS_MS)

#define NO_END UINT64_MAX

static unsigned long long mib(uint64_t bytes)
{
	return bytes >> 20;
}

/* Writes fail: for want of room under the limit, or of memory in the machine. */
static void say_full(const struct ramzswap_stats *stats, char *line, size_t size)
{
	if (stats->bd_size)
		snprintf(line, size,
			 "full: neither memory nor the backing store has room for more than the "
			 "%llu "
			 "MiB of pages stored; writes that need more fail until pages are freed "
			 "(trim, swapoff)",
			 mib(stats->orig_data_size));
	else if (stats->memlimit && stats->group_limit)
		snprintf(line, size,
			 "full: the %llu MiB that the control group leaves the disk are used up "
			 "with %llu MiB of pages stored; writes that need more fail with ENOSPC "
			 "until pages are freed (trim, swapoff) or the group's limit is raised",
			 mib(stats->memlimit), mib(stats->orig_data_size));
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

/* What the disk can take until writes fail; NO_END if all of its pages fit, stored raw. */
static uint64_t end_of(const struct ramzswap_stats *stats, uint64_t room)
{
	uint64_t most = stats->disksize + stats->disksize / 8;

	if (stats->memlimit)
		return stats->memlimit;
	if (room == FULLNESS_ROOM_UNKNOWN || most <= stats->mem_used_total + room)
		return NO_END;
	return stats->mem_used_total + room;
}

static void say_nearly_full(const struct ramzswap_stats *stats, uint64_t room, char *line,
			    size_t size)
{
	if (stats->memlimit)
		snprintf(line, size,
			 "nearly full: %llu of %llu MiB of memlimit are in use, for %llu MiB of "
			 "pages",
			 mib(stats->mem_used_total), mib(stats->memlimit),
			 mib(stats->orig_data_size));
	else
		snprintf(
			line, size,
			"nearly full: %llu MiB are in use, for %llu MiB of pages, and this machine "
			"has memory for %llu MiB more",
			mib(stats->mem_used_total), mib(stats->orig_data_size), mib(room));
}

static bool all_is_well(const struct fullness *fullness, uint64_t used, uint64_t end)
{
	return used < WELL(end) && (fullness->by_limit || fullness->calm >= CALM_LOOKS);
}

bool fullness_look(struct fullness *fullness, const struct ramzswap_stats *stats, uint64_t room,
		   char *line, size_t size)
{
	bool failed = stats->failed_writes > fullness->failures;
	uint64_t used = stats->mem_used_total, end = end_of(stats, room);
	bool nearly = used >= NEARLY_FULL(end);

	fullness->failures = stats->failed_writes;
	fullness->calm = failed || nearly ? 0 : fullness->calm + 1;
	if (failed && !fullness->full) {
		fullness->full = true;
		fullness->warned = true;
		fullness->by_limit = stats->memlimit && used >= WELL(end);
		say_full(stats, line, size);
		return true;
	}
	/* With a backing store, memory that is nearly full is as it should be. */
	if (nearly && !fullness->warned && !stats->bd_size) {
		fullness->warned = true;
		fullness->by_limit = stats->memlimit;
		say_nearly_full(stats, room, line, size);
		return true;
	}
	if (fullness->warned && !failed && all_is_well(fullness, used, end)) {
		bool was_full = fullness->full;

		fullness->warned = false;
		fullness->full = false;
		snprintf(line, size, "room again: %llu MiB are in use", mib(used));
		return was_full;
	}
	return false;
}
