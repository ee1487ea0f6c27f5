/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What there is to say of a store. */
#include "base/clock.h"
#include "store/backing_stats.h"
#include "store/dictionary.h"
#include "store/freed.h"
#include "store/request.h"

static uint64_t source_metadata(struct span_source *source)
{
	struct span_source_stats stats;

	span_source_get_stats(source, &stats);
	return stats.metadata;
}

static uint64_t ready_bytes(struct span_source *source, uint64_t unit)
{
	struct span_source_stats stats;

	span_source_get_stats(source, &stats);
	return stats.units_ready * unit;
}

static void pool_stats(struct store *store, struct ramzswap_stats *stats)
{
	struct xv_stats pools;
	uint64_t metadata;

	pools_get_stats(&store->pools, &pools);
	stats->compr_data_size = pools.requested -
				 store_counter(store, COUNT_SAME_OBJ) * sizeof(uint64_t) -
				 pools.objects * store->trailer;
	stats->pool_free = pools.free;
	stats->spans = pools.spans;
	stats->spans_sparse = 0;
	for (int i = 0; i < 5; i++)
		stats->spans_sparse += pools.fullness[i];
	stats->lock_waits = pools.lock_waits;
	metadata = pools.metadata - atomic_load(&store->pools.charged) +
		   source_metadata(store->pools.source) + source_metadata(store->table.source);
	stats->mem_used_total = atomic_load(&store->budget.used) + metadata;
	stats->mem_used_max = atomic_load(&store->budget.peak) + metadata;
}

static void dictionary_stats(const struct store *store, struct ramzswap_stats *stats)
{
	const struct dictionaries *all = &store->dictionary;
	uint64_t born = atomic_load(&all->born);

	stats->dictionary_bytes = atomic_load(&all->bytes);
	stats->dictionary_seconds = born ? (clock_ms() - born) / 1000 : 0;
	stats->dictionary_won = atomic_load(&all->won);
	stats->dictionaries_made = atomic_load(&all->made);
	stats->dictionaries_damaged = atomic_load(&all->damaged);
	stats->pages_dictionary = dictionary_pages(store);
}

void store_get_stats(struct store *store, struct ramzswap_stats *stats)
{
	stats->disksize = store->size;
	stats->memlimit = store->memlimit == STORE_NO_LIMIT ? 0 : store->memlimit;
	stats->reserve = store->reserve;
	stats->reserve_ready = ready_bytes(store->pools.source, XV_SPAN_SIZE) +
			       ready_bytes(store->table.source, TABLE_PAGE_SIZE);
	stats->num_reads = store_counter(store, COUNT_READS);
	stats->num_writes = store_counter(store, COUNT_WRITES);
	stats->pages_written = store_counter(store, COUNT_WRITTEN);
	stats->payload_written = store_counter(store, COUNT_WRITTEN_BYTES);
	stats->failed_reads = store_counter(store, COUNT_FAILED_READS);
	stats->failed_writes = store_counter(store, COUNT_FAILED_WRITES);
	stats->notify_free = store_counter(store, COUNT_NOTIFY_FREE);
	stats->misaligned_trims = store_counter(store, COUNT_MISALIGNED_TRIMS);
	stats->misaligned_writes = store_counter(store, COUNT_MISALIGNED_WRITES);
	stats->zero_writes = store_counter(store, COUNT_ZERO_WRITES);
	stats->pages_zero = store_counter(store, COUNT_ZERO);
	stats->same_pages = store_counter(store, COUNT_SAME);
	stats->pages_stored = store_counter(store, COUNT_STORED);
	stats->good_compress_pages = store_counter(store, COUNT_GOOD);
	stats->pages_expand = store_counter(store, COUNT_RAW);
	stats->huge_pages = stats->pages_expand;
	stats->orig_data_size = stats->pages_stored * STORE_PAGE_SIZE;
	stats->pages_compacted = atomic_load(&store->compact.pages);
	stats->compact_bytes = atomic_load(&store->compact.bytes);
	stats->pages_recompressed = atomic_load(&store->recompress.pages);
	stats->recompress_bytes = atomic_load(&store->recompress.bytes);
	stats->recompress_seconds = atomic_load(&store->recompress.ns) / 1000000000;
	stats->pages_idle_codec = store_counter(store, COUNT_IDLE);
	dictionary_stats(store, stats);
	stats->pages_returned = atomic_load(&store->recompress.returned);
	stats->stale_pages = freed_stale(store);
	stats->checksum_errors = atomic_load(&store->checksum_errors);
	pool_stats(store, stats);
	writeback_get_stats(store, stats);
}

void store_get_histograms(const struct store *store, struct histogram_state states[HISTOGRAM_KINDS])
{
	for (unsigned int i = 0; i < HISTOGRAM_KINDS; i++)
		histogram_get(&store->histogram[i], &states[i]);
}
