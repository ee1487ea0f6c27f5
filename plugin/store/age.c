/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clock that pages are as old by. */
#include "base/clock.h"
#include "store/age.h"

/* Idle pages are told at least so finely... */
#define TICKS_IDLE 16u

/* ...and without anything else to go by: half an hour can be told. */
#define TICK_MS_DEFAULT 4000u

/* Of what can be told at all, the longest that is asked for stays below this. */
#define TICKS_IDLE_MAX (AGE_TICKS_OLD - 16)

void age_init(struct store *store, unsigned int idle_seconds)
{
	uint64_t idle_ms = (uint64_t)idle_seconds * 1000, tick = TICK_MS_DEFAULT;

	if (idle_seconds && idle_ms / TICKS_IDLE < tick)
		tick = idle_ms / TICKS_IDLE + 1;
	if (idle_ms / TICKS_IDLE_MAX >= tick)
		tick = idle_ms / TICKS_IDLE_MAX + 1;
	store->tick_ms = (unsigned int)tick;
	store->next_tick_ms = clock_ms() + tick;
}

void age_work(struct store *store)
{
	uint64_t now = clock_ms(), next = atomic_load(&store->next_tick_ms);

	if (now >= next &&
	    atomic_compare_exchange_strong(&store->next_tick_ms, &next, now + store->tick_ms))
		atomic_fetch_add_explicit(&store->age, 1, memory_order_relaxed);
}

unsigned int age_ticks(const struct store *store, unsigned int seconds)
{
	uint64_t ticks = (uint64_t)seconds * 1000 / store->tick_ms + 1;

	return ticks < AGE_TICKS_OLD ? (unsigned int)ticks : AGE_TICKS_OLD;
}

unsigned int store_idle_seconds_max(const struct store *store)
{
	return (unsigned int)((uint64_t)TICKS_IDLE_MAX * store->tick_ms / 1000);
}

void age_keep_old(struct store *store, table_entry *entry, uint64_t seen)
{
	unsigned int age = atomic_load_explicit(&store->age, memory_order_relaxed);

	if (entry_kind(seen) < KIND_RAW || age_of(store, seen) < AGE_TICKS_OLD ||
	    (seen & ENTRY_LOCK))
		return;
	(void)atomic_compare_exchange_strong_explicit(entry, &seen,
						      entry_with_age(seen, age - AGE_TICKS_OLD),
						      memory_order_relaxed, memory_order_relaxed);
}
