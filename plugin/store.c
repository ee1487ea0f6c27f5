/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a store, and walking the pages of a request. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_internal.h"

/* A store takes this much at least, however little it holds: see store_memlimit_min. */
#define MEMLIMIT_BASE (UINT64_C(1) << 20)

/*
 * Of the limit, what pools and sources keep outside their spans: some pages for the first
 * pool and the sources, and 1/2^9 covers what comes with more spans and pools.
 */
#define METADATA_BASE  (UINT64_C(32) << 10)
#define METADATA_SHIFT 9

/* Part of the reserve that is for table pages rather than for spans. */
#define RESERVE_TABLE_SHIFT 4

uint64_t store_memlimit_min(uint64_t size)
{
	return MEMLIMIT_BASE;
}

static unsigned int writers_default(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (processors < 1)
		processors = 1;
	return (unsigned int)processors * 2;
}

static size_t align_line(size_t bytes)
{
	return (bytes + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
}

static int writers_init(struct writers *writers, const struct codec *codec, unsigned int count)
{
	size_t workspace = align_line(codec->workspace_size[CODEC_FAST]);
	size_t each = align_line(sizeof(struct writer)) + workspace;
	unsigned char *at;

	pthread_mutex_init(&writers->lock, NULL);
	pthread_cond_init(&writers->returned, NULL);
	writers->memory_size = each * count;
	writers->memory = span_map_zeroed(writers->memory_size);
	if (!writers->memory)
		return -ENOMEM;
	/* Resident from the start: no write takes a fault for it. */
	memset(writers->memory, 0, writers->memory_size);
	at = writers->memory;
	for (unsigned int i = 0; i < count; i++, at += each) {
		struct writer *writer = (struct writer *)at;

		writer->workspace = at + align_line(sizeof(struct writer));
		writer->next = writers->top;
		writers->top = writer;
	}
	return 0;
}

static void writers_fini(struct writers *writers)
{
	if (writers->memory)
		span_unmap(writers->memory, writers->memory_size);
	writers->memory = NULL;
}

static int dense_init(struct dense *dense, const struct codec *codec)
{
	pthread_mutex_init(&dense->lock, NULL);
	dense->workspace_size = codec->workspace_size[CODEC_DENSE];
	if (dense->workspace_size == 0)
		return 0;
	dense->workspace = span_map_zeroed(dense->workspace_size);
	if (!dense->workspace)
		return -ENOMEM;
	/* Resident from the start, like a writer's: it is needed when nothing else is left. */
	memset(dense->workspace, 0, dense->workspace_size);
	return 0;
}

static void dense_fini(struct dense *dense)
{
	if (dense->workspace)
		span_unmap(dense->workspace, dense->workspace_size);
	dense->workspace = NULL;
}

static uint64_t budget_limit(uint64_t memlimit)
{
	if (memlimit == STORE_NO_LIMIT)
		return memlimit;
	return memlimit - METADATA_BASE - (memlimit >> METADATA_SHIFT);
}

/* The reserve, as far as the disk can ever use it. */
static void set_reserve(struct store *store)
{
	uint64_t table = store->reserve >> RESERVE_TABLE_SHIFT;
	uint64_t table_max = store->table.directory_entries * TABLE_PAGE_SIZE;
	uint64_t spans;

	if (table > table_max)
		table = table_max;
	spans = (store->reserve - table) / XV_SPAN_SIZE;
	span_reserve(store->table.source, (uint32_t)(table / TABLE_PAGE_SIZE));
	span_reserve(store->pools.source, (uint32_t)spans);
}

static int init_parts(struct store *store, const struct store_config *config)
{
	uint64_t payload_max;
	int err;

	err = table_init(&store->table, store->pages, &store->budget, config->locked);
	if (err)
		return err;
	payload_max = store->pages * (STORE_PAGE_SIZE + 4);
	err = pools_init(&store->pools, payload_max, &store->budget, config->locked);
	if (err)
		return err;
	err = writers_init(&store->writers, store->codec,
			   config->writers ? config->writers : writers_default());
	if (err)
		return err;
	err = dense_init(&store->dense, store->codec);
	if (err)
		return err;
	age_init(store, config->recompress_seconds);
	err = recompress_init(store, config->recompress_seconds, config->recompress_percent);
	if (err)
		return err;
	err = writeback_init(store, config);
	if (err)
		return err;
	return span_budget_charge(&store->budget,
				  sizeof(*store) + store->writers.memory_size +
					  store->dense.workspace_size);
}

static bool config_valid(const struct store_config *config)
{
	if (config->size == 0 || config->size > STORE_SIZE_MAX)
		return false;
	if (config->memlimit < store_memlimit_min(config->size))
		return false;
	return config->reserve < config->memlimit;
}

int store_create(struct store **storep, const struct store_config *config)
{
	struct store *store;
	int err;

	if (!config_valid(config))
		return -EINVAL;
	store = aligned_alloc(CACHE_LINE, sizeof(*store));
	if (!store)
		return -ENOMEM;
	memset(store, 0, sizeof(*store));
	store->size = config->size;
	store->pages = (config->size + STORE_PAGE_SIZE - 1) / STORE_PAGE_SIZE;
	store->memlimit = config->memlimit;
	store->reserve = config->reserve;
	store->codec = config->codec ? config->codec : codecs[0];
	store->trace = config->trace;
	pthread_mutex_init(&store->trace_lock, NULL);
	pthread_mutex_init(&store->compact.lock, NULL);
	span_budget_init(&store->budget, budget_limit(config->memlimit));
	err = init_parts(store, config);
	if (err) {
		store_destroy(store);
		return err;
	}
	set_reserve(store);
	*storep = store;
	return 0;
}

void store_destroy(struct store *store)
{
	if (!store)
		return;
	pools_fini(&store->pools);
	table_fini(&store->table);
	writers_fini(&store->writers);
	dense_fini(&store->dense);
	recompress_fini(store);
	writeback_fini(store);
	free(store);
}

void store_interrupt(struct store *store)
{
	atomic_store(&store->interrupted, true);
}

int store_set_memlimit(struct store *store, uint64_t memlimit)
{
	if (memlimit < store_memlimit_min(store->size) || memlimit <= store->reserve)
		return -EINVAL;
	store->memlimit = memlimit;
	atomic_store(&store->budget.limit, budget_limit(memlimit));
	return 0;
}

void store_on_need(struct store *store, void (*kick)(void *opaque), void *opaque)
{
	store->kick_opaque = opaque;
	store->kick = kick;
}

bool store_refill(struct store *store)
{
	/* Small batches: a compaction step or a stop need not wait for long. */
	int tables = span_refill(store->table.source, 16);
	int spans = span_refill(store->pools.source, 4);

	atomic_store_explicit(&store->refill_refused, tables < 0 || spans < 0,
			      memory_order_relaxed);
	return tables > 0 || spans > 0;
}

/* Threads get stripes in turn, so that few share one. */
static unsigned int stripe_of_thread(void)
{
	static atomic_uint next;
	static _Thread_local unsigned int mine = UINT32_MAX;

	if (mine == UINT32_MAX)
		mine = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % STRIPES;
	return mine;
}

/* Turns of threads begin where their stripes are, so that threads do not go in step. */
static unsigned int next_turn(void)
{
	static _Thread_local unsigned int turns;

	return stripe_of_thread() + turns++;
}

void request_begin(struct request *req, struct store *store)
{
	memset(req, 0, sizeof(*req));
	req->store = store;
	req->stripe = &store->stripe[stripe_of_thread()];
	req->turn = next_turn();
	atomic_fetch_add_explicit(&req->stripe->begun, 1, memory_order_seq_cst);
}

static void return_writer(struct writers *writers, struct writer *writer)
{
	pthread_mutex_lock(&writers->lock);
	writer->next = writers->top;
	writers->top = writer;
	/* Even if others are free: who was woken for those may not have run yet. */
	if (writers->waiting)
		pthread_cond_signal(&writers->returned);
	pthread_mutex_unlock(&writers->lock);
}

struct writer *request_writer(struct request *req)
{
	struct writers *writers = &req->store->writers;

	if (req->writer)
		return req->writer;
	pthread_mutex_lock(&writers->lock);
	while (!writers->top) {
		writers->waiting++;
		pthread_cond_wait(&writers->returned, &writers->lock);
		writers->waiting--;
	}
	req->writer = writers->top;
	writers->top = req->writer->next;
	pthread_mutex_unlock(&writers->lock);
	return req->writer;
}

void request_release_writer(struct request *req)
{
	if (req->writer)
		return_writer(&req->store->writers, req->writer);
	req->writer = NULL;
}

bool request_make_room(struct request *req)
{
	request_release_writer(req);
	return store_make_room(req->store);
}

void request_end(struct request *req)
{
	request_release_writer(req);
	if (req->window.slot)
		backing_window_close(req->store->writeback.backing, &req->window);
	for (int i = 0; i < STORE_COUNTERS; i++) {
		if (req->count[i])
			atomic_fetch_add_explicit(&req->stripe->count[i], req->count[i],
						  memory_order_relaxed);
	}
	atomic_fetch_add_explicit(&req->stripe->ended, 1, memory_order_seq_cst);
}

/* Has the background refill the reserve before it is gone. */
static void kick_if_short(struct store *store)
{
	if (store->writeback.backing)
		writeback_kick_if_short(store);
	if (!store->kick || atomic_load_explicit(&store->refill_refused, memory_order_relaxed))
		return;
	if (span_short(store->pools.source) || span_short(store->table.source))
		store->kick(store->kick_opaque);
}

static bool range_valid(const struct store *store, uint64_t count, uint64_t offset)
{
	return offset <= store->size && count <= store->size - offset;
}

/* The next piece of a range: the part of it that lies in one page. */
struct piece {
	uint64_t page;
	size_t offset; /* in the page */
	size_t count;
};

static struct piece first_piece(uint64_t count, uint64_t offset)
{
	struct piece piece = {
		.page = offset / STORE_PAGE_SIZE,
		.offset = offset % STORE_PAGE_SIZE,
	};

	piece.count = STORE_PAGE_SIZE - piece.offset;
	if (piece.count > count)
		piece.count = count;
	return piece;
}

/* Has ref hold the table page of this page of the disk. */
static int repin(struct store *store, struct table_ref *ref, uint64_t page, bool create)
{
	uint64_t index = page / TABLE_PAGE_ENTRIES;

	if (ref->index == index && ref->entries)
		return 0;
	table_unpin(&store->table, ref);
	return table_pin(&store->table, index, create, ref);
}

static table_entry *ref_entry(const struct table_ref *ref, uint64_t page)
{
	return &ref->entries[page % TABLE_PAGE_ENTRIES];
}

/* Lines of an object that are worth asking for ahead; the processor sees to the rest. */
#define PREFETCH_LINES 8

/*
 * Has the object of the request's next page come while this page is worked on.  It
 * may be freed or moved meanwhile: its address is made, but nothing is read there.
 */
static void prefetch_page(const struct request *req, const struct table_ref *ref, uint64_t page)
{
	const char *object;
	uint64_t entry;

	/* The first entry of a table page is another table page's. */
	if (!ref->entries || page % TABLE_PAGE_ENTRIES == 0)
		return;
	entry = atomic_load_explicit(ref_entry(ref, page), memory_order_relaxed);
	if (!entry_has_object(entry))
		return;
	object = xv_map(pools_get(&req->store->pools, entry_pool(entry)), entry_handle(entry));
	for (int i = 0; i < PREFETCH_LINES; i++)
		__builtin_prefetch(object + i * CACHE_LINE);
}

static int read_piece(struct request *req, struct table_ref *ref, const struct piece *piece,
		      unsigned char *to, size_t behind)
{
	_Alignas(CACHE_LINE) unsigned char page[STORE_PAGE_SIZE];
	int err;

	(void)repin(req->store, ref, piece->page, false);
	if (!ref->entries) {
		memset(to, 0, piece->count);
		return 0;
	}
	if (behind > 0)
		prefetch_page(req, ref, piece->page + 1);
	if (piece->count == STORE_PAGE_SIZE)
		return page_read(req, ref, ref_entry(ref, piece->page), to, behind);
	err = page_read(req, ref, ref_entry(ref, piece->page), page, 0);
	if (!err)
		memcpy(to, page + piece->offset, piece->count);
	return err;
}

int store_read(struct store *store, void *buf, uint32_t count, uint64_t offset)
{
	struct table_ref ref = { 0 };
	unsigned char *to = buf;
	struct request req;
	int err = 0;

	if (!range_valid(store, count, offset))
		return -EINVAL;
	request_begin(&req, store);
	req.count[COUNT_READS] = 1;
	while (count > 0 && !err) {
		struct piece piece = first_piece(count, offset);

		/* What follows in the reply is not written yet: the decoder may scribble there. */
		err = read_piece(&req, &ref, &piece, to, count - piece.count);
		to += piece.count;
		offset += piece.count;
		count -= (uint32_t)piece.count;
	}
	table_unpin(&store->table, &ref);
	request_end(&req);
	return err;
}

static int write_piece(struct request *req, struct table_ref *ref, const struct piece *piece,
		       const unsigned char *from, size_t behind)
{
	int err = repin(req->store, ref, piece->page, true);

	while ((err == -ENOSPC || err == -ENOMEM) && request_make_room(req))
		err = repin(req->store, ref, piece->page, true);
	if (err)
		return err;
	if (behind > 0)
		prefetch_page(req, ref, piece->page + 1);
	if (piece->count == STORE_PAGE_SIZE)
		return page_write(req, ref, ref_entry(ref, piece->page), from);
	return page_modify(req, ref, ref_entry(ref, piece->page), from, piece->offset,
			   piece->count);
}

int store_write(struct store *store, const void *buf, uint32_t count, uint64_t offset)
{
	struct table_ref ref = { 0 };
	const unsigned char *from = buf;
	struct request req;
	int err = 0;

	if (!range_valid(store, count, offset))
		return -EINVAL;
	request_begin(&req, store);
	req.count[COUNT_WRITES] = 1;
	while (count > 0 && !err) {
		struct piece piece = first_piece(count, offset);

		err = write_piece(&req, &ref, &piece, from, count - piece.count);
		from += piece.count;
		offset += piece.count;
		count -= (uint32_t)piece.count;
	}
	req.count[COUNT_FAILED_WRITES] = err ? 1 : 0;
	table_unpin(&store->table, &ref);
	request_end(&req);
	kick_if_short(store);
	return err;
}

/* A page that the disk ends in is whole if all of it that exists is covered. */
static bool whole_page(const struct store *store, const struct piece *piece)
{
	return piece->offset == 0 &&
	       (piece->count == STORE_PAGE_SIZE ||
		piece->page * STORE_PAGE_SIZE + piece->count == store->size);
}

static int zero_piece(struct request *req, struct table_ref *ref, const struct piece *piece)
{
	(void)repin(req->store, ref, piece->page, false);
	if (!ref->entries)
		return 0;
	if (whole_page(req->store, piece)) {
		page_forget(req, ref, ref_entry(ref, piece->page));
		return 0;
	}
	if (entry_kind(*ref_entry(ref, piece->page)) == KIND_EMPTY)
		return 0;
	return page_modify(req, ref, ref_entry(ref, piece->page), NULL, piece->offset,
			   piece->count);
}

/* How far the range can be skipped because no table page covers it. */
static uint64_t untouched(const struct store *store, uint64_t count, uint64_t offset)
{
	uint64_t index = offset / STORE_PAGE_SIZE / TABLE_PAGE_ENTRIES;
	uint64_t next = table_next(&store->table, index);
	uint64_t end;

	if (next == index)
		return 0;
	end = next * TABLE_PAGE_ENTRIES * STORE_PAGE_SIZE;
	return end - offset < count ? end - offset : count;
}

int store_zero(struct store *store, uint64_t count, uint64_t offset)
{
	struct table_ref ref = { 0 };
	struct request req;
	int err = 0;

	if (!range_valid(store, count, offset))
		return -EINVAL;
	request_begin(&req, store);
	while (count > 0 && !err) {
		uint64_t done = ref.entries ? 0 : untouched(store, count, offset);

		if (done == 0) {
			struct piece piece = first_piece(count, offset);

			err = zero_piece(&req, &ref, &piece);
			done = piece.count;
		}
		offset += done;
		count -= done;
		if (offset % (TABLE_PAGE_ENTRIES * STORE_PAGE_SIZE) == 0)
			table_unpin(&store->table, &ref);
	}
	table_unpin(&store->table, &ref);
	request_end(&req);
	return err;
}

/* Whether the page that offset lies in is a hole; *length is how far that is sure. */
static bool hole_at(struct store *store, struct table_ref *ref, uint64_t count, uint64_t offset,
		    uint64_t *length)
{
	struct piece piece = first_piece(count, offset);
	uint64_t entry;

	*length = piece.count;
	(void)repin(store, ref, piece.page, false);
	if (!ref->entries) {
		uint64_t skip = untouched(store, count, offset);

		if (skip > *length)
			*length = skip;
		return true;
	}
	entry = atomic_load_explicit(ref_entry(ref, piece.page), memory_order_relaxed);
	return entry_kind(entry) == KIND_EMPTY ||
	       (entry_kind(entry) == KIND_SAME && entry_word(entry) == 0);
}

int store_extents(struct store *store, uint64_t count, uint64_t offset,
		  int (*emit)(void *opaque, uint64_t offset, uint64_t length, bool hole),
		  void *opaque)
{
	struct table_ref ref = { 0 };
	uint64_t start = offset;
	bool hole = false;
	int err = 0;

	if (!range_valid(store, count, offset))
		return -EINVAL;
	while (count > 0 && !err) {
		uint64_t length;
		bool here = hole_at(store, &ref, count, offset, &length);

		if (here != hole && offset > start) {
			err = emit(opaque, start, offset - start, hole);
			start = offset;
		}
		hole = here;
		offset += length;
		count -= length;
	}
	table_unpin(&store->table, &ref);
	if (!err && offset > start)
		err = emit(opaque, start, offset - start, hole);
	return err;
}
