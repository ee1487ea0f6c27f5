/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verifies a pool.  Written so that whatever the pool's memory holds, the walk
 * ends and never leaves the spans: a link is followed only after it was found to
 * name a place inside a span that the pool holds.
 */
#include "xv_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

struct check {
	struct xv_pool *pool;
	char *why;
	size_t why_size;
	uint32_t spans;
	uint32_t draining;
	uint64_t objects;
	uint64_t requested;
	uint64_t used_units;
	uint64_t listed; /* free blocks that must be in a list */
	uint32_t paged;
	uint64_t paged_units;
	uint64_t slots; /* free ones that must be in theirs */
};

static int corrupt(struct check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int corrupt(struct check *check, const char *format, ...)
{
	va_list args;

	if (check->why && check->why_size) {
		va_start(args, format);
		vsnprintf(check->why, check->why_size, format, args);
		va_end(args);
	}
	return -EUCLEAN;
}

/* Whether a handle names a place where a listed block or slot could be. */
static bool plausible(const struct xv_pool *pool, uint32_t handle, bool paged)
{
	uint32_t span = handle_span(handle);
	uint32_t offset = handle & (SPAN_UNITS - 1);

	return span < pool->spans_top && pool->spans[span].state == SPAN_HELD && offset &&
	       pool->spans[span].paged == paged && handle_block(handle) + LISTED_MIN <= SPAN_UNITS;
}

/* The links of a free block or slot must lead to neighbours that link back, or to the head. */
static int check_links(struct check *check, uint32_t span, uint32_t block, uint32_t head,
		       bool paged)
{
	struct xv_pool *pool = check->pool;
	uint32_t *words = span_units(pool, span);
	uint32_t next = *link_next(words, block), prev = *link_prev(words, block);
	uint32_t self = make_handle(span, block);

	if (next && (!plausible(pool, next, paged) ||
		     *link_prev(span_units(pool, handle_span(next)), handle_block(next)) != self))
		return corrupt(check, "span %u block %u: next in list does not link back", span,
			       block);
	if (!prev && head != self)
		return corrupt(check, "span %u block %u: free but not in its list", span, block);
	if (prev && (!plausible(pool, prev, paged) ||
		     *link_next(span_units(pool, handle_span(prev)), handle_block(prev)) != self))
		return corrupt(check, "span %u block %u: previous in list does not link here", span,
			       block);
	return 0;
}

static int check_use(struct check *check, uint32_t span, uint32_t used)
{
	const struct xv_span *of = &check->pool->spans[span];

	if (used != of->used)
		return corrupt(check, "span %u: %u units used, not %u", span, used, of->used);
	check->used_units += used;
	check->spans++;
	check->draining += of->state == SPAN_DRAINING;
	return 0;
}

/* Bits against list, sizes against bits and use. */
static int check_paged_span(struct check *check, uint32_t span)
{
	struct xv_pool *pool = check->pool;
	uint32_t taken = pool->spans[span].taken, shrunk = pool->spans[span].shrunk, used = 0;
	int err = 0;

	if (!taken)
		return corrupt(check, "span %u: empty but not given back", span);
	if (shrunk & ~taken)
		return corrupt(check, "span %u: slots %x are free but shrunk", span,
			       shrunk & ~taken);
	for (uint32_t block = 0; !err && block < SPAN_UNITS; block += SLOT_UNITS) {
		if (taken & slot_bit(block)) {
			uint32_t size = xv_slot_size(pool, make_handle(span, block));

			if (!size || size > XV_PAGE_SIZE)
				return corrupt(check, "span %u block %u: size %u", span, block,
					       size);
			used += bytes_units(size);
			check->objects++;
			check->requested += size;
		} else if (pool->spans[span].state == SPAN_HELD) {
			err = check_links(check, span, block, pool->slots_free, true);
			check->slots++;
		}
	}
	check->paged++;
	check->paged_units += used;
	return err ? err : check_use(check, span, used);
}

static int check_block_span(struct check *check, uint32_t span)
{
	struct xv_pool *pool = check->pool;
	uint32_t *words = span_units(pool, span);
	uint32_t block, units = 0, used = 0, prev_free = 0;
	int err;

	for (block = 0; block < SPAN_UNITS; block += units) {
		uint32_t header = get_header(words, block);
		uint32_t size = header & SIZE_MASK;

		if (header_prev(header) != units)
			return corrupt(check, "span %u block %u: block before is %u units, not %u",
				       span, block, units, header_prev(header));
		if ((header & PREV_FREE_FLAG) != prev_free)
			return corrupt(check, "span %u block %u: wrong about the block before",
				       span, block);
		if (!size || (!(header & FREE_FLAG) && size > XV_OBJECT_MAX))
			return corrupt(check, "span %u block %u: size %u", span, block, size);
		units = block_units(header);
		if (units > SPAN_UNITS - block)
			return corrupt(check, "span %u block %u: leaves the span", span, block);
		if (header & FREE_FLAG) {
			if (prev_free)
				return corrupt(check, "span %u block %u: two free blocks touch",
					       span, block);
			if (units >= LISTED_MIN && pool->spans[span].state == SPAN_HELD) {
				err = check_links(check, span, block,
						  pool->head[units_class(units)], false);
				if (err)
					return err;
				check->listed++;
			}
			prev_free = PREV_FREE_FLAG;
		} else {
			used += units;
			check->objects++;
			check->requested += size;
			prev_free = 0;
		}
	}
	if (!used)
		return corrupt(check, "span %u: empty but not given back", span);
	return check_use(check, span, used);
}

static int check_slots_free(struct check *check)
{
	struct xv_pool *pool = check->pool;
	uint32_t handle = pool->slots_free;
	uint64_t left = check->slots;

	for (; handle; left--) {
		uint32_t block = handle_block(handle);

		if (!left || !plausible(pool, handle, true) || block % SLOT_UNITS ||
		    pool->spans[handle_span(handle)].taken & slot_bit(block))
			return corrupt(check, "list of slots: %x is no free slot", handle);
		handle = *link_next(span_units(pool, handle_span(handle)), block);
	}
	if (left)
		return corrupt(check, "%llu free slots are not listed", (unsigned long long)left);
	return 0;
}

/* Every list holds blocks of its class, and all lists as many as the spans do. */
static int check_lists(struct check *check)
{
	struct xv_pool *pool = check->pool;
	uint64_t left = check->listed;

	for (uint32_t list = 0; list < CLASSES; list++) {
		bool bit = pool->map[list / 64] >> list % 64 & 1;
		uint32_t handle = pool->head[list];

		if (bit != (handle != XV_NULL))
			return corrupt(check, "list %u: bitmap says %s", list,
				       bit ? "there is a block" : "empty");
		for (; handle; left--) {
			uint32_t *words, header;

			if (!left || !plausible(pool, handle, false))
				return corrupt(check, "list %u: %x is no block", list, handle);
			words = span_units(pool, handle_span(handle));
			header = get_header(words, handle_block(handle));
			if (!(header & FREE_FLAG) || (header & SIZE_MASK) < LISTED_MIN ||
			    units_class(header & SIZE_MASK) != list)
				return corrupt(check, "list %u: %x does not belong", list, handle);
			handle = *link_next(words, handle_block(handle));
		}
	}
	if (left)
		return corrupt(check, "%llu free blocks are in no list", (unsigned long long)left);
	for (uint32_t word = 0; word < MAP_WORDS; word++)
		if ((pool->summary >> word & 1) != (pool->map[word] != 0))
			return corrupt(check, "bitmap word %u: summary is wrong", word);
	if (pool->summary >> MAP_WORDS || pool->map[MAP_WORDS - 1] >> (CLASSES - 1) % 64 >> 1)
		return corrupt(check, "bitmap: bits past the last list");
	return 0;
}

static int check_absent(struct check *check)
{
	struct xv_pool *pool = check->pool;
	uint32_t absent = pool->spans_top - check->spans;
	uint32_t link = pool->spans_absent;

	for (; link; link = pool->spans[link - 1].unit)
		if (link > pool->spans_top || pool->spans[link - 1].state != SPAN_ABSENT ||
		    !absent--)
			return corrupt(check, "span numbers: %u is wrongly among the unused",
				       link - 1);
	if (absent)
		return corrupt(check, "span numbers: %u lost", absent);
	return 0;
}

static int check_total(struct check *check, const char *name, uint64_t found, uint64_t kept)
{
	if (found == kept)
		return 0;
	return corrupt(check, "%s: %llu, not %llu", name, (unsigned long long)found,
		       (unsigned long long)kept);
}

static int check_pool(struct check *check)
{
	struct xv_pool *pool = check->pool;
	int err = 0;

	if (pool->spans_top > pool->spans_max)
		return corrupt(check, "span numbers: %u given out of %u", pool->spans_top,
			       pool->spans_max);
	for (uint32_t span = 0; !err && span < pool->spans_top; span++) {
		uint8_t state = pool->spans[span].state;

		if (state > SPAN_DRAINING)
			err = corrupt(check, "span %u: state %u", span, state);
		else if (state != SPAN_ABSENT)
			err = pool->spans[span].paged ? check_paged_span(check, span)
						      : check_block_span(check, span);
	}
	if (!err)
		err = check_lists(check);
	if (!err)
		err = check_slots_free(check);
	if (!err)
		err = check_absent(check);
	if (!err)
		err = check_total(check, "spans", check->spans, pool->spans_held);
	if (!err)
		err = check_total(check, "spans being emptied", check->draining,
				  pool->spans_draining);
	if (!err)
		err = check_total(check, "paged spans", check->paged, pool->spans_paged);
	if (!err)
		err = check_total(check, "units used in paged spans", check->paged_units,
				  pool->paged_units);
	if (!err)
		err = check_total(check, "objects", check->objects, pool->objects);
	if (!err)
		err = check_total(check, "bytes requested", check->requested, pool->requested);
	if (!err)
		err = check_total(check, "units used", check->used_units, pool->used_units);
	return err;
}

int xv_check(struct xv_pool *pool, char *why, size_t why_size)
{
	struct check check = { .pool = pool, .why = why, .why_size = why_size };
	int err;

	xv_lock(pool);
	xv_settle(pool);
	err = check_pool(&check);
	xv_unlock(pool);
	return err;
}
