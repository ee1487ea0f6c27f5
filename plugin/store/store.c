/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The roof: makes and unmakes a store, and conducts what is done in the background. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "store/age.h"
#include "store/compact.h"
#include "store/dictionary.h"
#include "store/freed.h"
#include "store/object.h"
#include "store/recompress.h"
#include "store/request.h"
#include "store/reserve.h"
#include "store/writeback.h"

/* A store takes this much at least, however little it holds: see store_memlimit_min. */
#define MEMLIMIT_BASE (UINT64_C(1) << 20)

/*
 * Of the limit, what pools and sources keep outside their spans: some pages for the first
 * pool and the sources, and 1/2^9 covers what comes with more spans and pools.
 */
#define METADATA_BASE (UINT64_C(32) << 10)
#define METADATA_SHIFT 9

/* Where the kernel had nothing for the reserve. */
#define REFILL_AGAIN_MS 10u

uint64_t store_memlimit_min(uint64_t size)
{
	return MEMLIMIT_BASE;
}

static uint64_t budget_limit(uint64_t memlimit)
{
	if (memlimit == STORE_NO_LIMIT)
		return memlimit;
	return memlimit - METADATA_BASE - (memlimit >> METADATA_SHIFT);
}

static int init_parts(struct store *store, const struct store_config *config)
{
	uint64_t payload_max;
	int err;

	err = table_init(&store->table, store->pages, &store->budget, config->locked);
	if (err)
		return err;
	payload_max = store->pages * (STORE_PAGE_SIZE + 4 + store->trailer);
	err = pools_init(&store->pools, payload_max, &store->budget, config->locked, config->wipe);
	if (err)
		return err;
	err = encoders_init(&store->encoders, store->codec, config->encoders);
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
	store->idle_codec = config->idle_codec ? config->idle_codec : store->codec;
	store->wipe = config->wipe;
	store->trailer = config->checksum ? OBJECT_TRAILER : 0;
	store->trace = config->trace;
	pthread_mutex_init(&store->trace_lock, NULL);
	pthread_mutex_init(&store->compact.lock, NULL);
	freed_init(store);
	span_budget_init(&store->budget, budget_limit(config->memlimit));
	dictionary_init(store, config->dictionary);
	err = init_parts(store, config);
	if (err) {
		store_destroy(store);
		return err;
	}
	reserve_init(store);
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
	dictionary_fini(store);
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

void store_on_pressure(struct store *store, void (*kick)(void *opaque), void *opaque)
{
	store->writeback.kick_opaque = opaque;
	store->writeback.kick = kick;
}

void store_reset(struct store *store)
{
	(void)store_zero(store, store->size, 0);
	pthread_mutex_lock(&store->recompress.lock);
	dictionary_reset(store);
	pthread_mutex_unlock(&store->recompress.lock);
	counters_reset(store);
	atomic_store(&store->compact.pages, 0);
	atomic_store(&store->compact.bytes, 0);
	atomic_store(&store->recompress.pages, 0);
	atomic_store(&store->recompress.bytes, 0);
	atomic_store(&store->recompress.ns, 0);
	atomic_store(&store->recompress.returned, 0);
	atomic_store(&store->budget.peak, atomic_load(&store->budget.used));
}

static unsigned int sooner(unsigned int one, unsigned int other)
{
	return one < other ? one : other;
}

unsigned int store_work(struct store *store)
{
	unsigned int forgetting, compaction, recompression, refill = UINT_MAX;

	age_work(store);
	if (store_refill(store))
		return 0;
	if (atomic_load_explicit(&store->refill_waits, memory_order_relaxed))
		refill = REFILL_AGAIN_MS;
	/* First: what is dropped need be neither moved nor encoded again. */
	forgetting = freed_step(store);
	compaction = compact_step(store);
	recompression = recompress_step(store);
	return sooner(sooner(refill, forgetting), sooner(compaction, recompression));
}
