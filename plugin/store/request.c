/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a request holds on its way: an encoder, and what it counted. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/request.h"

/* Of all stores: what a thread is given it keeps. */
static atomic_uint next_stripe;
static _Thread_local unsigned int stripe_of_me = UINT32_MAX;
static _Thread_local unsigned int turns_of_me;

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

int encoders_init(struct encoders *encoders, const struct codec *codec, unsigned int count)
{
	size_t workspace = align_line(codec->workspace_size[CODEC_FAST]);
	size_t each = align_line(sizeof(struct encoder)) + workspace;
	unsigned char *at;

	pthread_mutex_init(&encoders->lock, NULL);
	pthread_cond_init(&encoders->returned, NULL);
	if (count == 0)
		count = encoders_default();
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

void encoders_fini(struct encoders *encoders)
{
	if (encoders->memory)
		span_unmap(encoders->memory, encoders->memory_size);
	encoders->memory = NULL;
}

int dense_init(struct dense *dense, const struct codec *codec)
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

void dense_fini(struct dense *dense)
{
	if (dense->workspace)
		span_unmap(dense->workspace, dense->workspace_size);
	dense->workspace = NULL;
}

/* Threads get stripes in turn, so that few share one. */
static unsigned int stripe_of_thread(void)
{
	if (stripe_of_me == UINT32_MAX)
		stripe_of_me =
			atomic_fetch_add_explicit(&next_stripe, 1, memory_order_relaxed) % STRIPES;
	return stripe_of_me;
}

/* Turns of threads begin where their stripes are, so that threads do not go in step. */
static unsigned int next_turn(void)
{
	return stripe_of_thread() + turns_of_me++;
}

/* Every so many turns, but never in step with what a client does every so many requests. */
static bool is_measured(unsigned int turn)
{
	return turn * 0x9e3779b1u < UINT32_MAX / HISTOGRAM_SAMPLE;
}

/* Apart, as these two are: what is done once in 64 times is to cost the others nothing. */
static __attribute__((noinline, cold)) uint64_t measure_from(void)
{
	return clock_ns();
}

static __attribute__((noinline, cold)) void measure(const struct request *req)
{
	uint64_t took = clock_ns() - req->measured_from;

	if (req->count[COUNT_READS] > 0)
		histogram_add(&req->store->histogram[HISTOGRAM_read_nanoseconds],
			      HISTOGRAM_read_nanoseconds, took);
	else if (req->count[COUNT_WRITES] > 0)
		histogram_add(&req->store->histogram[HISTOGRAM_write_nanoseconds],
			      HISTOGRAM_write_nanoseconds, took);
}

static inline void begin(struct request *req, struct store *store, unsigned int stripe)
{
	memset(req, 0, sizeof(*req));
	req->store = store;
	req->stripe = &store->stripe[stripe];
	req->turn = next_turn();
	req->room_seen = atomic_load(&store->room_made);
	if (is_measured(req->turn))
		req->measured_from = measure_from();
	atomic_fetch_add_explicit(&req->stripe->begun, 1, memory_order_seq_cst);
}

void request_begin(struct request *req, struct store *store)
{
	begin(req, store, stripe_of_thread());
}

void request_begin_background(struct request *req, struct store *store)
{
	begin(req, store, STRIPE_OF_BACKGROUND);
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

struct encoder *request_try_encoder(struct request *req)
{
	struct encoders *encoders = &req->store->encoders;

	if (req->encoder)
		return req->encoder;
	pthread_mutex_lock(&encoders->lock);
	req->encoder = encoders->top;
	if (req->encoder)
		encoders->top = req->encoder->next;
	pthread_mutex_unlock(&encoders->lock);
	return req->encoder;
}

static void wipe_encoder(struct store *store, struct encoder *encoder)
{
	store_wipe(store, encoder->page, sizeof(encoder->page));
	store_wipe(store, encoder->payload, sizeof(encoder->payload));
	/* A codec may keep pieces of the page there. */
	store_wipe(store, encoder->workspace, store->codec->workspace_size[CODEC_FAST]);
}

void request_release_encoder(struct request *req)
{
	if (req->encoder) {
		struct encoder *encoder = req->encoder;

		if (req->store->wipe)
			wipe_encoder(req->store, encoder);
		return_encoder(&req->store->encoders, req->encoder);
	}
	req->encoder = NULL;
}

static void add_counts(struct request *req, unsigned int from)
{
	for (unsigned int i = from; i < from + COUNTERS_AT_ONCE; i++)
		if (req->count[i])
			atomic_fetch_add_explicit(&req->stripe->count[i], req->count[i],
						  memory_order_release);
}

void request_end(struct request *req)
{
	const int64_t *count = req->count;

	if (req->measured_from)
		measure(req);
	if (req->encoder)
		request_release_encoder(req);
	/* A request has few of them, and those side by side. */
	for (unsigned int i = 0; i < STORE_COUNTERS; i += COUNTERS_AT_ONCE)
		if (count[i] | count[i + 1] | count[i + 2] | count[i + 3])
			add_counts(req, i);
	atomic_fetch_add_explicit(&req->stripe->ended, 1, memory_order_seq_cst);
}

uint64_t store_counter(const struct store *store, enum store_counter which)
{
	int64_t sum = 0;

	for (unsigned int i = 0; i < STRIPES_IN_ALL; i++)
		sum += atomic_load_explicit(&store->stripe[i].count[which], memory_order_acquire);
	/* Stripes are read one after the other: a sum may be caught below zero. */
	return sum < 0 ? 0 : (uint64_t)sum;
}

uint64_t store_requests(const struct store *store)
{
	return store_counter(store, COUNT_READS) + store_counter(store, COUNT_WRITES);
}

/* Of the first so many stripes. */
static uint64_t count_ended(const struct store *store, unsigned int stripes, bool *under_way)
{
	uint64_t ended = 0, begun = 0;

	for (unsigned int i = 0; i < stripes; i++)
		ended += atomic_load(&store->stripe[i].ended);
	for (unsigned int i = 0; i < stripes; i++)
		begun += atomic_load(&store->stripe[i].begun);
	*under_way = begun != ended;
	return ended;
}

uint64_t store_count_ended(const struct store *store, bool *under_way)
{
	return count_ended(store, STRIPE_OF_BACKGROUND, under_way);
}

uint64_t requests_if_quiet(const struct store *store)
{
	bool under_way;
	uint64_t ended = count_ended(store, STRIPES_IN_ALL, &under_way);

	return under_way ? UINT64_MAX : ended;
}

void store_count_writes(const struct store *store, uint64_t *writes, uint64_t *failed)
{
	*writes = store_counter(store, COUNT_WRITES);
	*failed = store_counter(store, COUNT_FAILED_WRITES);
}

void counters_reset(struct store *store)
{
	static const enum store_counter of_the_past[] = {
		COUNT_WRITTEN,	   COUNT_WRITTEN_BYTES,	   COUNT_READS,
		COUNT_WRITES,	   COUNT_FAILED_READS,	   COUNT_FAILED_WRITES,
		COUNT_NOTIFY_FREE, COUNT_MISALIGNED_TRIMS, COUNT_MISALIGNED_WRITES,
		COUNT_ZERO_WRITES,
	};

	for (unsigned int i = 0; i < STRIPES_IN_ALL; i++)
		for (size_t j = 0; j < sizeof(of_the_past) / sizeof(*of_the_past); j++)
			atomic_store(&store->stripe[i].count[of_the_past[j]], 0);
	for (unsigned int i = 0; i < HISTOGRAM_KINDS; i++)
		histogram_reset(&store->histogram[i]);
}
