/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long ago a page was touched.  store->age ticks, and every request leaves the
 * tick in the entries that it touches.  The bits for it wrap around; what has become
 * old is kept so by whoever walks the table in the background.
 */
#ifndef RAMZSWAP_STORE_AGE_H
#define RAMZSWAP_STORE_AGE_H

#include "store/state.h"

/* What is older than this is not told apart any more. */
#define AGE_TICKS_OLD 400u

/*
 * A page that is read twice within so many ticks comes back: to memory from behind the pool,
 * and to the codec for speed.  One that leaves either counts as older than that.
 */
#define AGE_TICKS_HOT 15u

/* Ticks are so long that idle_seconds can be told; 0 for what suits without. */
void age_init(struct store *store, unsigned int idle_seconds);

/* Lets time pass. */
void age_work(struct store *store);

/* How many ticks so many seconds are, at least one. */
unsigned int age_ticks(const struct store *store, unsigned int seconds);

/* Ticks since the page was touched. */
static inline unsigned int age_of(const struct store *store, uint64_t entry)
{
	return (atomic_load_explicit(&store->age, memory_order_relaxed) - entry_age(entry)) %
	       (1u << ENTRY_AGE_BITS);
}

/* The entry as one that was touched now. */
static inline uint64_t entry_touched(const struct store *store, uint64_t entry)
{
	if (entry_kind(entry) < KIND_RAW)
		return entry;
	return entry_with_age(entry, atomic_load_explicit(&store->age, memory_order_relaxed));
}

/*
 * Keeps a page that was seen to be old from looking young when the age wraps around.
 * To be called for every entry every hundred ticks.
 */
void age_keep_old(struct store *store, table_entry *entry, uint64_t seen);

#endif
