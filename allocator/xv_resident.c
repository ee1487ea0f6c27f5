/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a locked pool keeps of its spans is written under its lock, and who has that must not
 * wait for a page.  So it is resident for more spans than there are: a page at a time, as a
 * pool that never grows shall cost no more.
 */
#include "xv_internal.h"

#include <string.h>

#include "span_internal.h"
#include "urgent.h"

/* Spans that a pool is ready for beyond those that it has had: 32 MiB. */
#define SPANS_AHEAD 512u

/* From here on an allocation does not leave it to the background: threads may grow at once. */
#define SPANS_LEAST 128u

/* Bytes of a pool to the end of the page that the record of span number `spans - 1` is in. */
static size_t bytes_for(size_t spans, size_t map_bytes)
{
	size_t bytes = span_round_up(sizeof(struct xv_pool) + spans * sizeof(struct xv_span),
				     span_page_size());

	return bytes < map_bytes ? bytes : map_bytes;
}

static uint32_t spans_within(size_t bytes)
{
	return (uint32_t)((bytes - sizeof(struct xv_pool)) / sizeof(struct xv_span));
}

int xv_begin_resident(struct xv_pool *pool, size_t map_bytes)
{
	size_t bytes = bytes_for(SPANS_AHEAD, map_bytes);
	int err = span_populate(pool, bytes);

	if (err)
		return err;
	atomic_store(&pool->spans_resident, spans_within(bytes));
	return 0;
}

static void keep_ahead(struct xv_pool *pool, uint32_t least)
{
	uint32_t top = atomic_load_explicit(&pool->spans_top, memory_order_relaxed);
	uint32_t from = atomic_load(&pool->spans_resident), to;
	size_t start = sizeof(*pool) + from * sizeof(pool->spans[0]), end;
	int policy, err;

	if (!pool->locked || from == pool->spans_max || top + least <= from)
		return;
	end = bytes_for((size_t)top + SPANS_AHEAD, pool->map_bytes);
	policy = urgent_begin();
	err = span_populate((char *)pool + start, end - start);
	urgent_end(policy);
	if (err)
		return;
	to = spans_within(end);
	/* If it has changed, others did the same, or all was forgotten. */
	atomic_compare_exchange_strong(&pool->spans_resident, &from, to);
}

void xv_drop_ahead(struct xv_pool *pool)
{
	size_t bytes = bytes_for(SPANS_AHEAD, pool->map_bytes);

	memset(pool->spans, 0, (char *)pool + bytes - (char *)pool->spans);
	if (atomic_load(&pool->spans_resident) <= spans_within(bytes))
		return;
	span_drop_zeroed((char *)pool + bytes, pool->map_bytes - bytes);
	atomic_store(&pool->spans_resident, spans_within(bytes));
}

void xv_look_ahead(struct xv_pool *pool)
{
	keep_ahead(pool, SPANS_AHEAD);
}

void xv_look_ahead_if_late(struct xv_pool *pool)
{
	keep_ahead(pool, SPANS_LEAST);
}
