/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a pool tells of itself, and what it forgets when it is empty: see xvmalloc.h. */
#include "xv_internal.h"

#include <string.h>

#include "span.h"

/* Forgetting is worth it past so many spans: 16 KiB of what is kept of them. */
#define FORGET_MIN (1u << 11)

void xv_get_stats(struct xv_pool *pool, struct xv_stats *stats)
{
	const uint64_t page = 4096;
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
		.metadata = (sizeof(*pool) +
			     (pool->locked ? atomic_load(&pool->spans_resident) : top) *
				     sizeof(pool->spans[0]) +
			     page - 1) &
			    -page,
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
	if (!pool->locked && !pool->spans_held && pool->spans_top >= FORGET_MIN) {
		span_drop_zeroed(pool->spans, pool->spans_top * sizeof(pool->spans[0]));
		pool->spans_top = 0;
		pool->spans_absent = 0;
	}
	xv_unlock(pool);
}
