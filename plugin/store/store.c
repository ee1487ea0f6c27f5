/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a store, and what a request holds of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/state.h"

/* A store takes this much at least, however little it holds: see store_memlimit_min. */
#define MEMLIMIT_BASE (UINT64_C(1) << 20)

/*
 * Of the limit, what pools and sources keep outside their spans: some pages for the first
 * pool and the sources, and 1/2^9 covers what comes with more spans and pools.
 */
#define METADATA_BASE (UINT64_C(32) << 10)
#define METADATA_SHIFT 9

/* Part of the reserve that is for table pages rather than for spans. */
#define RESERVE_TABLE_SHIFT 4

uint64_t store_memlimit_min(uint64_t size)
{
	return MEMLIMIT_BASE;
}

static unsigned int encoders_default(void)
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

static int encoders_init(struct encoders *encoders, const struct codec *codec, unsigned int count)
{
	size_t workspace = align_line(codec->workspace_size[CODEC_FAST]);
	size_t each = align_line(sizeof(struct encoder)) + workspace;
	unsigned char *at;

	pthread_mutex_init(&encoders->lock, NULL);
	pthread_cond_init(&encoders->returned, NULL);
	encoders->memory_size = each * count;
	encoders->memory = span_map_zeroed(encoders->memory_size);
	if (!encoders->memory)
		return -ENOMEM;
	/* Resident from the start: no write takes a fault for it. */
	memset(encoders->memory, 0, encoders->memory_size);
	at = encoders->memory;
	for (unsigned int i = 0; i < count; i++, at += each) {
		struct encoder *encoder = (struct encoder *)at;

		encoder->workspace = at + align_line(sizeof(struct encoder));
		encoder->next = encoders->top;
		encoders->top = encoder;
	}
	return 0;
}

static void encoders_fini(struct encoders *encoders)
{
	if (encoders->memory)
		span_unmap(encoders->memory, encoders->memory_size);
	encoders->memory = NULL;
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
	/* Resident from the start, like an encoder's: it is needed when nothing else is left. */
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
	err = encoders_init(&store->encoders, store->codec,
			    config->encoders ? config->encoders : encoders_default());
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
	return span_budget_charge(&store->budget, sizeof(*store) + store->encoders.memory_size +
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
	encoders_fini(&store->encoders);
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

	pools_look_ahead(&store->pools);
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
	req->room_seen = atomic_load(&store->room_made);
	atomic_fetch_add_explicit(&req->stripe->begun, 1, memory_order_seq_cst);
}

static void return_encoder(struct encoders *encoders, struct encoder *encoder)
{
	pthread_mutex_lock(&encoders->lock);
	encoder->next = encoders->top;
	encoders->top = encoder;
	/* Even if others are free: who was woken for those may not have run yet. */
	if (encoders->waiting)
		pthread_cond_signal(&encoders->returned);
	pthread_mutex_unlock(&encoders->lock);
}

struct encoder *request_encoder(struct request *req)
{
	struct encoders *encoders = &req->store->encoders;

	if (req->encoder)
		return req->encoder;
	pthread_mutex_lock(&encoders->lock);
	while (!encoders->top) {
		encoders->waiting++;
		pthread_cond_wait(&encoders->returned, &encoders->lock);
		encoders->waiting--;
	}
	req->encoder = encoders->top;
	encoders->top = req->encoder->next;
	pthread_mutex_unlock(&encoders->lock);
	return req->encoder;
}

void request_release_encoder(struct request *req)
{
	if (req->encoder)
		return_encoder(&req->store->encoders, req->encoder);
	req->encoder = NULL;
}

/*
 * Room that others made after our attempt failed has to count: they may have moved all that
 * there was to move, and what we find then is nothing, although there is room.
 */
static bool others_made_room(struct request *req)
{
	uint64_t made = atomic_load(&req->store->room_made);

	if (made == req->room_seen)
		return false;
	req->room_seen = made;
	return true;
}

bool request_make_room(struct request *req)
{
	request_release_encoder(req);
	if (others_made_room(req))
		return true;
	if (store_make_room(req->store)) {
		req->room_seen = atomic_load(&req->store->room_made);
		return true;
	}
	if (others_made_room(req))
		return true;
	/* Nothing can leave: then it is the system that must give memory. */
	if (!req->held_back || req->pressing)
		return false;
	req->pressing = true;
	return true;
}

void request_end(struct request *req)
{
	request_release_encoder(req);
	for (int i = 0; i < STORE_COUNTERS; i++) {
		if (req->count[i])
			atomic_fetch_add_explicit(&req->stripe->count[i], req->count[i],
						  memory_order_relaxed);
	}
	atomic_fetch_add_explicit(&req->stripe->ended, 1, memory_order_seq_cst);
}
