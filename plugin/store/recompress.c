/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recompression: pages that nobody has touched for a while are encoded again, with
 * more time, by a codec of their own (coding.h).  Pages stored raw are tried too: what is
 * too much for a fast codec, like ascending numbers, need not be for a dense one.
 *
 * In order of what is won for the time: all idle pages are encoded densely first, which wins
 * two thirds or more in a tenth of the time; then with all the time that the codec can spend,
 * the pages with much left to win before the others.
 *
 * A page is copied out under its lock and encoded without it; ENTRY_BUSY, which no
 * write leaves standing, tells afterwards whether the copy is still the page.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/age.h"
#include "store/coding.h"
#include "store/dictionary.h"
#include "store/effort.h"
#include "store/object.h"
#include "store/page.h"
#include "store/recompress.h"
#include "store/trace.h"
#include "urgent.h"

/* A smaller gain is not worth the move. */
#define GAIN_MIN 16

/* A dictionary that wins less than one part in so many: see what is won without. */
#define WON_LITTLE 8u

/* A page of fewer bytes than this waits until the larger ones have had their turn. */
#define SIZE_LITTLE 1024u

/* One step encodes for about so long, then rests by the share of processor time. */
#define STEP_NS (4 * 1000 * 1000)
#define REST_LOADED_MS 50
#define REST_DONE_MS 1000

/* Reading is what requests do: so many at once as there are processors, and one that is preempted. */
static int prepare_readers(struct store *store)
{
	struct recompression *re = &store->recompress;
	const struct codec *codec = store->idle_codec;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int policy, err;
	size_t size;

	if (re->readers_size || !codec->prepare)
		return 0;
	policy = store->pools.locked ? urgent_begin() : URGENT_LEFT_ALONE;
	size = codec->prepare((unsigned int)(processors < 1 ? 1 : processors) + 1);
	urgent_end(policy);
	err = span_budget_charge(&store->budget, size);
	if (!err)
		re->readers_size = size;
	return err;
}

/* The workspace is large and only some stores need it.  Resident at once, like an encoder's. */
static int prepare(struct store *store)
{
	struct recompression *re = &store->recompress;
	const size_t *sizes = store->idle_codec->workspace_size;
	size_t size = sizes[CODEC_MAX] > sizes[CODEC_DENSE] ? sizes[CODEC_MAX] : sizes[CODEC_DENSE];
	int policy, err = prepare_readers(store);

	if (err || re->workspace || size == 0)
		return err;
	err = span_budget_charge(&store->budget, size);
	if (err)
		return err;
	policy = store->pools.locked ? urgent_begin() : URGENT_LEFT_ALONE;
	re->workspace = span_map_zeroed(size);
	if (re->workspace)
		memset(re->workspace, 0, size);
	urgent_end(policy);
	if (!re->workspace) {
		span_budget_uncharge(&store->budget, size);
		return -ENOMEM;
	}
	re->workspace_size = size;
	return 0;
}

/* Who wants none has no workspace; if it is wanted later, it is made urgently behind swap. */
int recompress_init(struct store *store, unsigned int idle_seconds, unsigned int cpu_percent)
{
	struct recompression *re = &store->recompress;

	pthread_mutex_init(&re->lock, NULL);
	re->idle_seconds = idle_seconds;
	re->cpu_percent = cpu_percent ? cpu_percent : 100;
	return idle_seconds ? prepare(store) : 0;
}

void recompress_fini(struct store *store)
{
	struct recompression *re = &store->recompress;

	if (re->workspace)
		span_unmap(re->workspace, re->workspace_size);
	re->workspace = NULL;
}

/* What an entry has that the walk need not look at again. */
static uint64_t done_flag(const struct store *store)
{
	return store->recompress.effort == CODEC_MAX ? ENTRY_DENSEST : ENTRY_DENSE;
}

static uint64_t done_flags(const struct store *store)
{
	return ENTRY_DENSE | done_flag(store);
}

static bool wanted(const struct store *store, uint64_t entry, unsigned int ticks)
{
	if (store->recompress.effort == CODEC_MAX && dictionary_is_old(store, entry))
		return !(entry & ENTRY_LEAVING);
	return entry_has_page(entry) && !(entry & (done_flag(store) | ENTRY_LEAVING)) &&
	       age_of(store, entry) >= ticks;
}

/* Whether pages that have so little to win are dealt with now.  The entry is locked. */
static bool has_its_turn(const struct store *store, uint64_t entry)
{
	const struct recompression *re = &store->recompress;

	return re->effort != CODEC_MAX || re->little || dictionary_is_old(store, entry) ||
	       object_size(store, entry) >= SIZE_LITTLE;
}

/* Copies the page out.  Its size as it is stored now, or 0 if it is not wanted any more. */
static size_t copy_out(struct store *store, uint64_t number, table_entry *entry, unsigned int ticks)
{
	uint64_t old = entry_lock(entry);
	size_t size = 0;

	if (wanted(store, old, ticks) && has_its_turn(store, old) &&
	    page_decode(store, number, old, store->recompress.page, 0) == 0) {
		size = object_size(store, old);
		old |= ENTRY_BUSY;
	}
	entry_unlock(entry, old);
	return size;
}

/* The entry of a payload that takes the place of an old one. */
static uint64_t entry_recompressed(struct store *store, uint64_t old, uint32_t handle)
{
	enum entry_coding coding = store->recompress.coding;
	unsigned int present = atomic_load_explicit(&store->age, memory_order_relaxed);
	uint64_t new = entry_make(store->recompress.kind, entry_pool(old), handle);

	new = entry_with_coding(new | done_flags(store), coding);
	/* The next read is not to take it for one that is read often. */
	if (coding != CODING_WRITTEN && age_of(store, old) <= AGE_TICKS_HOT)
		return entry_with_age(new, present - AGE_TICKS_HOT - 1);
	return entry_with_age(new, entry_age(old));
}

/* Puts the smaller payload in the page's place, unless the page has changed. */
static bool put_back(struct request *req, uint64_t number, table_entry *entry, size_t size)
{
	struct store *store = req->store;
	struct recompression *re = &store->recompress;
	uint64_t old = entry_lock(entry), new;
	struct xv_pool *pool;
	uint32_t handle;

	if (!entry_is_busy(old)) {
		entry_unlock(entry, old);
		return false;
	}
	pool = pools_get(&store->pools, entry_pool(old));
	if (xv_alloc(pool, size + store->trailer, XV_NOGROW, &handle) != 0)
		handle = entry_handle(old);
	if (handle == entry_handle(old) && size > object_size(store, old)) {
		/* No room for now, and perhaps later. */
		entry_unlock(entry, old & ~ENTRY_BUSY);
		return false;
	}
	page_account(req, old, -1);
	new = entry_recompressed(store, old, handle);
	object_fill(store, number, new, re->payload, size);
	if (handle == entry_handle(old))
		xv_shrink(pool, handle, size + store->trailer);
	page_account(req, new, 1);
	if (store->trace && handle != entry_handle(old))
		store_trace_alloc(store, entry_pool(old), handle, size + store->trailer);
	entry_unlock(entry, new);
	if (handle != entry_handle(old)) {
		if (store->trace)
			store_trace_free(store, entry_pool(old), entry_handle(old));
		xv_free(pool, entry_handle(old));
	}
	return true;
}

/* Nothing to be won: not to be tried again until it is written. */
static void mark_dense(const struct store *store, table_entry *entry)
{
	uint64_t old = entry_lock(entry);

	if (entry_is_busy(old))
		old = (old & ~ENTRY_BUSY) | done_flags(store);
	entry_unlock(entry, old);
}

static enum entry_coding plain_coding(const struct store *store)
{
	return store->idle_codec == store->codec ? CODING_WRITTEN : CODING_IDLE;
}

static size_t length_of(int len)
{
	return len > 0 && len <= (int)PAYLOAD_MAX ? (size_t)len : SIZE_MAX;
}

/* Encodes the page without a dictionary.  Its length, or SIZE_MAX. */
static size_t encode_plain(struct store *store, unsigned char *payload)
{
	struct recompression *re = &store->recompress;

	return length_of(store->idle_codec->compress(re->effort, re->workspace, re->page, payload));
}

/*
 * Encodes the page with a dictionary; without, too, if that makes it no smaller than what is
 * enough, and takes the smaller.  Its length, or SIZE_MAX.
 */
static size_t encode_smaller(struct store *store, size_t enough)
{
	struct recompression *re = &store->recompress;
	size_t with, without;
	bool compares;

	re->coding = plain_coding(store);
	if (re->effort != CODEC_MAX || !dictionary_ready(store))
		return encode_plain(store, re->payload);
	with = length_of(dictionary_encode(store, re->page, re->payload));
	compares = dictionary_compares(store);
	if (with < enough && !compares) {
		re->coding = CODING_DICTIONARY + (unsigned int)store->dictionary.current;
		return with;
	}
	without = encode_plain(store, re->plain);
	if (compares && with != SIZE_MAX && without != SIZE_MAX)
		dictionary_compared(store, with, without);
	if (without <= with) {
		if (without != SIZE_MAX)
			memcpy(re->payload, re->plain, without);
		return without;
	}
	re->coding = CODING_DICTIONARY + (unsigned int)store->dictionary.current;
	return with;
}

/* Whether what was encoded is the page.  Once more, before the only copy goes. */
static bool decodes(struct store *store, size_t len)
{
	struct recompression *re = &store->recompress;
	uint64_t entry = entry_with_coding(entry_make(KIND_PAYLOAD, 0, 0), re->coding);

	return coding_decode(store, entry, re->payload, len, re->back, 0) == 0 &&
	       memcmp(re->back, re->page, STORE_PAGE_SIZE) == 0;
}

/*
 * The page as it is to be stored, if that takes fewer than so many bytes.  How many, or 0 if it
 * stays as it is.
 */
static size_t encode(struct store *store, size_t enough, size_t less_than)
{
	struct recompression *re = &store->recompress;
	size_t len = encode_smaller(store, enough);

	re->kind = KIND_PAYLOAD;
	if (len < less_than && decodes(store, len))
		return len;
	if (less_than <= STORE_PAGE_SIZE)
		return 0;
	/* Away from an old dictionary, at any price. */
	re->kind = KIND_RAW;
	re->coding = CODING_WRITTEN;
	memcpy(re->payload, re->page, STORE_PAGE_SIZE);
	return STORE_PAGE_SIZE;
}

static void recompress_page(struct request *req, uint64_t number, table_entry *entry,
			    unsigned int ticks)
{
	struct store *store = req->store;
	struct recompression *re = &store->recompress;
	uint64_t seen = atomic_load(entry);
	bool leaves_dictionary = dictionary_is_old(store, seen);
	size_t had = copy_out(store, number, entry, ticks), less_than, len;

	if (had == 0)
		return;
	less_than = had > GAIN_MIN ? had - GAIN_MIN : 0;
	if (leaves_dictionary)
		/* About as much as it had is what is to be expected of another. */
		len = encode(store, had + had / 4 - had / WON_LITTLE, SIZE_MAX);
	else if (seen & ENTRY_DENSE)
		/* It has a payload without one: another takes long, and is hardly smaller. */
		len = encode(store, SIZE_MAX, less_than);
	else
		len = encode(store, had - had / WON_LITTLE, less_than);
	if (len == 0) {
		mark_dense(store, entry);
		return;
	}
	if (!put_back(req, number, entry, len))
		return;
	atomic_fetch_add_explicit(&re->pages, 1, memory_order_relaxed);
	if (had > len)
		atomic_fetch_add_explicit(&re->bytes, had - len, memory_order_relaxed);
}

static void recompress_entry(struct request *req, uint64_t number, table_entry *entry,
			     unsigned int ticks)
{
	struct recompression *re = &req->store->recompress;

	recompress_page(req, number, entry, ticks);
	store_wipe(req->store, re->page, sizeof(re->page));
	store_wipe(req->store, re->payload, sizeof(re->payload));
	store_wipe(req->store, re->plain, sizeof(re->plain));
	store_wipe(req->store, re->back, sizeof(re->back));
	store_wipe(req->store, re->workspace, re->workspace_size);
}

/* Whether the time is up, or, in the background, a request has come since the step began. */
static bool is_over(const struct store *store, uint64_t until)
{
	if (clock_thread_ns() >= until || store_is_to_end(store, store->recompress.work))
		return true;
	return until != UINT64_MAX && store_requests(store) != store->recompress.requests_seen;
}

/*
 * Recompresses pages of a pinned table page from `from` on, until it is over.
 * Returns where to go on, TABLE_PAGE_ENTRIES at its end.
 */
static unsigned int recompress_table_page(struct store *store, struct table_ref *ref,
					  unsigned int from, unsigned int ticks, uint64_t until)
{
	struct request req;
	unsigned int i = from;

	request_begin_background(&req, store);
	for (; i < TABLE_PAGE_ENTRIES; i++) {
		uint64_t seen = atomic_load_explicit(&ref->entries[i], memory_order_relaxed);

		if (!wanted(store, seen, ticks)) {
			age_keep_old(store, &ref->entries[i], seen);
			continue;
		}
		if (is_over(store, until))
			break;
		recompress_entry(&req, table_page_number(ref, &ref->entries[i]), &ref->entries[i],
				 ticks);
	}
	request_end(&req);
	return i;
}

/* At the end of the table: back to its start.  Whether all pages have had their turn. */
static bool turn_back(struct recompression *re)
{
	re->cursor[re->effort] = 0;
	if (re->effort == CODEC_MAX)
		re->little = !re->little;
	return re->effort != CODEC_MAX || !re->little;
}

/* Walks on from the cursor until it is over.  Whether the whole table is done. */
static bool walk(struct store *store, unsigned int ticks, uint64_t ns)
{
	struct recompression *re = &store->recompress;
	uint64_t start = clock_thread_ns(), until = ns == UINT64_MAX ? ns : start + ns;
	uint64_t *cursor = &re->cursor[re->effort];
	bool done = false;

	while (!done && !is_over(store, until)) {
		unsigned int from = 0;
		struct table_ref ref;

		if (!table_pin_next(&store->table, *cursor / TABLE_PAGE_ENTRIES, &ref)) {
			done = turn_back(re);
			continue;
		}
		if (ref.index == *cursor / TABLE_PAGE_ENTRIES)
			from = (unsigned int)(*cursor % TABLE_PAGE_ENTRIES);
		*cursor = ref.index * TABLE_PAGE_ENTRIES +
			  recompress_table_page(store, &ref, from, ticks, until);
		table_unpin(&store->table, &ref);
		work_advance(re->work, TABLE_PAGE_ENTRIES);
	}
	atomic_fetch_add_explicit(&re->ns, clock_thread_ns() - start, memory_order_relaxed);
	return done;
}

/* Walks from the start, all of the table but for an end that was asked for. */
static void walk_all(struct store *store, enum codec_effort effort)
{
	struct recompression *re = &store->recompress;

	re->effort = effort;
	re->cursor[effort] = 0;
	re->little = false;
	while (!walk(store, 0, UINT64_MAX) && !store_is_to_end(store, re->work))
		;
}

/*
 * Walks on for one step, at this effort, but first at less wherever pages have become idle since
 * that was done last.  Whether there is nothing left to do.
 */
static bool walk_in_order(struct store *store, enum codec_effort effort)
{
	struct recompression *re = &store->recompress;
	unsigned int ticks = age_ticks(store, re->idle_seconds);
	unsigned int age = atomic_load_explicit(&store->age, memory_order_relaxed);

	re->effort = CODEC_DENSE;
	if (effort == CODEC_DENSE || !re->dense || re->dense_age != age) {
		re->dense = walk(store, ticks, STEP_NS);
		re->dense_age = age;
		if (effort == CODEC_DENSE || !re->dense)
			return re->dense;
	}
	re->effort = CODEC_MAX;
	return walk(store, ticks, STEP_NS);
}

int recompress_all(struct store *store, enum codec_effort effort, uint64_t *bytes,
		   struct work *work)
{
	struct recompression *re = &store->recompress;
	uint64_t before;
	int err;

	pthread_mutex_lock(&re->lock);
	err = prepare(store);
	if (!err) {
		before = re->bytes;
		re->work = work;
		work_round(work, store_walk_length(store) * (effort == CODEC_MAX ? 3 : 1));
		walk_all(store, CODEC_DENSE);
		if (effort == CODEC_MAX)
			walk_all(store, CODEC_MAX);
		re->work = NULL;
		*bytes = re->bytes - before;
	}
	dictionary_tend(store, false);
	pthread_mutex_unlock(&re->lock);
	return err;
}

int store_recompress(struct store *store, uint64_t *bytes, struct work *work)
{
	return recompress_all(store, CODEC_DENSE, bytes, work);
}

unsigned int recompress_step(struct store *store)
{
	struct recompression *re = &store->recompress;
	unsigned int rest = REST_DONE_MS;
	uint64_t now = clock_ms();

	if (!re->idle_seconds)
		return REST_DONE_MS;
	if (pthread_mutex_trylock(&re->lock) != 0)
		return REST_LOADED_MS;
	if (now < re->rest_until) {
		rest = (unsigned int)(re->rest_until - now);
	} else if (effort_loaded(store, now)) {
		rest = REST_LOADED_MS;
	} else {
		enum codec_effort effort = effort_present(store, now);
		uint64_t start = clock_thread_ns();

		dictionary_tend(store, effort == CODEC_MAX);
		/* Done once with what is coming, rather than twice. */
		if (dictionary_is_coming(store))
			effort = CODEC_DENSE;
		rest = walk_in_order(store, effort) ? store->tick_ms : 1;
		rest += effort_rest_ms(store, now, clock_thread_ns() - start);
		re->rest_until = now + rest;
	}
	if (rest > store->tick_ms)
		rest = store->tick_ms;
	pthread_mutex_unlock(&re->lock);
	return rest;
}
