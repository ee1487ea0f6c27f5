/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "span.h"
#include "store/directory.h"
#include "urgent.h"

#define PAGE_SIZE 4096u

/*
 * The directory of a locked disk is resident at once if its entries take no more than this (a
 * disk of 128 GiB) and no more than this part of the limit: 1/2^4.
 */
#define PERMANENT_MAX (512u << 10)
#define PERMANENT_SHIFT 4

/* One page of tallies is enough for what is permanent, so that its root need not be counted. */
_Static_assert(PERMANENT_MAX / PAGE_SIZE <= DIRECTORY_PAGE_TALLIES, "a root for each page");

static uint64_t pages_of(uint64_t items, uint64_t per_page)
{
	return (items + per_page - 1) / per_page;
}

static uint64_t entries_bytes(const struct directory *directory)
{
	return pages_of(directory->count, DIRECTORY_PAGE_ENTRIES) * PAGE_SIZE;
}

static uint64_t tallies_bytes(const struct directory *directory)
{
	uint64_t tallies = pages_of(directory->count, DIRECTORY_PAGE_ENTRIES);

	return pages_of(tallies, DIRECTORY_PAGE_TALLIES) * PAGE_SIZE;
}

static int make_permanent(struct directory *directory)
{
	uint64_t bytes = entries_bytes(directory);
	int err;

	if (bytes > PERMANENT_MAX ||
	    bytes > atomic_load(&directory->budget->limit) >> PERMANENT_SHIFT)
		return 0;
	err = span_budget_charge(directory->budget, bytes + PAGE_SIZE);
	if (err)
		return err;
	directory->permanent = true;
	atomic_store(&directory->roots[0], 1);
	err = span_populate((void *)directory->entries, bytes);
	return err ? err : span_populate((void *)directory->tallies, PAGE_SIZE);
}

int directory_init(struct directory *directory, uint64_t count, struct span_budget *budget,
		   bool locked)
{
	int err = -ENOMEM;

	if (count > DIRECTORY_ROOTS * DIRECTORY_PAGE_TALLIES * DIRECTORY_PAGE_ENTRIES)
		return -EINVAL;
	memset(directory, 0, sizeof(*directory));
	pthread_mutex_init(&directory->lock, NULL);
	directory->count = count;
	directory->budget = budget;
	directory->urgent = locked;
	directory->entries = span_map_zeroed(entries_bytes(directory));
	directory->tallies = span_map_zeroed(tallies_bytes(directory));
	if (directory->entries && directory->tallies)
		err = locked ? make_permanent(directory) : 0;
	if (err)
		directory_fini(directory);
	return err;
}

void directory_fini(struct directory *directory)
{
	if (directory->entries)
		span_unmap((void *)directory->entries, entries_bytes(directory));
	if (directory->tallies)
		span_unmap((void *)directory->tallies, tallies_bytes(directory));
	memset(directory, 0, sizeof(*directory));
}

/* Whether it was not 0, and is one more now. */
static bool add_if_used(_Atomic uint16_t *tally)
{
	uint16_t seen = atomic_load_explicit(tally, memory_order_relaxed);

	while (seen)
		if (atomic_compare_exchange_weak_explicit(tally, &seen, (uint16_t)(seen + 1),
							  memory_order_acquire,
							  memory_order_relaxed))
			return true;
	return false;
}

/* Whether it was more than 1, and is one less now. */
static bool sub_if_shared(_Atomic uint16_t *tally)
{
	uint16_t seen = atomic_load_explicit(tally, memory_order_relaxed);

	while (seen > 1)
		if (atomic_compare_exchange_weak_explicit(tally, &seen, (uint16_t)(seen - 1),
							  memory_order_release,
							  memory_order_relaxed))
			return true;
	return false;
}

/* The page of entries that index is in, as a place among the tallies. */
static uint64_t tally_of(uint64_t index)
{
	return index / DIRECTORY_PAGE_ENTRIES;
}

static _Atomic uint16_t *root_of(struct directory *directory, uint64_t tally)
{
	return &directory->roots[tally / DIRECTORY_PAGE_TALLIES];
}

/* The first of a page's worth. */
static void *entries_page(const struct directory *directory, uint64_t tally)
{
	return (void *)&directory->entries[tally * DIRECTORY_PAGE_ENTRIES];
}

static void *tallies_page(const struct directory *directory, uint64_t tally)
{
	return (void *)&directory->tallies[tally & ~(uint64_t)(DIRECTORY_PAGE_TALLIES - 1)];
}

/* With the lock held: gives back those pages that nothing counts. */
static void drop_unused(struct directory *directory, uint64_t tally, bool entries)
{
	if (entries)
		span_drop_zeroed(entries_page(directory, tally), PAGE_SIZE);
	if (!atomic_load(root_of(directory, tally)))
		span_drop_zeroed(tallies_page(directory, tally), PAGE_SIZE);
	directory->drops++;
}

/* Of both pages that lead to an entry; whoever has them already loses nothing. */
static int populate(struct directory *directory, uint64_t tally)
{
	int policy = directory->urgent ? urgent_begin() : URGENT_LEFT_ALONE;
	int err = span_populate(tallies_page(directory, tally), PAGE_SIZE);

	if (!err)
		err = span_populate(entries_page(directory, tally), PAGE_SIZE);
	urgent_end(policy);
	return err;
}

/* With the lock held; the pages are resident and charged, both. */
static void begin_use(struct directory *directory, uint64_t tally)
{
	_Atomic uint16_t *root = root_of(directory, tally);

	if (atomic_fetch_add(root, 1) > 0)
		span_budget_uncharge(directory->budget, PAGE_SIZE);
	atomic_store_explicit(&directory->tallies[tally], 1, memory_order_release);
}

/* The tally is in a page that may not be there; the root says so. */
static bool hold_if_used(struct directory *directory, uint64_t tally)
{
	return atomic_load_explicit(root_of(directory, tally), memory_order_acquire) &&
	       add_if_used(&directory->tallies[tally]);
}

/*
 * Whether the entry is held now.  Pages are waited for without the lock, which those who give
 * some back need; so what was populated may have gone again: once more then.
 */
static bool try_hold(struct directory *directory, uint64_t tally, int *err)
{
	uint64_t drops;
	bool held;

	pthread_mutex_lock(&directory->lock);
	drops = directory->drops;
	pthread_mutex_unlock(&directory->lock);
	*err = populate(directory, tally);
	pthread_mutex_lock(&directory->lock);
	held = hold_if_used(directory, tally);
	if (held) {
		/* Somebody else was first, and charged for it. */
		span_budget_uncharge(directory->budget, 2 * PAGE_SIZE);
		*err = 0;
	} else if (*err) {
		span_budget_uncharge(directory->budget, 2 * PAGE_SIZE);
		drop_unused(directory, tally, true);
	} else if (drops == directory->drops) {
		begin_use(directory, tally);
		held = true;
	}
	pthread_mutex_unlock(&directory->lock);
	return held || *err;
}

int directory_hold(struct directory *directory, uint64_t index)
{
	uint64_t tally = tally_of(index);
	int err;

	if (directory->permanent) {
		atomic_fetch_add(&directory->tallies[tally], 1);
		return 0;
	}
	if (hold_if_used(directory, tally))
		return 0;
	/* A table page is wanted next, and an object: to ask for both pages refuses nobody. */
	err = span_budget_charge(directory->budget, 2 * PAGE_SIZE);
	if (err)
		return err;
	while (!try_hold(directory, tally, &err))
		;
	return err;
}

void directory_release(struct directory *directory, uint64_t index)
{
	uint64_t tally = tally_of(index);
	_Atomic uint16_t *root = root_of(directory, tally);

	if (directory->permanent) {
		atomic_fetch_sub(&directory->tallies[tally], 1);
		return;
	}
	if (sub_if_shared(&directory->tallies[tally]))
		return;
	pthread_mutex_lock(&directory->lock);
	/* From 0 it is raised under the lock alone. */
	if (atomic_fetch_sub(&directory->tallies[tally], 1) == 1) {
		bool last = atomic_fetch_sub(root, 1) == 1;

		drop_unused(directory, tally, true);
		span_budget_uncharge(directory->budget, (1 + last) * PAGE_SIZE);
	}
	pthread_mutex_unlock(&directory->lock);
}

static bool is_used(const struct directory *directory, uint64_t tally)
{
	return atomic_load_explicit(&directory->roots[tally / DIRECTORY_PAGE_TALLIES],
				    memory_order_relaxed) &&
	       atomic_load_explicit(&directory->tallies[tally], memory_order_relaxed);
}

uint64_t directory_load(const struct directory *directory, uint64_t index)
{
	if (!is_used(directory, tally_of(index)))
		return 0;
	return atomic_load_explicit(&directory->entries[index], memory_order_acquire);
}

/* The first tally in [tally, end) that is not 0, or end. */
static uint64_t next_tally(const struct directory *directory, uint64_t tally, uint64_t end)
{
	while (tally < end) {
		uint64_t root = tally / DIRECTORY_PAGE_TALLIES;

		if (!atomic_load_explicit(&directory->roots[root], memory_order_relaxed))
			tally = (root + 1) * DIRECTORY_PAGE_TALLIES;
		else if (!atomic_load_explicit(&directory->tallies[tally], memory_order_relaxed))
			tally++;
		else
			return tally;
	}
	return end;
}

uint64_t directory_next(const struct directory *directory, uint64_t index, uint64_t end)
{
	uint64_t tallies = pages_of(end, DIRECTORY_PAGE_ENTRIES);

	while (index < end) {
		uint64_t tally = next_tally(directory, tally_of(index), tallies);
		uint64_t page_end = (tally + 1) * DIRECTORY_PAGE_ENTRIES;

		if (tally != tally_of(index))
			index = tally * DIRECTORY_PAGE_ENTRIES;
		for (; index < end && index < page_end; index++)
			if (atomic_load_explicit(&directory->entries[index], memory_order_relaxed))
				return index;
	}
	return end;
}
