/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A dictionary is made of a sample of idle pages, spread over the disk.  Each is read as a
 * request would read it, under its entry alone; all else needs no lock of the store's.  What it
 * is worth is seen on pages that it was not made of.
 *
 * libzstd allocates while it makes one, which in a server of swap may wait for memory.  So this
 * is for a thread that nobody waits for, is not begun unless the machine has memory to spare,
 * and what it may take is charged before.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/machine.h"
#include "store/age.h"
#include "store/dictionary.h"
#include "store/effort.h"
#include "store/page.h"
#include "store/train.h"

/* The sample: pages to make it of, so many times its size and more, and to try it on. */
#define SAMPLE_TIMES 16u
#define SAMPLE_PAGES 1000u
#define TRIAL_PAGES 40u
#define SAMPLE_LEAST 300u

/* A smaller one takes hardly less memory to make. */
#define FRUGAL_SIZE (112u << 10)

/* One that wins less than this of the pages that it is tried on is not worth having. */
#define WON_LEAST 0.02

/* The machine must have so many times as much memory available as it takes. */
#define SPARE 4u

#define REST_MS 1000
#define RETRY_SOON_MS (5 * 1000)
#define RETRY_MS (2 * 60 * 1000)
#define RETRY_LATER_MS (30 * 60 * 1000)

struct sample {
	unsigned char *pages; /* to make it of, and those to try it on behind them */
	unsigned int count;
	unsigned int wanted; /* no more than this many */
};

static bool suits(const struct store *store, uint64_t entry, unsigned int ticks)
{
	return entry_kind(entry) == KIND_PAYLOAD && age_of(store, entry) >= ticks;
}

/* Adds the page of this number and entry to the sample. */
static void add(struct store *store, struct sample *sample, uint64_t number, table_entry *entry,
		unsigned int ticks)
{
	uint64_t content = entry_lock(entry);

	if (suits(store, content, ticks) &&
	    page_decode(store, number, content,
			sample->pages + (size_t)sample->count * STORE_PAGE_SIZE, 0) == 0)
		sample->count++;
	entry_unlock(entry, content);
}

/* Every stride-th page that suits; how many do if sample is NULL. */
static uint64_t walk(struct store *store, struct sample *sample, uint64_t stride,
		     unsigned int ticks)
{
	struct table_ref ref;
	uint64_t found = 0;

	for (uint64_t index = 0; table_pin_next(&store->table, index, &ref);
	     index = ref.index + 1) {
		for (unsigned int i = 0; i < TABLE_PAGE_ENTRIES; i++) {
			uint64_t seen = atomic_load_explicit(&ref.entries[i], memory_order_relaxed);

			if (!suits(store, seen, ticks) || found++ % stride != 0 || !sample ||
			    sample->count == sample->wanted)
				continue;
			add(store, sample, table_page_number(&ref, &ref.entries[i]),
			    &ref.entries[i], ticks);
		}
		table_unpin(&store->table, &ref);
	}
	return found;
}

/* Moves pages to the end on which it is to be tried: from all over the sample.  How many. */
static unsigned int set_aside(struct sample *sample)
{
	unsigned int trial = sample->count < 10 * TRIAL_PAGES ? sample->count / 10 : TRIAL_PAGES;
	unsigned int stride = sample->count / trial;
	unsigned char page[STORE_PAGE_SIZE];

	for (unsigned int i = 0; i < trial; i++) {
		unsigned char *last =
			sample->pages + (size_t)(sample->count - 1 - i) * STORE_PAGE_SIZE;
		unsigned char *other = sample->pages + (size_t)i * stride * STORE_PAGE_SIZE;

		memcpy(page, last, STORE_PAGE_SIZE);
		memcpy(last, other, STORE_PAGE_SIZE);
		memcpy(other, page, STORE_PAGE_SIZE);
	}
	explicit_bzero(page, sizeof(page));
	return trial;
}

/* The share that the dictionary wins of pages that it was not made of.  Under recompress.lock. */
static double try_out(struct store *store, const struct sample *sample, unsigned int trial)
{
	struct recompression *re = &store->recompress;
	uint64_t with = 0, without = 0;

	for (unsigned int i = 0; i < trial; i++) {
		const unsigned char *page =
			sample->pages + (size_t)(sample->count - 1 - i) * STORE_PAGE_SIZE;
		int len = dictionary_encode(store, page, re->payload);
		int plain =
			store->idle_codec->compress(CODEC_MAX, re->workspace, page, re->payload);

		if (len <= 0 || plain <= 0)
			return 0;
		with += (uint64_t)(len < plain ? len : plain);
		without += (uint64_t)plain;
	}
	return without ? 1 - (double)with / (double)without : 0;
}

/* Whether the machine has so much memory that nobody would miss what this takes. */
static bool machine_has(const struct store *store, size_t bytes)
{
	struct machine_memory memory;

	machine_memory(store->dictionary.meminfo, &memory);
	return memory.total == 0 || memory.available / SPARE > bytes;
}

/* Fills a generation, whose memory is there, from the sample.  0 or -ENODATA. */
static int fill(struct store *store, struct generation *generation, const struct sample *sample,
		unsigned int trial)
{
	const struct codec_dictionary *codec = store->idle_codec->dictionary;
	size_t room = generation->size;
	int len = codec->train(sample->pages, sample->count - trial, generation->memory, room);

	if (len < 0)
		return len;
	generation->size = (size_t)len;
	/* The reader lies where the dictionary would have ended. */
	if (codec->reader_make(generation->memory + room, generation->memory, (size_t)len) != 0)
		return -ENODATA;
	generation->reader = generation->memory + room;
	return 0;
}

/* How many pages a dictionary of this size is made of, and tried on, at most. */
static unsigned int sample_pages(size_t size)
{
	size_t pages = size * SAMPLE_TIMES / STORE_PAGE_SIZE;

	if (pages < SAMPLE_PAGES)
		pages = SAMPLE_PAGES;
	if (pages > CODEC_TRAIN_PAGES_MAX)
		pages = CODEC_TRAIN_PAGES_MAX;
	return (unsigned int)pages + TRIAL_PAGES;
}

/*
 * Charges what making a dictionary allocates, if there is memory for the rest too.  Its size is at
 * first what suits, and made smaller where there is not so much.  0 or -ENOSPC.
 */
static int afford(struct store *store, size_t *size, size_t *heap)
{
	const struct codec_dictionary *codec = store->idle_codec->dictionary;

	for (;; *size /= 2) {
		size_t rest = *size + codec->reader_size(*size) +
			      (size_t)sample_pages(*size) * STORE_PAGE_SIZE;

		*heap = codec->train_size(*size);
		if (machine_has(store, *heap + rest) &&
		    span_budget_charge(&store->budget, *heap + rest) == 0) {
			span_budget_uncharge(&store->budget, rest);
			return 0;
		}
		if (*size <= FRUGAL_SIZE)
			return -ENOSPC;
	}
}

/*
 * Takes a free generation and the memory for one of size bytes.  Its number, or a negative errno.
 */
static int take_generation(struct store *store, size_t size, size_t suited)
{
	const struct codec_dictionary *codec = store->idle_codec->dictionary;
	struct dictionaries *all = &store->dictionary;
	int which = -EAGAIN;

	pthread_mutex_lock(&store->recompress.lock);
	size = (size + 63) & ~(size_t)63;
	for (int i = 0; i < GENERATIONS && which == -EAGAIN && all->wanted && size > 0; i++) {
		struct generation *generation = &all->generation[i];

		if (generation->memory)
			continue;
		generation->size = size;
		generation->suited = suited;
		generation->memory_size = size + codec->reader_size(size);
		generation->memory = dictionary_memory(store, generation->memory_size);
		which = generation->memory ? i : -ENOSPC;
		all->training = generation->memory ? i : -1;
	}
	if (which < 0)
		all->wanted = false;
	if (which == -ENOSPC)
		all->retry_ms = clock_ms() + RETRY_MS;
	pthread_mutex_unlock(&store->recompress.lock);
	return which;
}

/* Publishes the generation if it is worth it, and else gives it up. */
static int finish(struct store *store, int which, const struct sample *sample, unsigned int trial,
		  int err)
{
	struct dictionaries *all = &store->dictionary;
	int before;

	pthread_mutex_lock(&store->recompress.lock);
	before = all->current;
	all->training = -1;
	if (all->stale && !err)
		err = -EAGAIN;
	all->stale = false;
	if (!err) {
		double won_before = all->won_first, won;

		dictionary_give_back_writer(store);
		all->current = which;
		all->verify_ms = UINT64_MAX;
		won = dictionary_ready(store) ? try_out(store, sample, trial) : 0;
		all->verify_ms = 0;
		all->won_first = won;
		if (won >= WON_LEAST) {
			dictionary_publish(store, which);
		} else {
			dictionary_give_back_writer(store);
			all->current = before;
			all->won_first = won_before;
			err = -ENODATA;
		}
	}
	if (err)
		all->retry_ms = clock_ms() + (err == -ENODATA  ? RETRY_LATER_MS
					      : err == -EAGAIN ? RETRY_SOON_MS
							       : RETRY_MS);
	/* Of one that was given up nobody has the number: it is wiped here. */
	dictionary_tend(store, false);
	pthread_mutex_unlock(&store->recompress.lock);
	return err;
}

/* The size of the dictionary that is to be made, 0 for none. */
static size_t wanted_size(struct store *store)
{
	struct dictionaries *all = &store->dictionary;
	size_t size;

	pthread_mutex_lock(&store->recompress.lock);
	size = all->wanted ? dictionary_suits(store) : 0;
	if (size == 0)
		all->wanted = false;
	pthread_mutex_unlock(&store->recompress.lock);
	return size;
}

/* There is no memory to make one. */
static int put_off(struct store *store)
{
	pthread_mutex_lock(&store->recompress.lock);
	store->dictionary.wanted = false;
	store->dictionary.retry_ms = clock_ms() + RETRY_MS;
	pthread_mutex_unlock(&store->recompress.lock);
	return -ENOSPC;
}

/* Makes the dictionary of a generation.  The sample, and the memory for it, are the caller's. */
static int learn(struct store *store, int which, struct sample *sample, unsigned int ticks,
		 unsigned int *trial)
{
	uint64_t found = walk(store, NULL, 1, ticks);

	if (found >= SAMPLE_LEAST)
		(void)walk(store, sample, found / sample->wanted + 1, ticks);
	if (sample->count < SAMPLE_LEAST)
		return -EAGAIN;
	*trial = set_aside(sample);
	return fill(store, &store->dictionary.generation[which], sample, *trial);
}

int train(struct store *store, unsigned int ticks)
{
	size_t suited = wanted_size(store), size = suited, heap, sample_size;
	struct sample sample = { 0 };
	unsigned int trial = 0;
	int which, err;

	if (suited == 0)
		return -EAGAIN;
	if (afford(store, &size, &heap) != 0)
		return put_off(store);
	which = take_generation(store, size, suited);
	if (which < 0) {
		span_budget_uncharge(&store->budget, heap);
		return which;
	}
	sample.wanted = sample_pages(size);
	sample_size = (size_t)sample.wanted * STORE_PAGE_SIZE;
	sample.pages = dictionary_memory(store, sample_size);
	err = sample.pages ? learn(store, which, &sample, ticks, &trial) : -ENOSPC;
	span_budget_uncharge(&store->budget, heap);
	err = finish(store, which, &sample, trial, err);
	dictionary_forget_memory(store, sample.pages, sample_size);
	return err;
}

unsigned int store_train_work(struct store *store)
{
	struct recompression *re = &store->recompress;
	uint64_t start = clock_thread_ns(), took, now;
	bool wanted;

	if (!store->dictionary.size_max)
		return REST_MS;
	pthread_mutex_lock(&re->lock);
	wanted = store->dictionary.wanted && !atomic_load(&store->interrupted);
	pthread_mutex_unlock(&re->lock);
	if (!wanted || train(store, age_ticks(store, re->idle_seconds)) == -EAGAIN)
		return REST_MS;
	took = clock_thread_ns() - start;
	atomic_fetch_add_explicit(&re->ns, took, memory_order_relaxed);
	pthread_mutex_lock(&re->lock);
	now = clock_ms();
	re->rest_until = now + effort_rest_ms(store, now, took);
	pthread_mutex_unlock(&re->lock);
	return REST_MS;
}
