/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counting, checking and forgetting a whole store. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/state.h"

uint64_t store_counter(const struct store *store, enum store_counter which)
{
	int64_t sum = 0;

	for (unsigned int i = 0; i < STRIPES; i++)
		sum += atomic_load_explicit(&store->stripe[i].count[which], memory_order_relaxed);
	/* Stripes are read one after the other: a sum may be caught below zero. */
	return sum < 0 ? 0 : (uint64_t)sum;
}

uint64_t store_requests(const struct store *store)
{
	return store_counter(store, COUNT_READS) + store_counter(store, COUNT_WRITES);
}

void store_count_writes(const struct store *store, uint64_t *writes, uint64_t *failed)
{
	*writes = store_counter(store, COUNT_WRITES);
	*failed = store_counter(store, COUNT_FAILED_WRITES);
}

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
	stats->compr_data_size =
		pools.requested - store_counter(store, COUNT_SAME_OBJ) * sizeof(uint64_t);
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

void store_get_stats(struct store *store, struct ramzswap_stats *stats)
{
	stats->disksize = store->size;
	stats->memlimit = store->memlimit == STORE_NO_LIMIT ? 0 : store->memlimit;
	stats->reserve = store->reserve;
	stats->reserve_ready = ready_bytes(store->pools.source, XV_SPAN_SIZE) +
			       ready_bytes(store->table.source, TABLE_PAGE_SIZE);
	stats->num_reads = store_counter(store, COUNT_READS);
	stats->num_writes = store_counter(store, COUNT_WRITES);
	stats->failed_reads = store_counter(store, COUNT_FAILED_READS);
	stats->failed_writes = store_counter(store, COUNT_FAILED_WRITES);
	stats->notify_free = store_counter(store, COUNT_NOTIFY_FREE);
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
	pool_stats(store, stats);
	writeback_get_stats(store, stats);
}

/* What a walk over the table finds. */
struct census {
	uint64_t objects;
	uint64_t requested;
	uint64_t same;
	uint64_t stored;
	uint64_t backed;
};

static int check_entry(struct store *store, table_entry *entry, struct census *census)
{
	unsigned char page[STORE_PAGE_SIZE];
	uint64_t content = entry_lock(entry);
	int err = 0;

	if (entry_has_object(content)) {
		if (entry_pool(content) >= store->pools.count) {
			err = -EUCLEAN;
		} else {
			census->objects++;
			census->requested += xv_size(pools_get(&store->pools, entry_pool(content)),
						     entry_handle(content));
			err = page_decode(store, 0, content, page, 0);
		}
	}
	census->same += entry_kind(content) == KIND_SAME || entry_kind(content) == KIND_SAME_OBJ;
	census->stored += entry_kind(content) >= KIND_RAW;
	census->backed += entry_kind(content) == KIND_BACKED;
	entry_unlock(entry, content);
	return err ? -EUCLEAN : 0;
}

static int check_table(struct store *store, struct census *census, char *why, size_t why_size)
{
	uint64_t index = 0;

	memset(census, 0, sizeof(*census));
	while ((index = table_next(&store->table, index)) < store->table.directory_entries) {
		struct table_ref ref;
		int err = 0;

		(void)table_pin(&store->table, index, false, &ref);
		for (unsigned int i = 0; ref.entries && i < TABLE_PAGE_ENTRIES && !err; i++) {
			err = check_entry(store, &ref.entries[i], census);
			if (err)
				snprintf(why, why_size, "page %llu cannot be decoded",
					 (unsigned long long)(index * TABLE_PAGE_ENTRIES + i));
		}
		table_unpin(&store->table, &ref);
		if (err)
			return err;
		index++;
	}
	return 0;
}

/* Reads what is behind the pool, one page at a time, as long as nothing is wrong. */
static int check_backed(struct store *store, char *why, size_t why_size)
{
	unsigned char page[STORE_PAGE_SIZE];
	int err = 0;

	for (uint64_t index = 0; !err; index++) {
		struct table_ref ref;

		index = table_next(&store->table, index);
		if (index >= store->table.directory_entries)
			return 0;
		(void)table_pin(&store->table, index, false, &ref);
		for (unsigned int i = 0; ref.entries && i < TABLE_PAGE_ENTRIES && !err; i++) {
			uint64_t number = index * TABLE_PAGE_ENTRIES + i, content;

			if (entry_kind(ref.entries[i]) != KIND_BACKED)
				continue;
			content = entry_lock(&ref.entries[i]);
			err = page_decode(store, number, content, page, 0);
			entry_unlock(&ref.entries[i], content);
			if (err)
				snprintf(why, why_size,
					 "page %llu in the backing store is unreadable",
					 (unsigned long long)number);
		}
		table_unpin(&store->table, &ref);
	}
	return -EUCLEAN;
}

/* The number of requests begun, if none is under way; else UINT64_MAX. */
static uint64_t requests_if_quiet(const struct store *store)
{
	uint64_t ended = 0, begun = 0;

	for (unsigned int i = 0; i < STRIPES; i++)
		ended += atomic_load(&store->stripe[i].ended);
	for (unsigned int i = 0; i < STRIPES; i++)
		begun += atomic_load(&store->stripe[i].begun);
	return begun == ended ? begun : UINT64_MAX;
}

/* Records that nobody names would take their segments for ever. */
static int check_backing_totals(struct store *store, const struct census *census, char *why,
				size_t why_size)
{
	struct backing_stats backing;

	if (!store->writeback.backing)
		return 0;
	backing_get_stats(store->writeback.backing, &backing);
	if (backing.pages == census->backed)
		return 0;
	snprintf(why, why_size, "the backing store has %llu live records, the table names %llu",
		 (unsigned long long)backing.pages, (unsigned long long)census->backed);
	return -EUCLEAN;
}

static int check_totals(struct store *store, const struct census *census, char *why,
			size_t why_size)
{
	struct xv_stats pools;

	pools_get_stats(&store->pools, &pools);
	if (pools.objects != census->objects || pools.requested != census->requested) {
		snprintf(why, why_size,
			 "the pools hold %llu objects of %llu bytes, the table names %llu of %llu",
			 (unsigned long long)pools.objects, (unsigned long long)pools.requested,
			 (unsigned long long)census->objects,
			 (unsigned long long)census->requested);
		return -EUCLEAN;
	}
	if (store_counter(store, COUNT_SAME) != census->same ||
	    store_counter(store, COUNT_STORED) != census->stored) {
		snprintf(why, why_size,
			 "%llu same-filled and %llu stored pages are counted, the table has %llu "
			 "and %llu",
			 (unsigned long long)store_counter(store, COUNT_SAME),
			 (unsigned long long)store_counter(store, COUNT_STORED),
			 (unsigned long long)census->same, (unsigned long long)census->stored);
		return -EUCLEAN;
	}
	if (store_counter(store, COUNT_BACKED) != census->backed) {
		snprintf(why, why_size,
			 "%llu pages are counted in the backing store, the table has %llu",
			 (unsigned long long)store_counter(store, COUNT_BACKED),
			 (unsigned long long)census->backed);
		return -EUCLEAN;
	}
	return check_backing_totals(store, census, why, why_size);
}

int store_check(struct store *store, char *why, size_t why_size)
{
	uint64_t before, count;
	struct census census;
	int err;

	if (!why)
		why_size = 0;
	/* A segment that is being written has records that no entry names yet. */
	pthread_mutex_lock(&store->writeback.lock);
	pthread_mutex_lock(&store->compact.lock);
	before = requests_if_quiet(store);
	count = atomic_load(&store->pools.count);
	err = check_table(store, &census, why, why_size);
	for (uint32_t i = 0; i < count && !err; i++)
		err = xv_check(pools_get(&store->pools, i), why, why_size);
	/* Totals can be compared only if no request came between. */
	if (!err) {
		int totals = check_totals(store, &census, why, why_size);

		if (before != UINT64_MAX && before == requests_if_quiet(store))
			err = totals;
	}
	pthread_mutex_unlock(&store->compact.lock);
	pthread_mutex_unlock(&store->writeback.lock);
	if (!err && store->writeback.backing)
		err = check_backed(store, why, why_size);
	return err;
}

void store_reset(struct store *store)
{
	(void)store_zero(store, store->size, 0);
	for (unsigned int i = 0; i < STRIPES; i++) {
		static const enum store_counter forgotten[] = {
			COUNT_READS,	     COUNT_WRITES,	COUNT_FAILED_READS,
			COUNT_FAILED_WRITES, COUNT_NOTIFY_FREE,
		};

		for (size_t j = 0; j < sizeof(forgotten) / sizeof(*forgotten); j++)
			atomic_store(&store->stripe[i].count[forgotten[j]], 0);
	}
	atomic_store(&store->compact.pages, 0);
	atomic_store(&store->compact.bytes, 0);
	atomic_store(&store->recompress.pages, 0);
	atomic_store(&store->recompress.bytes, 0);
	atomic_store(&store->recompress.ns, 0);
	atomic_store(&store->budget.peak, atomic_load(&store->budget.used));
}
