/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Forgets the pages whose slots the kernel has freed.  The words of bits are walked in a circle, in
 * short steps; a table page is pinned once for all of its words.
 */
#include "store/freed.h"
#include "store/object.h"

/* A step ends after so many words, which is 16 GiB of disk, or so many pages forgotten. */
#define STEP_WORDS 65536u
#define STEP_PAGES 2048u

#define IDLE_MS 100
#define BUSY_MS 1

#define TABLE_PAGE_WORDS (TABLE_PAGE_ENTRIES / FREED_WORD_PAGES)

void freed_init(struct store *store)
{
	pthread_mutex_init(&store->freed.lock, NULL);
}

static uint64_t word_count(const struct store *store)
{
	return (store->pages + FREED_WORD_PAGES - 1) / FREED_WORD_PAGES;
}

/* Has ref hold the table page of this word's entries, if there is one. */
static void hold_table_page(struct store *store, struct table_ref *ref, uint64_t word)
{
	uint64_t index = word / TABLE_PAGE_WORDS;

	if (ref->entries && ref->index == index)
		return;
	table_unpin(&store->table, ref);
	(void)table_pin(&store->table, index, false, ref);
}

/*
 * Drops the page if its bit is still set under the lock.  Whether there was one.  An entry that
 * somebody holds is left for the next time: he may be waiting for the backing store.
 */
static bool forget_page(struct request *req, struct table_ref *ref, uint64_t number)
{
	struct store *store = req->store;
	_Atomic uint64_t *bits = atomic_load_explicit(&store->freed.bits, memory_order_relaxed);
	table_entry *entry = &ref->entries[number % TABLE_PAGE_ENTRIES];
	uint64_t content;

	bits += number / FREED_WORD_PAGES;
	if (!entry_try_lock(entry, &content))
		return false;
	if (!(atomic_load_explicit(bits, memory_order_relaxed) & freed_mask(number))) {
		entry_unlock(entry, content);
		return false;
	}
	atomic_fetch_and_explicit(bits, ~freed_mask(number), memory_order_relaxed);
	page_account(req, content, -1);
	entry_unlock(entry, 0);
	if (entry_kind(content) == KIND_EMPTY)
		return false;
	ref->live_delta--;
	page_free(store, number, content);
	return true;
}

/* Returns the pages forgotten. */
static unsigned int forget_word(struct request *req, struct table_ref *ref, uint64_t word)
{
	_Atomic uint64_t *bits =
		atomic_load_explicit(&req->store->freed.bits, memory_order_relaxed) + word;
	uint64_t seen = atomic_load_explicit(bits, memory_order_relaxed);
	unsigned int pages = 0;

	if (!seen)
		return 0;
	hold_table_page(req->store, ref, word);
	if (!ref->entries) {
		/* Nothing is stored there.  If it is by now, a notice is lost, but no page. */
		(void)atomic_compare_exchange_strong(bits, &seen, 0);
		return 0;
	}
	while (seen) {
		uint64_t number = word * FREED_WORD_PAGES + (uint64_t)__builtin_ctzll(seen);

		seen &= seen - 1;
		if (number < req->store->pages)
			pages += forget_page(req, ref, number);
	}
	return pages;
}

/*
 * Goes on from the cursor, over so many words at most.  Returns the pages forgotten, and takes
 * from *words what it has walked.  The lock is held.
 */
static unsigned int walk(struct store *store, uint64_t *words)
{
	struct freed *freed = &store->freed;
	uint64_t count = word_count(store);
	struct table_ref ref = { 0 };
	unsigned int pages = 0;
	struct request req;

	request_begin_background(&req, store);
	for (; *words > 0 && pages < STEP_PAGES; (*words)--) {
		if (freed->cursor >= count)
			freed->cursor = 0;
		pages += forget_word(&req, &ref, freed->cursor++);
	}
	table_unpin(&store->table, &ref);
	request_end(&req);
	atomic_fetch_add_explicit(&freed->pages, pages, memory_order_relaxed);
	if (pages)
		atomic_fetch_add(&store->room_made, 1);
	return pages;
}

unsigned int store_forget_freed(struct store *store)
{
	uint64_t words = word_count(store);
	unsigned int pages = 0;

	if (words > STEP_WORDS)
		words = STEP_WORDS;
	pthread_mutex_lock(&store->freed.lock);
	if (store->freed.heeded)
		pages = walk(store, &words);
	pthread_mutex_unlock(&store->freed.lock);
	return pages;
}

unsigned int freed_step(struct store *store)
{
	/* A larger disk takes several steps: up to 320 GiB all of it is walked in two seconds. */
	return store_forget_freed(store) >= STEP_PAGES ? BUSY_MS : IDLE_MS;
}

bool freed_make_room(struct store *store)
{
	uint64_t words = word_count(store);
	unsigned int pages = 0;

	pthread_mutex_lock(&store->freed.lock);
	if (store->freed.heeded)
		pages = walk(store, &words);
	pthread_mutex_unlock(&store->freed.lock);
	return pages > 0;
}

int store_heed_freed(struct store *store, _Atomic uint64_t *bits)
{
	struct freed *freed = &store->freed;
	int err = 0;

	pthread_mutex_lock(&freed->lock);
	if (bits && !freed->charged) {
		uint64_t bytes = word_count(store) * sizeof(*bits);

		err = span_budget_charge(&store->budget, bytes);
		freed->charged = !err;
	}
	if (bits && !err)
		atomic_store_explicit(&freed->bits, bits, memory_order_release);
	freed->heeded = bits && !err;
	pthread_mutex_unlock(&freed->lock);
	return err;
}

uint64_t freed_stale(struct store *store)
{
	struct freed *freed = &store->freed;
	struct table_ref ref = { 0 };
	uint64_t stale = 0;

	pthread_mutex_lock(&freed->lock);
	for (uint64_t word = 0; freed->heeded && word < word_count(store); word++) {
		_Atomic uint64_t *bits = atomic_load(&freed->bits) + word;
		uint64_t seen = atomic_load_explicit(bits, memory_order_relaxed);

		if (!seen)
			continue;
		hold_table_page(store, &ref, word);
		for (; seen && ref.entries; seen &= seen - 1) {
			uint64_t at = word * FREED_WORD_PAGES + (uint64_t)__builtin_ctzll(seen);
			table_entry *entry = &ref.entries[at % TABLE_PAGE_ENTRIES];

			stale += entry_kind(atomic_load_explicit(entry, memory_order_relaxed)) !=
				 KIND_EMPTY;
		}
	}
	table_unpin(&store->table, &ref);
	pthread_mutex_unlock(&freed->lock);
	return stale;
}
