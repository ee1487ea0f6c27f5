/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a pool tells of itself, and what it forgets when it is empty: see xvmalloc.h. */
#include "xv_internal.h"

#include <stddef.h>
#include <string.h>

#include "span.h"

/* What a pool keeps where it has no span: its lock and totals, no list and no span. */
#define KEPT_BYTES 4096u

_Static_assert(offsetof(struct xv_pool, summary) <= KEPT_BYTES, "a pool begins with what stays");
_Static_assert(sizeof(struct xv_pool) >= KEPT_BYTES, "spans are behind what stays");

/* Bytes that are resident of a pool that has, or has had, so many spans. */
static uint64_t resident_of(const struct xv_pool *pool, uint32_t top)
{
	if (!pool->locked && !top)
		return KEPT_BYTES;
	if (pool->locked)
		top = atomic_load(&pool->spans_resident);
	return (sizeof(*pool) + top * sizeof(pool->spans[0]) + KEPT_BYTES - 1) / KEPT_BYTES *
	       KEPT_BYTES;
}

void xv_get_stats(struct xv_pool *pool, struct xv_stats *stats)
{
	uint32_t top;

	xv_lock(pool);
	xv_settle(pool);
	top = pool->spans_top;
	*stats = (struct xv_stats){
		.spans = pool->spans_held,
		.objects = pool->objects,
		.requested = pool->requested,
		.used = pool->used_units * UNIT,
		.free = (uint64_t)pool->spans_held * XV_SPAN_SIZE - pool->used_units * UNIT,
		.metadata = resident_of(pool, top),
		.lock_waits = atomic_load(&pool->lock_waits),
		.spans_drained = pool->spans_drained,
		.objects_moved = atomic_load(&pool->objects_moved),
	};
	xv_unlock(pool);

	/* Counted without the lock: exact only while nobody allocates or frees. */
	for (uint32_t span = 0; span < top; span++) {
		uint32_t used = atomic_load_explicit(&pool->spans[span].used, memory_order_relaxed);

		if (atomic_load_explicit(&pool->spans[span].state, memory_order_relaxed) !=
		    SPAN_ABSENT)
			stats->fullness[used * 10 / SPAN_UNITS]++;
	}
}

/*
 * The lock is held over a system call, but there is no object in the pool that anybody
 * could wait for.  Who reads the spans without the lock finds them absent, as before.
 */
void xv_forget(struct xv_pool *pool)
{
	if (pthread_mutex_trylock(&pool->lock))
		return;
	xv_settle(pool);
	if (!pool->spans_held && pool->spans_top) {
		if (pool->locked)
			xv_drop_ahead(pool);
		else
			span_drop_zeroed((char *)pool + KEPT_BYTES, pool->map_bytes - KEPT_BYTES);
		pool->spans_top = 0;
		pool->spans_absent = 0;
	}
	xv_unlock(pool);
}
