/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What there is to say of the backing store: statistics, and news for the log. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/backing_stats.h"
#include "store/request.h"

bool store_backing_news(struct store *store, char *line, size_t size)
{
	struct writeback *wb = &store->writeback;
	struct backing_stats stats;
	int error;

	if (!wb->backing)
		return false;
	error = atomic_load(&wb->error);
	if (error != wb->error_said) {
		wb->error_said = error;
		if (error == -ENOSPC && backing_free_segments(wb->backing) == 0)
			snprintf(line, size, "the backing store is full: pages stay in memory");
		else if (error)
			snprintf(line, size,
				 "the backing store takes no writes (%s): pages stay in "
				 "memory, it is tried again",
				 strerror(-error));
		else
			snprintf(line, size, "the backing store takes writes again");
		return true;
	}
	if (wb->read_error_said)
		return false;
	backing_get_stats(wb->backing, &stats);
	if (stats.failed_reads == 0)
		return false;
	wb->read_error_said = true;
	snprintf(line, size,
		 "the backing store does not give back every page: reading those "
		 "fails (see bd_failed_reads)");
	return true;
}

static uint64_t microseconds_each(uint64_t ns, uint64_t count)
{
	return count ? ns / count / 1000 : 0;
}

void writeback_get_stats(struct store *store, struct ramzswap_stats *stats)
{
	struct writeback *wb = &store->writeback;
	struct backing_stats backing;
	int64_t left = wb->day.left;

	if (!wb->backing)
		return;
	backing_get_stats(wb->backing, &backing);
	stats->bd_count = store_counter(store, COUNT_BACKED);
	stats->bd_reads = backing.reads;
	stats->bd_read_requests = backing.medium_reads;
	stats->bd_writes = backing.writes;
	stats->bd_size = backing.size;
	stats->bd_bytes = backing.bytes;
	stats->bd_read_bytes = backing.bytes_read;
	stats->bd_written_bytes = backing.bytes_written;
	stats->bd_failed_reads = backing.failed_reads;
	stats->bd_failed_writes = backing.failed_writes;
	stats->bd_promoted = wb->promoted;
	stats->bd_cleaned = backing.cleaned;
	stats->bd_budget = wb->day.bytes;
	stats->bd_budget_left = wb->day.bytes == 0 ? 0 : left > 0 ? (uint64_t)left : 0;
	stats->bd_over_budget = wb->over_budget;
	stats->bd_segment_size = backing.segment_size;
	stats->bd_segments = backing.segments;
	stats->bd_segments_free = backing.segments_free;
	stats->bd_segments_bad = backing.segments_bad;
	stats->bd_fill_least = backing.fullness[0];
	stats->bd_fill_less = backing.fullness[1];
	stats->bd_fill_half = backing.fullness[2];
	stats->bd_fill_more = backing.fullness[3];
	stats->bd_fill_most = backing.fullness[4];
	stats->bd_read_usec = microseconds_each(backing.read_ns, backing.reads);
	stats->bd_read_usec_max = backing.read_ns_max / 1000;
	stats->bd_write_usec = microseconds_each(backing.write_ns, backing.segment_writes);
	stats->bd_write_usec_max = backing.write_ns_max / 1000;
	stats->compr_data_size += backing.bytes;
	stats->pages_expand += store_counter(store, COUNT_BACKED_RAW);
	stats->huge_pages = stats->pages_expand;
}
