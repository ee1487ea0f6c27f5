/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Emptying sparse spans: the part of a pool that xvmalloc.h describes under
 * "Compaction".  What is moved and when, the owner decides.
 */
#include "xv_internal.h"

#include <errno.h>
#include <string.h>

#include "span.h"

/*
 * The free blocks that are left when all survivors have moved are many and small.
 * With less than this share of the bytes in use, moves begin to fail and spans
 * stay behind with a few objects each.
 */
#define LEAST_GOAL(used) ((used) / 128)

/* Spans are ranked by how much of them is used, in so many steps. */
#define RANKS 256u

static uint32_t span_rank(const struct xv_pool *pool, uint32_t span)
{
	return atomic_load_explicit(&pool->spans[span].used, memory_order_relaxed) /
	       (SPAN_UNITS / RANKS);
}

static bool may_be_picked(const struct xv_pool *pool, uint32_t span, bool paged)
{
	return xv_span_state(pool, span) == SPAN_HELD && span_is_paged(pool, span) == paged;
}

/* Begins to drain a span that is still held and of that kind and rank.  Whether it was. */
static bool pick(struct xv_pool *pool, uint32_t span, bool paged, uint32_t rank)
{
	bool picked;

	xv_lock(pool);
	picked = may_be_picked(pool, span, paged) && span_rank(pool, span) <= rank;
	if (picked)
		xv_relist(pool, span, SPAN_DRAINING);
	xv_unlock(pool);
	return picked;
}

/* Picks so many of the emptiest spans below top, paged ones or others.  Returns how many it did. */
static uint32_t pick_emptiest(struct xv_pool *pool, uint32_t top, bool paged, uint32_t wanted)
{
	uint32_t count[RANKS + 1] = { 0 };
	uint32_t below = 0, picked = 0, rank = 0;

	for (uint32_t span = 0; span < top; span++)
		if (may_be_picked(pool, span, paged))
			count[span_rank(pool, span)]++;
	while (rank < RANKS && below + count[rank] < wanted)
		below += count[rank++];

	/* All that rank lower, then of this rank as many as are still wanted. */
	for (uint32_t span = 0; rank && picked < wanted && span < top; span++)
		if (may_be_picked(pool, span, paged) && span_rank(pool, span) < rank)
			picked += pick(pool, span, paged, rank - 1);
	for (uint32_t span = 0; picked < wanted && span < top; span++)
		if (may_be_picked(pool, span, paged) && span_rank(pool, span) == rank)
			picked += pick(pool, span, paged, rank);
	return picked;
}

/* Spans that so many bytes of objects in so many spans can do without. */
static uint32_t spans_to_spare(uint64_t spans, uint64_t used, uint64_t goal)
{
	uint64_t free_bytes = spans * XV_SPAN_SIZE - used;

	if (goal < LEAST_GOAL(used))
		goal = LEAST_GOAL(used);
	return free_bytes > goal ? (uint32_t)((free_bytes - goal) / XV_SPAN_SIZE) : 0;
}

/*
 * What is free in paged spans is of no use to smaller objects.  So each kind is looked at by
 * itself, and has the part of the goal that it has of the bytes in use.
 */
uint32_t xv_drain_begin(struct xv_pool *pool, uint64_t goal)
{
	uint64_t spans, used, paged_spans, paged_used, paged_goal;
	uint32_t top, wanted, picked = 0;

	xv_lock(pool);
	top = pool->spans_top;
	spans = pool->spans_held;
	used = pool->used_units * UNIT;
	paged_spans = pool->spans_paged;
	paged_used = pool->paged_units * UNIT;
	pool->drained_before = pool->spans_drained;
	xv_unlock(pool);

	paged_goal = used ? (uint64_t)((double)goal * (double)paged_used / (double)used) : 0;
	wanted = spans_to_spare(paged_spans, paged_used, paged_goal);
	if (wanted)
		picked = pick_emptiest(pool, top, true, wanted);
	wanted = spans_to_spare(spans - paged_spans, used - paged_used, goal - paged_goal);
	if (wanted)
		picked += pick_emptiest(pool, top, false, wanted);
	return picked;
}

bool xv_draining(const struct xv_pool *pool, uint32_t handle)
{
	return xv_handle_state(pool, handle) == SPAN_DRAINING;
}

static void stop_draining(struct xv_pool *pool, uint32_t span)
{
	xv_lock(pool);
	if (xv_span_state(pool, span) == SPAN_DRAINING)
		xv_relist(pool, span, SPAN_HELD);
	xv_unlock(pool);
}

/*
 * An object that finds no room keeps its span, so the span may as well take in
 * others: too many picked spans cost one of them now and then, but no move is in
 * vain, where otherwise each would be left with a few objects in the end.
 */
int xv_move(struct xv_pool *pool, uint32_t handle, uint32_t *moved)
{
	size_t size = xv_size(pool, handle);
	uint32_t copy;
	int err;

	err = xv_alloc(pool, size, XV_NOGROW, &copy);
	if (err) {
		stop_draining(pool, handle_span(handle));
		return err;
	}
	memcpy(xv_map(pool, copy), xv_map(pool, handle), size);
	atomic_fetch_add_explicit(&pool->objects_moved, 1, memory_order_relaxed);
	*moved = copy;
	return 0;
}

uint32_t xv_drain_end(struct xv_pool *pool)
{
	uint32_t top, given_back;

	xv_lock(pool);
	top = pool->spans_top;
	xv_unlock(pool);
	for (uint32_t span = 0; span < top; span++)
		if (xv_span_state(pool, span) == SPAN_DRAINING)
			stop_draining(pool, span);
	xv_lock(pool);
	given_back = (uint32_t)(pool->spans_drained - pool->drained_before);
	xv_unlock(pool);
	return given_back;
}
