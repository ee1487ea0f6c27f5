/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages leave memory.  A histogram of a sample of the table says from which age on
 * there is enough to take, and a sweep, which goes on where the last one ended, takes what
 * is as old: so pages leave in the order of the disk, and neighbours stay neighbours.
 */
#include <errno.h>

#include "store/age.h"
#include "store/leave.h"
#include "store/request.h"
#include "store/victims.h"

/* Table pages looked at to choose. */
#define SAMPLE_TABLE_PAGES 256

#define AGES (1u << ENTRY_AGE_BITS)

static bool wanted(const struct store *store, uint64_t entry, const struct choice *choice)
{
	enum table_kind kind = entry_kind(entry);

	if (!entry_has_page(entry) || entry_is_leaving(entry))
		return false;
	return age_of(store, entry) >= (kind == KIND_RAW ? choice->raw_age : choice->payload_age);
}

/* Copies wanted pages of a pinned table page to the open segment.  Whether that is full. */
static bool sweep_table_page(struct store *store, struct table_ref *ref,
			     const struct choice *choice)
{
	struct writeback *wb = &store->writeback;
	unsigned int i = (unsigned int)(wb->cursor % TABLE_PAGE_ENTRIES);
	uint64_t first = ref->index * TABLE_PAGE_ENTRIES;
	bool full = false;

	if (wb->cursor / TABLE_PAGE_ENTRIES != ref->index)
		i = 0;
	for (; i < TABLE_PAGE_ENTRIES && !full; i++) {
		uint64_t seen = atomic_load_explicit(&ref->entries[i], memory_order_relaxed);

		if (!wanted(store, seen, choice)) {
			age_keep_old(store, &ref->entries[i], seen);
			continue;
		}
		full = backed_append(store, first + i, &ref->entries[i]) == -ENOSPC;
	}
	/* The page that did not fit is the first of the next segment. */
	wb->cursor = full ? first + i - 1 : first + TABLE_PAGE_ENTRIES;
	return full;
}

bool sweep(struct store *store, const struct choice *choice)
{
	struct writeback *wb = &store->writeback;
	uint64_t start = wb->cursor / TABLE_PAGE_ENTRIES;
	bool wrapped = false;

	for (;;) {
		struct table_ref ref;
		bool full, around;

		if (!table_pin_next(&store->table, wb->cursor / TABLE_PAGE_ENTRIES, &ref)) {
			if (wrapped)
				return false;
			wrapped = true;
			wb->cursor = 0;
			continue;
		}
		around = wrapped && ref.index > start;
		full = !around && sweep_table_page(store, &ref, choice);
		table_unpin(&store->table, &ref);
		if (around || full)
			return full;
	}
}

/* Of one that compresses, in memory. */
static uint64_t mean_payload(struct store *store)
{
	uint64_t raw = store_counter(store, COUNT_RAW);
	struct xv_stats pools;

	pools_get_stats(&store->pools, &pools);
	if (pools.objects <= raw || pools.requested <= raw * STORE_PAGE_SIZE)
		return 0;
	return (pools.requested - raw * STORE_PAGE_SIZE) / (pools.objects - raw);
}

uint64_t bytes_chosen(struct store *store, const struct choice *choice)
{
	uint64_t raw = 0, payloads = 0;
	struct table_ref ref;

	for (uint64_t at = 0; table_pin_next(&store->table, at, &ref); at = ref.index + 1) {
		for (unsigned int i = 0; i < TABLE_PAGE_ENTRIES; i++) {
			uint64_t entry =
				atomic_load_explicit(&ref.entries[i], memory_order_relaxed);

			if (!wanted(store, entry, choice))
				continue;
			if (entry_kind(entry) == KIND_RAW)
				raw++;
			else
				payloads++;
		}
		table_unpin(&store->table, &ref);
	}
	return raw * STORE_PAGE_SIZE + payloads * mean_payload(store);
}

/*
 * A page's place in the order in which pages leave: all that do not compress before
 * all others, each from the oldest on.
 */
static unsigned int rank(const struct store *store, uint64_t entry)
{
	return age_of(store, entry) + (entry_kind(entry) == KIND_RAW ? AGES : 0);
}

/* Counts pages in memory by rank, in every stride-th table page. */
static void sample(struct store *store, uint64_t stride, uint32_t *count)
{
	const struct choice any = { 0, 0 };
	struct table_ref ref;

	for (uint64_t at = 0; table_pin_next(&store->table, at, &ref); at = ref.index + stride) {
		for (unsigned int i = 0; i < TABLE_PAGE_ENTRIES; i++) {
			uint64_t entry =
				atomic_load_explicit(&ref.entries[i], memory_order_relaxed);

			if (wanted(store, entry, &any))
				count[rank(store, entry)]++;
		}
		table_unpin(&store->table, &ref);
	}
}

/* The coldest pages, about so many.  Whether they are not simply all. */
static bool choose(struct store *store, uint64_t pages, struct choice *choice)
{
	uint64_t stride = atomic_load(&store->table.table_pages) / SAMPLE_TABLE_PAGES + 1;
	uint32_t count[2 * AGES] = { 0 };
	unsigned int least = 2 * AGES;
	uint64_t sum = 0;

	sample(store, stride, count);
	while (least > 0 && sum < pages)
		sum += count[--least] * stride;
	choice->raw_age = least > AGES ? least - AGES : 0;
	choice->payload_age = least < AGES ? least : AGE_NEVER;
	return least > 0;
}

/* Pages that a segment takes, at the size that payloads have now. */
static uint64_t pages_of_segment(struct store *store)
{
	struct backing_stats backing;
	struct xv_stats pools;

	backing_get_stats(store->writeback.backing, &backing);
	pools_get_stats(&store->pools, &pools);
	return backing.segment_size / (pools.objects ? pools.requested / pools.objects + 32 : 32) +
	       1;
}

void fill_with_coldest(struct store *store)
{
	uint64_t pages = pages_of_segment(store);
	struct choice choice;

	while (choose(store, pages, &choice) && !sweep(store, &choice))
		pages *= 8;
	if (choice.payload_age == 0)
		(void)sweep(store, &choice);
}
