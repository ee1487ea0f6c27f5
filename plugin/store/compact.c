/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compaction: a pass picks the emptiest spans of every pool (xv_drain_begin), walks
 * the page table once and moves whatever lies in them, and ends.  The walk finds an
 * object's owner without a word of memory per object; one walk serves all pools.
 *
 * In the background a pass is cut into short steps between which the thread
 * sleeps; each holds one entry at a time, for the move of one object.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "store/compact.h"
#include "store/object.h"
#include "store/trace.h"

/* A pass begins when more than this part of the pools is free: 1/2^5 is 3 %... */
#define PASS_FREE_SHIFT 5
/* ...and more than this, in bytes: less is not worth a walk. */
#define PASS_FREE_MIN (8 * XV_SPAN_SIZE)
/* What a pass leaves free, so that the next writes find room without growing: 1/2^7. */
#define GOAL_FREE_SHIFT 7

/* Table pages walked in one step, and how long to sleep for each time as long as it took. */
#define STEP_TABLE_PAGES 32
#define STEP_REST_FACTOR 4

#define REST_FRUITLESS_MS 2000
#define REST_FRUITLESS_FORCED_MS 100

#define IDLE_MS 100

static uint64_t spans_drained(struct store *store)
{
	struct xv_stats stats;

	pools_get_stats(&store->pools, &stats);
	return stats.spans_drained;
}

/* Begins a pass over all pools for which it is worth it.  Whether there is any. */
static bool pass_begin(struct store *store, bool forced)
{
	struct compaction *compact = &store->compact;
	uint32_t count = atomic_load_explicit(&store->pools.count, memory_order_acquire);
	uint32_t spans = 0;

	compact->pass_spans = spans_drained(store);
	for (uint32_t i = 0; i < count; i++) {
		struct xv_pool *pool = pools_get(&store->pools, i);
		struct xv_stats stats;

		xv_get_stats(pool, &stats);
		if (!forced &&
		    (stats.free < PASS_FREE_MIN || stats.free < stats.used >> PASS_FREE_SHIFT))
			continue;
		spans += xv_drain_begin(pool, forced ? 0 : stats.used >> GOAL_FREE_SHIFT);
	}
	compact->cursor = 0;
	compact->running = spans > 0;
	return compact->running;
}

/* Ends the pass.  Returns the spans that it gave back. */
static uint64_t pass_end(struct store *store)
{
	struct compaction *compact = &store->compact;
	uint32_t count = atomic_load_explicit(&store->pools.count, memory_order_acquire);
	uint64_t spans;

	for (uint32_t i = 0; i < count; i++)
		(void)xv_drain_end(pools_get(&store->pools, i));
	spans = spans_drained(store) - compact->pass_spans;
	compact->running = false;
	atomic_fetch_add(&compact->bytes, spans * XV_SPAN_SIZE);
	if (spans > 0)
		atomic_fetch_add(&store->room_made, 1);
	return spans;
}

/* The entry may be anybody's: a hint, then. */
static bool wants_move(struct store *store, uint64_t entry)
{
	return object_may_be_there(store, entry) &&
	       xv_draining(pools_get(&store->pools, entry_pool(entry)), entry_handle(entry));
}

static void move_object(struct store *store, uint64_t number, table_entry *entry)
{
	uint64_t old = entry_lock(entry), new = old;
	struct xv_pool *pool;
	uint32_t moved;

	if (!wants_move(store, old) || !object_is_plausible(store, old) ||
	    !object_is_sound(store, number, old)) {
		entry_unlock(entry, old);
		return;
	}
	pool = pools_get(&store->pools, entry_pool(old));
	if (xv_move(pool, entry_handle(old), &moved) == 0) {
		new = (old & UINT32_MAX) | (uint64_t)moved << ENTRY_HANDLE_SHIFT;
		/* Unlocked, it may be freed before this is told. */
		if (store->trace)
			store_trace_alloc(store, entry_pool(old), moved, xv_size(pool, moved));
	}
	entry_unlock(entry, new);
	if (new == old)
		return;
	if (store->trace)
		store_trace_free(store, entry_pool(old), entry_handle(old));
	xv_free(pool, entry_handle(old));
	atomic_fetch_add_explicit(&store->compact.pages, 1, memory_order_relaxed);
}

/* Walks some table pages of the pass.  Whether it is through. */
static bool pass_step(struct store *store, unsigned int table_pages, struct work *work)
{
	struct compaction *compact = &store->compact;

	for (unsigned int i = 0; i < table_pages; i++) {
		struct table_ref ref;

		if (!table_pin_next(&store->table, compact->cursor, &ref))
			return true;
		compact->cursor = ref.index + 1;
		for (unsigned int j = 0; j < TABLE_PAGE_ENTRIES; j++) {
			uint64_t entry =
				atomic_load_explicit(&ref.entries[j], memory_order_relaxed);

			if (wants_move(store, entry))
				move_object(store, table_page_number(&ref, &ref.entries[j]),
					    &ref.entries[j]);
		}
		table_unpin(&store->table, &ref);
		work_advance(work, TABLE_PAGE_ENTRIES);
	}
	return false;
}

/* The rest of a pass at once, or what there is time for.  Returns the spans given back. */
static uint64_t pass_rest(struct store *store, struct work *work)
{
	work_round(work, store_walk_length(store));
	while (!pass_step(store, STEP_TABLE_PAGES, work) && !store_is_to_end(store, work))
		;
	return pass_end(store);
}

/* A whole pass.  Returns the spans given back. */
static uint64_t pass_whole(struct store *store, struct work *work)
{
	uint64_t spans = 0;

	if (store->compact.running)
		spans = pass_rest(store, work);
	if (!store_is_to_end(store, work) && pass_begin(store, true))
		spans += pass_rest(store, work);
	return spans;
}

uint64_t store_compact(struct store *store, struct work *work)
{
	uint64_t spans = 0, more;

	pthread_mutex_lock(&store->compact.lock);
	do {
		more = pass_whole(store, work);
		spans += more;
	} while (more > 0 && !store_is_to_end(store, work));
	pthread_mutex_unlock(&store->compact.lock);
	return spans * XV_SPAN_SIZE;
}

bool compact_make_room(struct store *store)
{
	struct compaction *compact = &store->compact;
	uint64_t spans = 0;

	pthread_mutex_lock(&compact->lock);
	if (clock_ms() >= compact->forced_rest_until) {
		spans = pass_whole(store, NULL);
		if (spans == 0)
			compact->forced_rest_until = clock_ms() + REST_FRUITLESS_FORCED_MS;
	}
	pthread_mutex_unlock(&compact->lock);
	return spans > 0;
}

static unsigned int rest_after(uint64_t start_ns)
{
	return (unsigned int)((clock_ns() - start_ns) * STEP_REST_FACTOR / 1000000) + 1;
}

unsigned int compact_step(struct store *store)
{
	struct compaction *compact = &store->compact;
	uint64_t start = clock_ns();
	unsigned int rest = IDLE_MS;

	if (pthread_mutex_trylock(&compact->lock) != 0)
		return IDLE_MS;
	if (!compact->running && start / 1000000 >= compact->rest_until)
		(void)pass_begin(store, false);
	if (compact->running) {
		if (pass_step(store, STEP_TABLE_PAGES, NULL) && pass_end(store) == 0)
			compact->rest_until = clock_ms() + REST_FRUITLESS_MS;
		rest = rest_after(start);
	} else {
		pools_forget(&store->pools);
		table_forget(&store->table);
	}
	pthread_mutex_unlock(&compact->lock);
	return rest;
}
