/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether table, pools, counters and backing store agree. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/dictionary.h"
#include "store/object.h"
#include "store/page.h"
#include "store/request.h"

/* What a walk over the table finds. */
struct census {
	uint64_t objects;
	uint64_t requested;
	uint64_t same;
	uint64_t stored;
	uint64_t backed;
	uint64_t idle;
	uint64_t dictionary;
};

static int check_entry(struct store *store, uint64_t number, table_entry *entry,
		       struct census *census)
{
	unsigned char page[STORE_PAGE_SIZE];
	uint64_t content = entry_lock(entry);
	int err = 0;

	if (entry_has_object(content)) {
		if (entry_pool(content) >= store->pools.count ||
		    !object_is_plausible(store, content)) {
			err = -EUCLEAN;
		} else {
			census->objects++;
			census->requested += xv_size(pools_get(&store->pools, entry_pool(content)),
						     entry_handle(content));
			err = page_decode(store, number, content, page, 0);
			store_wipe(store, page, sizeof(page));
		}
	}
	census->same += entry_kind(content) == KIND_SAME || entry_kind(content) == KIND_SAME_OBJ;
	census->stored += entry_kind(content) >= KIND_RAW;
	census->backed += entry_kind(content) == KIND_BACKED;
	census->dictionary += entry_is_coded(content) && entry_generation(content) >= 0;
	census->idle += entry_is_coded(content) && entry_coding(content) != CODING_WRITTEN;
	entry_unlock(entry, content);
	return err ? -EUCLEAN : 0;
}

static int check_table(struct store *store, struct census *census, struct work *work, char *why,
		       size_t why_size)
{
	struct table_ref ref;
	int err = 0;

	memset(census, 0, sizeof(*census));
	for (uint64_t at = 0;
	     !err && !store_is_to_end(store, work) && table_pin_next(&store->table, at, &ref);
	     at = ref.index + 1) {
		for (unsigned int i = 0; i < TABLE_PAGE_ENTRIES && !err; i++) {
			err = check_entry(store, table_page_number(&ref, &ref.entries[i]),
					  &ref.entries[i], census);
			if (err)
				snprintf(why, why_size, "page %llu cannot be decoded",
					 (unsigned long long)table_page_number(&ref,
									       &ref.entries[i]));
		}
		table_unpin(&store->table, &ref);
		work_advance(work, TABLE_PAGE_ENTRIES);
	}
	return err;
}

/* Reads the page of an entry, if that is behind the pool.  0 or -EUCLEAN. */
static int check_backed_entry(struct store *store, uint64_t number, table_entry *entry)
{
	unsigned char page[STORE_PAGE_SIZE];
	uint64_t content;
	int err;

	if (entry_kind(*entry) != KIND_BACKED)
		return 0;
	content = entry_lock(entry);
	err = page_decode(store, number, content, page, 0);
	store_wipe(store, page, sizeof(page));
	entry_unlock(entry, content);
	return err ? -EUCLEAN : 0;
}

/* Reads what is behind the pool, one page at a time, as long as nothing is wrong. */
static int check_backed(struct store *store, struct work *work, char *why, size_t why_size)
{
	struct table_ref ref;
	int err = 0;

	for (uint64_t at = 0;
	     !err && !store_is_to_end(store, work) && table_pin_next(&store->table, at, &ref);
	     at = ref.index + 1) {
		for (unsigned int i = 0; i < TABLE_PAGE_ENTRIES && !err; i++) {
			uint64_t number = table_page_number(&ref, &ref.entries[i]);

			err = check_backed_entry(store, number, &ref.entries[i]);
			if (err)
				snprintf(why, why_size,
					 "page %llu in the backing store is unreadable",
					 (unsigned long long)number);
		}
		table_unpin(&store->table, &ref);
		work_advance(work, TABLE_PAGE_ENTRIES);
	}
	return err;
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
	if (store_counter(store, COUNT_IDLE) != census->idle ||
	    dictionary_pages(store) != census->dictionary) {
		snprintf(why, why_size,
			 "%llu pages are counted in the codec for idle pages and %llu by a "
			 "dictionary, the table has %llu and %llu",
			 (unsigned long long)store_counter(store, COUNT_IDLE),
			 (unsigned long long)dictionary_pages(store),
			 (unsigned long long)census->idle, (unsigned long long)census->dictionary);
		return -EUCLEAN;
	}
	return check_backing_totals(store, census, why, why_size);
}

int store_check(struct store *store, struct work *work, char *why, size_t why_size)
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
	work_round(work, store_walk_length(store));
	err = check_table(store, &census, work, why, why_size);
	for (uint32_t i = 0; i < count && !err && !store_is_to_end(store, work); i++)
		err = xv_check(pools_get(&store->pools, i), why, why_size);
	/* Totals can be compared only if no request came between. */
	if (!err && !store_is_to_end(store, work)) {
		int totals = check_totals(store, &census, why, why_size);

		if (before != UINT64_MAX && before == requests_if_quiet(store))
			err = totals;
	}
	pthread_mutex_unlock(&store->compact.lock);
	pthread_mutex_unlock(&store->writeback.lock);
	if (!err && store->writeback.backing) {
		work_round(work, store_walk_length(store));
		err = check_backed(store, work, why, why_size);
	}
	return err;
}
