/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/dictionary_size.h"
#include "base/machine.h"
#include "store/dictionary.h"
#include "urgent.h"

/* A dictionary is made anew when one that is so many times as large would suit... */
#define OUTGROWN 4u
/* ...or when it wins less than this part of what it won at first, and not sooner than this. */
#define WON_PART 0.5
#define RETRAIN_MS (10 * 60 * 1000)

/* One page in so many is encoded without a dictionary too, and so many make a picture. */
#define COMPARE_EVERY 32u
#define COMPARE_PAGES 256u

/* What only encoding takes is given back when there was none for so long. */
#define WRITER_REST_MS (60 * 1000)

#define VERIFY_MS (10 * 1000)

void dictionary_init(struct store *store, size_t size_max)
{
	struct dictionaries *all = &store->dictionary;

	all->size_max = store->idle_codec->dictionary ? size_max : 0;
	all->current = -1;
	all->training = -1;
	all->meminfo = all->size_max ? machine_open() : -1;
}

unsigned char *dictionary_memory(struct store *store, size_t size)
{
	unsigned char *memory;
	int policy;

	if (span_budget_charge(&store->budget, size) != 0)
		return NULL;
	policy = store->pools.locked ? urgent_begin() : URGENT_LEFT_ALONE;
	memory = span_map_zeroed(size);
	/* Resident before it is needed. */
	if (memory)
		memset(memory, 0, size);
	urgent_end(policy);
	if (!memory) {
		span_budget_uncharge(&store->budget, size);
		return NULL;
	}
	atomic_fetch_add(&store->dictionary.bytes, size);
	return memory;
}

void dictionary_forget_memory(struct store *store, unsigned char *memory, size_t size)
{
	if (!memory)
		return;
	explicit_bzero(memory, size);
	span_unmap(memory, size);
	span_budget_uncharge(&store->budget, size);
	atomic_fetch_sub(&store->dictionary.bytes, size);
}

void dictionary_give_back_writer(struct store *store)
{
	struct dictionaries *all = &store->dictionary;

	dictionary_forget_memory(store, all->writer, all->writer_size);
	all->writer = NULL;
}

static void forget_generation(struct store *store, int which)
{
	struct generation *generation = &store->dictionary.generation[which];

	dictionary_forget_memory(store, generation->memory, generation->memory_size);
	memset(generation, 0, sizeof(*generation));
}

static void give_up_current(struct store *store)
{
	dictionary_give_back_writer(store);
	store->dictionary.current = -1;
	atomic_store(&store->dictionary.born, 0);
}

void dictionary_fini(struct store *store)
{
	struct dictionaries *all = &store->dictionary;

	dictionary_give_back_writer(store);
	for (int i = 0; i < GENERATIONS; i++)
		forget_generation(store, i);
	if (all->meminfo >= 0)
		close(all->meminfo);
	all->meminfo = -1;
}

/* Enough to notice that a bit is not what it was: it is no secret that nobody may forge. */
static uint64_t checksum(const struct generation *generation)
{
	uint64_t sum = UINT64_C(0x9e3779b97f4a7c15), word;

	for (size_t at = 0; at + sizeof(word) <= generation->memory_size; at += sizeof(word)) {
		memcpy(&word, generation->memory + at, sizeof(word));
		sum = (sum ^ word) * UINT64_C(0xff51afd7ed558ccd);
		sum ^= sum >> 32;
	}
	return sum;
}

/* Whether the current dictionary is what it was when it was made; looks now and then. */
static bool is_intact(struct store *store)
{
	struct dictionaries *all = &store->dictionary;
	uint64_t now = clock_ms();

	if (now < all->verify_ms)
		return true;
	all->verify_ms = now + VERIFY_MS;
	if (checksum(&all->generation[all->current]) == all->generation[all->current].checksum)
		return true;
	/* Pages that can be read come away from it, as from an old one. */
	atomic_fetch_add(&all->damaged, 1);
	give_up_current(store);
	return false;
}

static uint64_t needed_by(const struct store *store, int generation)
{
	return store_counter(store, (enum store_counter)(COUNT_DICTIONARY + generation));
}

uint64_t dictionary_pages(const struct store *store)
{
	uint64_t sum = 0;

	for (int i = 0; i < GENERATIONS; i++)
		sum += needed_by(store, i);
	return sum;
}

/*
 * What was encoded as densely as could be is to be encoded again.  An entry that somebody has
 * locked is left as it is: it is in use.
 */
static void begin_anew(struct store *store)
{
	struct table_ref ref;

	for (uint64_t index = 0; table_pin_next(&store->table, index, &ref);
	     index = ref.index + 1) {
		for (unsigned int i = 0; i < TABLE_PAGE_ENTRIES; i++) {
			uint64_t seen = atomic_load_explicit(&ref.entries[i], memory_order_relaxed);

			if ((entry_kind(seen) != KIND_PAYLOAD && entry_kind(seen) != KIND_RAW) ||
			    !(seen & ENTRY_DENSEST) || (seen & ENTRY_LOCK))
				continue;
			(void)atomic_compare_exchange_strong_explicit(&ref.entries[i], &seen,
								      seen & ~ENTRY_DENSEST,
								      memory_order_relaxed,
								      memory_order_relaxed);
		}
		table_unpin(&store->table, &ref);
	}
}

void dictionary_publish(struct store *store, int which)
{
	struct dictionaries *all = &store->dictionary;
	struct generation *generation = &all->generation[which];

	generation->checksum = checksum(generation);
	generation->born_ms = clock_ms();
	all->current = which;
	all->with = 0;
	all->without = 0;
	all->compared = 0;
	all->won_lately = all->won_first;
	atomic_store(&all->born, generation->born_ms);
	atomic_fetch_add(&all->made, 1);
	begin_anew(store);
	store->recompress.cursor[CODEC_MAX] = 0;
	store->recompress.little = false;
}

bool dictionary_ready(struct store *store)
{
	const struct codec_dictionary *codec = store->idle_codec->dictionary;
	struct dictionaries *all = &store->dictionary;
	const struct generation *generation;

	if (all->current < 0 || !is_intact(store))
		return false;
	all->writer_used_ms = clock_ms();
	if (all->writer)
		return true;
	generation = &all->generation[all->current];
	all->writer_size = codec->writer_size(generation->size);
	all->writer = dictionary_memory(store, all->writer_size);
	if (all->writer &&
	    codec->writer_make(all->writer, generation->memory, generation->size) == 0)
		return true;
	dictionary_give_back_writer(store);
	return false;
}

int dictionary_encode(struct store *store, const void *page, void *payload)
{
	return store->idle_codec->dictionary->compress(store->dictionary.writer, page, payload);
}

bool dictionary_compares(struct store *store)
{
	return store->dictionary.pages++ % COMPARE_EVERY == 0;
}

void dictionary_compared(struct store *store, size_t with, size_t without)
{
	struct dictionaries *all = &store->dictionary;

	all->with += with < without ? with : without;
	all->without += without;
	if (with < without)
		atomic_fetch_add_explicit(&all->won, (without - with) * COMPARE_EVERY,
					  memory_order_relaxed);
	if (++all->compared < COMPARE_PAGES)
		return;
	all->won_lately = 1 - (double)all->with / (double)all->without;
	all->with = 0;
	all->without = 0;
	all->compared = 0;
}

bool dictionary_is_old(const struct store *store, uint64_t entry)
{
	int generation = entry_kind(entry) == KIND_PAYLOAD ? entry_generation(entry) : -1;

	return generation >= 0 && generation != store->dictionary.current;
}

size_t dictionary_suits(struct store *store)
{
	const struct dictionaries *all = &store->dictionary;
	int64_t payloads = store_counter(store, COUNT_STORED) - store_counter(store, COUNT_RAW) -
			   store_counter(store, COUNT_BACKED);
	struct xv_stats pools;

	pools_get_stats(&store->pools, &pools);
	return dictionary_size(payloads > 0 ? (uint64_t)payloads : 0, pools.requested,
			       store->idle_codec->dictionary->size_min, all->size_max);
}

/* Whether there is reason to make one now. */
static bool is_wanted(struct store *store)
{
	const struct dictionaries *all = &store->dictionary;
	uint64_t now = clock_ms();
	size_t suits;

	if (now < all->retry_ms || (all->generation[0].memory && all->generation[1].memory))
		return false;
	suits = dictionary_suits(store);
	if (suits == 0 || all->current < 0)
		return suits > 0;
	if (now - all->generation[all->current].born_ms < RETRAIN_MS)
		return false;
	return suits >= all->generation[all->current].suited * OUTGROWN ||
	       all->won_lately < all->won_first * WON_PART;
}

void dictionary_tend(struct store *store, bool have_time)
{
	struct dictionaries *all = &store->dictionary;

	if (!all->size_max)
		return;
	if (all->current >= 0 && store_counter(store, COUNT_STORED) == 0)
		give_up_current(store);
	for (int i = 0; i < GENERATIONS; i++) {
		if (all->generation[i].memory && i != all->current && i != all->training &&
		    needed_by(store, i) == 0)
			forget_generation(store, i);
	}
	if (all->writer && clock_ms() - all->writer_used_ms > WRITER_REST_MS)
		dictionary_give_back_writer(store);
	all->wanted = all->training >= 0 || (have_time && is_wanted(store));
}

void dictionary_reset(struct store *store)
{
	struct dictionaries *all = &store->dictionary;

	if (!all->size_max)
		return;
	give_up_current(store);
	all->stale = all->training >= 0;
	all->retry_ms = 0;
	atomic_store(&all->won, 0);
	dictionary_tend(store, false);
}

bool dictionary_is_coming(const struct store *store)
{
	return store->dictionary.wanted;
}
