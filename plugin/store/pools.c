/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "store/pools.h"
#include "span.h"
#include "urgent.h"

/* A pool more costs about a span that is half empty: worth it past this much each. */
#define SPREAD_BYTES (UINT64_C(64) << 20)

/* Pools for each processor at most: a thread may be preempted with a pool locked. */
#define SPREAD_PER_PROCESSOR 4

/* Addresses cost nothing, but a process has only so many: 16 TiB leave room for all else. */
#define ADDRESSES_MAX (UINT64_C(16) << 40)

/* What a new pool has resident counts at once; what follows with its spans is in no budget. */
static int charge(struct pools *pools, struct xv_pool *pool)
{
	struct xv_stats stats;
	int err;

	if (!pools->locked)
		return 0;
	xv_get_stats(pool, &stats);
	err = span_budget_charge(pools->budget, stats.metadata);
	if (!err)
		atomic_fetch_add(&pools->charged, stats.metadata);
	return err;
}

static int add_pool(struct pools *pools, uint32_t seen)
{
	struct xv_config config = {
		.source = pools->source,
		.spans_max = pools->spans_max,
		.locked = pools->locked,
		.wipe = pools->wipe,
	};
	struct xv_pool *pool;
	int err = 0;

	pthread_mutex_lock(&pools->grow_lock);
	if (pools->count == seen && seen < POOLS_MAX) {
		int policy = pools->locked ? urgent_begin() : URGENT_LEFT_ALONE;

		err = xv_create(&pool, &config);
		urgent_end(policy);
		if (!err) {
			err = charge(pools, pool);
			if (err)
				xv_destroy(pool);
		}
		if (!err) {
			atomic_store_explicit(&pools->pool[seen], pool, memory_order_release);
			atomic_store_explicit(&pools->count, seen + 1, memory_order_release);
		}
	}
	pthread_mutex_unlock(&pools->grow_lock);
	return err;
}

/* What the payloads may need at worst, an eighth for fragments included. */
static uint32_t spans_needed(uint64_t payload_max)
{
	uint64_t bytes = payload_max + payload_max / 8 + 64 * XV_SPAN_SIZE;

	if (bytes > ADDRESSES_MAX)
		bytes = ADDRESSES_MAX;
	return (uint32_t)(bytes / XV_SPAN_SIZE);
}

int pools_init(struct pools *pools, uint64_t payload_max, struct span_budget *budget, bool locked,
	       bool wipe)
{
	struct span_source_config config = {
		.unit = XV_SPAN_SIZE,
		.units_max = spans_needed(payload_max),
		.budget = budget,
		.locked = locked,
	};
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int err;

	memset(pools, 0, sizeof(*pools));
	pthread_mutex_init(&pools->grow_lock, NULL);
	pools->budget = budget;
	pools->spread_max = SPREAD_PER_PROCESSOR * (processors < 1     ? 1
						    : processors > 256 ? 256
								       : (uint32_t)processors);
	pools->spans_max = config.units_max < XV_SPANS_MAX ? config.units_max : XV_SPANS_MAX;
	pools->locked = locked;
	pools->wipe = wipe;
	err = span_source_create(&pools->source, &config);
	if (!err)
		err = add_pool(pools, 0);
	if (err)
		pools_fini(pools);
	return err;
}

void pools_fini(struct pools *pools)
{
	for (uint32_t i = 0; i < pools->count; i++)
		xv_destroy(pools->pool[i]);
	pools->count = 0;
	span_source_destroy(pools->source);
	pools->source = NULL;
}

/* Threads met: one pool more if the spread is worth it. */
static void spread(struct pools *pools, uint32_t count)
{
	uint64_t used = atomic_load_explicit(&pools->budget->used, memory_order_relaxed);
	uint64_t limit = atomic_load_explicit(&pools->budget->limit, memory_order_relaxed);

	/* At the limit there is no span for it. */
	if (used >= limit || limit - used < 2 * XV_SPAN_SIZE)
		return;
	if (count < pools->spread_max && used >= count * SPREAD_BYTES)
		(void)add_pool(pools, count);
}

/* The home pool is full: whatever another one has, free or still to be had. */
static int alloc_elsewhere(struct pools *pools, uint32_t home, size_t size, unsigned int *pool,
			   uint32_t *handle)
{
	uint32_t count = pools->count;
	int err = -ENOSPC;

	for (uint32_t i = 1; i < count; i++) {
		*pool = (home + i) % count;
		err = xv_alloc(pools_get(pools, *pool), size, 0, handle);
		if (!err)
			return 0;
	}
	if ((uint64_t)count * pools->spans_max * XV_SPAN_SIZE >
	    atomic_load_explicit(&pools->budget->used, memory_order_relaxed))
		return err;
	if (add_pool(pools, count) || pools->count == count)
		return err;
	*pool = count;
	return xv_alloc(pools_get(pools, count), size, 0, handle);
}

int pools_alloc(struct pools *pools, unsigned int turn, size_t size, unsigned int *pool,
		uint32_t *handle)
{
	uint32_t count = atomic_load_explicit(&pools->count, memory_order_acquire);
	uint32_t home = turn % count;
	int err;

	for (uint32_t i = 0; i < count; i++) {
		*pool = home + i < count ? home + i : home + i - count;
		err = xv_alloc(pools_get(pools, *pool), size, XV_TRY, handle);
		if (err != -EBUSY)
			goto tried;
	}
	spread(pools, count);
	*pool = home;
	err = xv_alloc(pools_get(pools, home), size, 0, handle);
tried:
	if (err == -ENOSPC || err == -ENOMEM)
		err = alloc_elsewhere(pools, *pool, size, pool, handle);
	return err;
}

int pools_alloc_inside(struct pools *pools, unsigned int turn, size_t size, unsigned int *pool,
		       uint32_t *handle)
{
	uint32_t count = atomic_load_explicit(&pools->count, memory_order_acquire);
	int err = -ENOSPC;

	for (uint32_t i = 0; i < count && err; i++) {
		*pool = (turn + i) % count;
		err = xv_alloc(pools_get(pools, *pool), size, XV_NOGROW, handle);
	}
	return err;
}

void pools_look_ahead(struct pools *pools)
{
	uint32_t count = atomic_load_explicit(&pools->count, memory_order_acquire);

	for (uint32_t i = 0; i < count; i++)
		xv_look_ahead(pools_get(pools, i));
}

void pools_forget(struct pools *pools)
{
	uint32_t count = atomic_load_explicit(&pools->count, memory_order_acquire);

	for (uint32_t i = 0; i < count; i++)
		xv_forget(pools_get(pools, i));
	span_forget(pools->source);
}

void pools_get_stats(struct pools *pools, struct xv_stats *sum)
{
	uint32_t count = atomic_load_explicit(&pools->count, memory_order_acquire);

	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; i < count; i++) {
		struct xv_stats one;

		xv_get_stats(pools_get(pools, i), &one);
		sum->spans += one.spans;
		sum->objects += one.objects;
		sum->requested += one.requested;
		sum->used += one.used;
		sum->free += one.free;
		sum->metadata += one.metadata;
		for (size_t j = 0; j < sizeof(one.fullness) / sizeof(*one.fullness); j++)
			sum->fullness[j] += one.fullness[j];
		sum->lock_waits += one.lock_waits;
		sum->spans_drained += one.spans_drained;
		sum->objects_moved += one.objects_moved;
	}
}
