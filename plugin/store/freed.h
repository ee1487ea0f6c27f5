/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages that nobody needs any more, by word of their owner: the kernel sets a bit of theirs
 * when their swap slot becomes free (store_heed_freed).
 *
 * What is right rests on three rules; tests/model/freed.pml has each of them broken.
 *	The kernel sets the bit before anybody can be given the slot.
 *	Who publishes new content clears the bit before he does.
 *	Who drops a page looks at the bit while he holds the entry, whatever he saw before.
 * So a bit that is seen under the lock is younger than the content that it is about.  And the
 * bit is cleared under the lock, or the next notice could be lost with it.
 */
#ifndef RAMZSWAP_STORE_FREED_H
#define RAMZSWAP_STORE_FREED_H

#include "store/state.h"

#define FREED_WORD_PAGES 64u

static inline uint64_t freed_mask(uint64_t number)
{
	return UINT64_C(1) << (number % FREED_WORD_PAGES);
}

/* Before new content of the page is published: the bit is of older content. */
static inline void freed_clear(struct store *store, uint64_t number)
{
	_Atomic uint64_t *bits = atomic_load_explicit(&store->freed.bits, memory_order_acquire);

	if (!bits)
		return;
	bits += number / FREED_WORD_PAGES;
	if (atomic_load_explicit(bits, memory_order_relaxed) & freed_mask(number))
		atomic_fetch_and_explicit(bits, ~freed_mask(number), memory_order_relaxed);
}

void freed_init(struct store *store);

/* One step in the background.  Milliseconds until the next. */
unsigned int freed_step(struct store *store);

/* Forgets pages for a write that found no room.  Whether any.  No entry may be locked. */
bool freed_make_room(struct store *store);

/* Pages that are stored though their bits are set; as good as a look without locks. */
uint64_t freed_stale(struct store *store);

#endif
