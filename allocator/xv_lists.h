/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lists of free blocks, one for each class of sizes, with a bit for each that is not empty.
 * Under the pool's lock.
 */
#ifndef RAMZSWAP_XV_LISTS_H
#define RAMZSWAP_XV_LISTS_H

#include "xv_internal.h"

/* Puts a free block at the head of a chain. */
static inline void xv_chain_add(struct xv_pool *pool, uint32_t *head, uint32_t span, uint32_t block)
{
	uint32_t handle = make_handle(span, block);
	uint32_t first = *head;
	uint32_t *words = span_units(pool, span);

	*link_next(words, block) = first;
	*link_prev(words, block) = XV_NULL;
	*head = handle;
	if (first)
		*link_prev(span_units(pool, handle_span(first)), handle_block(first)) = handle;
}

/* Takes one out, wherever it is. */
static inline void xv_chain_remove(struct xv_pool *pool, uint32_t *head, uint32_t span,
				   uint32_t block)
{
	uint32_t *words = span_units(pool, span);
	uint32_t next = *link_next(words, block);
	uint32_t prev = *link_prev(words, block);

	if (next)
		*link_prev(span_units(pool, handle_span(next)), handle_block(next)) = prev;
	if (prev)
		*link_next(span_units(pool, handle_span(prev)), handle_block(prev)) = next;
	else
		*head = next;
}

/* Puts a free block of LISTED_MIN units or more into its list. */
static inline void xv_list_add(struct xv_pool *pool, uint32_t span, uint32_t block, uint32_t units)
{
	uint32_t list = units_class(units);

	if (!pool->head[list]) {
		pool->map[list / 64] |= 1ull << list % 64;
		pool->summary |= 1ull << list / 64;
	}
	xv_chain_add(pool, &pool->head[list], span, block);
}

/* Takes one out. */
static inline void xv_list_remove(struct xv_pool *pool, uint32_t span, uint32_t block,
				  uint32_t units)
{
	uint32_t list = units_class(units);

	xv_chain_remove(pool, &pool->head[list], span, block);
	if (pool->head[list])
		return;
	pool->map[list / 64] &= ~(1ull << list % 64);
	if (!pool->map[list / 64])
		pool->summary &= ~(1ull << list / 64);
}

#endif
