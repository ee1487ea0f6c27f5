/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Emptying sparse spans: the part of a pool that xvmalloc.h describes under
 * "Compaction".  What is moved and when, the owner decides.
 */
#include "xv_internal.h"

#include <errno.h>
#include <string.h>

#include "span.h"

/* Spans are ranked by how much of them is used, in so many steps. */
#define RANKS 256u

static uint32_t span_rank(const struct xv_pool *pool, uint32_t span)
{
	return atomic_load_explicit(&pool->spans[span].used, memory_order_relaxed) /
	       (SPAN_UNITS / RANKS);
}

static enum span_state span_state(const struct xv_pool *pool, uint32_t span)
{
	return atomic_load_explicit(&pool->spans[span].state, memory_order_relaxed);
}

/* Takes the span's free blocks off the lists, or puts them back, and sets its state. */
static void relist_span(struct xv_pool *pool, uint32_t span, enum span_state state)
{
	uint32_t *words = span_units(pool, span);
	uint32_t block, header, units;

	for (block = 0; block < SPAN_UNITS; block += units) {
		header = get_header(words, block);
		units = block_units(header);
		if (!(header & FREE_FLAG) || units < LISTED_MIN)
			continue;
		if (state == SPAN_HELD)
			xv_list_add(pool, span, block, units);
		else
			xv_list_remove(pool, span, block, units);
	}
	atomic_store_explicit(&pool->spans[span].state, state, memory_order_relaxed);
}

/* Begins to drain a span that is still held and of that rank.  Whether it was. */
static bool pick(struct xv_pool *pool, uint32_t span, uint32_t rank)
{
	bool picked;

	xv_lock(pool);
	picked = span_state(pool, span) == SPAN_HELD && span_rank(pool, span) <= rank;
	if (picked)
		relist_span(pool, span, SPAN_DRAINING);
	xv_unlock(pool);
	return picked;
}

uint32_t xv_drain_begin(struct xv_pool *pool, uint64_t goal)
{
	uint32_t count[RANKS + 1] = { 0 };
	uint32_t top, wanted = 0, below = 0, picked = 0, rank = 0;
	uint64_t free_bytes;

	xv_lock(pool);
	top = pool->spans_top;
	free_bytes = (uint64_t)pool->spans_held * XV_SPAN_SIZE - pool->used_units * UNIT;
	pool->drained_before = (uint32_t)pool->spans_drained;
	xv_unlock(pool);
	if (free_bytes > goal)
		wanted = (uint32_t)((free_bytes - goal) / XV_SPAN_SIZE);
	if (!wanted)
		return 0;

	for (uint32_t span = 0; span < top; span++)
		if (span_state(pool, span) == SPAN_HELD)
			count[span_rank(pool, span)]++;
	while (rank < RANKS && below + count[rank] < wanted)
		below += count[rank++];

	/* All that rank lower, then of this rank as many as are still wanted. */
	for (uint32_t span = 0; rank && picked < wanted && span < top; span++)
		if (span_state(pool, span) == SPAN_HELD && span_rank(pool, span) < rank)
			picked += pick(pool, span, rank - 1);
	for (uint32_t span = 0; picked < wanted && span < top; span++)
		if (span_state(pool, span) == SPAN_HELD && span_rank(pool, span) == rank)
			picked += pick(pool, span, rank);
	return picked;
}

bool xv_draining(const struct xv_pool *pool, uint32_t handle)
{
	return span_state(pool, handle_span(handle)) == SPAN_DRAINING;
}

int xv_move(struct xv_pool *pool, uint32_t handle, uint32_t *moved)
{
	size_t size = xv_size(pool, handle);
	uint32_t copy;
	int err;

	err = xv_alloc(pool, size, XV_NOGROW, &copy);
	if (err)
		return err;
	memcpy(xv_map(pool, copy), xv_map(pool, handle), size);
	xv_lock(pool);
	pool->objects_moved++;
	xv_unlock(pool);
	*moved = copy;
	return 0;
}

uint32_t xv_drain_end(struct xv_pool *pool)
{
	uint32_t top, given_back;

	xv_lock(pool);
	top = pool->spans_top;
	xv_unlock(pool);
	for (uint32_t span = 0; span < top; span++) {
		if (span_state(pool, span) != SPAN_DRAINING)
			continue;
		xv_lock(pool);
		if (span_state(pool, span) == SPAN_DRAINING)
			relist_span(pool, span, SPAN_HELD);
		xv_unlock(pool);
	}
	xv_lock(pool);
	given_back = (uint32_t)pool->spans_drained - pool->drained_before;
	xv_unlock(pool);
	return given_back;
}
