/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Spans that are emptied, and put back into use: their free blocks off the lists and on again. */
#include "xv_lists.h"

static void relist_blocks(struct xv_pool *pool, uint32_t span, enum span_state state)
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
}

void xv_relist(struct xv_pool *pool, uint32_t span, enum span_state state)
{
	if (span_is_paged(pool, span))
		xv_slots_relist(pool, span, state);
	else
		relist_blocks(pool, span, state);
	atomic_store_explicit(&pool->spans[span].state, state, memory_order_relaxed);
	pool->spans_draining += state == SPAN_DRAINING ? 1 : -1u;
}

/* Whether so many units are free there, and, of a paged one, a slot for an object that takes one. */
static bool has_room(const struct xv_pool *pool, uint32_t span, uint32_t units)
{
	if (span_is_paged(pool, span))
		return units == object_units(XV_PAGE_SIZE) &&
		       atomic_load(&pool->spans[span].taken) != (1u << SLOTS) - 1;
	return SPAN_UNITS - atomic_load(&pool->spans[span].used) >= units;
}

bool xv_undrain(struct xv_pool *pool, uint32_t units)
{
	for (uint32_t span = 0; pool->spans_draining && span < pool->spans_top; span++) {
		if (xv_span_state(pool, span) != SPAN_DRAINING || !has_room(pool, span, units))
			continue;
		xv_relist(pool, span, SPAN_HELD);
		return true;
	}
	return false;
}
