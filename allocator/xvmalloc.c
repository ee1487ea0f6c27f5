/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See xvmalloc.h for the interface and xv_internal.h for the layout of a span.
 *
 * The lock is never held while the source is asked for a unit or given one:
 * either may be a system call.
 */
#include "xv_internal.h"
#include "xv_lists.h"

#include <errno.h>
#include <string.h>

#include "span.h"

void xv_lock(struct xv_pool *pool)
{
	if (!pthread_mutex_trylock(&pool->lock))
		return;
	atomic_fetch_add_explicit(&pool->lock_waits, 1, memory_order_relaxed);
	pthread_mutex_lock(&pool->lock);
}

static int lock_unless_busy(struct xv_pool *pool, unsigned int flags)
{
	if (!(flags & XV_TRY)) {
		xv_lock(pool);
		return 0;
	}
	return pthread_mutex_trylock(&pool->lock) ? -EBUSY : 0;
}

int xv_create(struct xv_pool **out, const struct xv_config *config)
{
	uint32_t spans_max = config->spans_max ? config->spans_max : XV_SPANS_MAX;
	struct xv_pool *pool;
	size_t map_bytes;

	if (!config->source || span_unit_size(config->source) != XV_SPAN_SIZE ||
	    spans_max > XV_SPANS_MAX)
		return -EINVAL;
	map_bytes = sizeof(*pool) + spans_max * sizeof(pool->spans[0]);
	pool = config->locked ? span_map_locked(map_bytes) : span_map_zeroed(map_bytes);
	if (!pool)
		return -ENOMEM;
	if (config->locked && xv_begin_resident(pool, map_bytes)) {
		span_unmap(pool, map_bytes);
		return -ENOMEM;
	}
	pool->map_bytes = map_bytes;
	pool->locked = config->locked;
	pool->wipe = config->wipe;
	pool->spans_max = spans_max;
	pool->source = config->source;
	pool->base = span_address(config->source, 0);
	pthread_mutex_init(&pool->lock, NULL);
	*out = pool;
	return 0;
}

void xv_destroy(struct xv_pool *pool)
{
	if (!pool)
		return;
	for (uint32_t span = 0; span < pool->spans_top; span++)
		if (pool->spans[span].state != SPAN_ABSENT)
			span_give(pool->source, pool->spans[span].unit);
	pthread_mutex_destroy(&pool->lock);
	span_unmap(pool, pool->map_bytes);
}

/* The smallest listed block of at least so many units: its handle, or XV_NULL. */
static uint32_t find_fit(const struct xv_pool *pool, uint32_t units)
{
	uint32_t list = units_class(units);
	uint32_t word = list / 64;
	uint64_t bits = pool->map[word] & ~0ull << list % 64;

	if (!bits) {
		uint64_t words = pool->summary & ~0ull << word & ~(1ull << word);

		if (!words)
			return XV_NULL;
		word = (uint32_t)__builtin_ctzll(words);
		bits = pool->map[word];
	}
	return pool->head[word * 64 + (uint32_t)__builtin_ctzll(bits)];
}

/* Tells the block that follows, if any, what is before it now. */
static void set_prev(uint32_t *words, uint32_t next, uint32_t distance, uint32_t prev_free)
{
	if (next < SPAN_UNITS)
		set_header(words, next,
			   (get_header(words, next) & ~(PREV_MASK | PREV_FREE_FLAG)) |
				   distance << PREV_SHIFT | prev_free);
}

/*
 * Writes a free block that no free block touches and lists it, unless it is too
 * small or its span is being emptied.
 */
static void make_free(struct xv_pool *pool, uint32_t span, uint32_t block, uint32_t units,
		      uint32_t prev)
{
	uint32_t *words = span_units(pool, span);

	set_header(words, block, FREE_FLAG | prev << PREV_SHIFT | units);
	set_prev(words, block + units, units, PREV_FREE_FLAG);
	if (units >= LISTED_MIN && pool->spans[span].state == SPAN_HELD)
		xv_list_add(pool, span, block, units);
}

static void unlist(struct xv_pool *pool, uint32_t span, uint32_t block, uint32_t units)
{
	if (units >= LISTED_MIN && pool->spans[span].state == SPAN_HELD)
		xv_list_remove(pool, span, block, units);
}

/* Turns the head of an unlisted free block into an object; the rest stays free. */
static uint32_t carve(struct xv_pool *pool, uint32_t span, uint32_t block, uint32_t size)
{
	uint32_t *words = span_units(pool, span);
	uint32_t header = get_header(words, block);
	uint32_t have = header & SIZE_MASK;
	uint32_t want = object_units(size);

	set_header(words, block, (header & PREV_MASK) | size);
	if (have > want)
		make_free(pool, span, block + want, have - want, want);
	else
		set_prev(words, block + want, want, 0);
	xv_account(pool, span, (int32_t)want);
	pool->objects++;
	pool->requested += size;
	return make_handle(span, block);
}

/*
 * A span for objects of a page is worth it where nothing smaller fills the rest of others, which is
 * 1/16 of them: more than 1/32 of those is free.
 */
static bool wants_paged_span(const struct xv_pool *pool)
{
	uint64_t units = (uint64_t)(pool->spans_held - pool->spans_paged) * SPAN_UNITS;

	return (units - (pool->used_units - pool->paged_units)) * 32 > units;
}

/* Allocates in a unit that becomes a span.  XV_NULL if the pool may not have more. */
static uint32_t alloc_in_new_span(struct xv_pool *pool, uint32_t unit, uint32_t size)
{
	uint32_t span;
	bool paged;

	if (pool->spans_absent) {
		span = pool->spans_absent - 1;
		pool->spans_absent = pool->spans[span].unit;
	} else if (pool->spans_top < pool->spans_max) {
		span = pool->spans_top++;
	} else {
		return XV_NULL;
	}
	atomic_store_explicit(&pool->spans[span].unit, unit, memory_order_relaxed);
	atomic_store_explicit(&pool->spans[span].used, 0, memory_order_relaxed);
	atomic_store_explicit(&pool->spans[span].state, SPAN_HELD, memory_order_relaxed);
	paged = size == XV_PAGE_SIZE && wants_paged_span(pool);
	pool->spans_held++;
	if (paged)
		return xv_slot_alloc_in(pool, span);
	set_header(span_units(pool, span), 0, FREE_FLAG | SPAN_UNITS);
	return carve(pool, span, 0, size);
}

/* Forgets a span without objects, whose free block is not listed.  Returns its unit. */
static uint32_t remove_span(struct xv_pool *pool, uint32_t span)
{
	uint32_t unit = pool->spans[span].unit;

	if (pool->spans[span].state == SPAN_DRAINING) {
		pool->spans_drained++;
		pool->spans_draining--;
	}
	atomic_store_explicit(&pool->spans[span].state, SPAN_ABSENT, memory_order_relaxed);
	atomic_store_explicit(&pool->spans[span].unit, pool->spans_absent, memory_order_relaxed);
	pool->spans_absent = span + 1;
	pool->spans_held--;
	return unit;
}

static uint32_t alloc_listed(struct xv_pool *pool, uint32_t size)
{
	uint32_t handle = size == XV_PAGE_SIZE ? xv_slot_alloc(pool) : XV_NULL;
	uint32_t span, block;

	if (handle)
		return handle;
	handle = find_fit(pool, object_units(size));
	if (!handle)
		return XV_NULL;
	span = handle_span(handle);
	block = handle_block(handle);
	xv_list_remove(pool, span, block, get_header(span_units(pool, span), block) & SIZE_MASK);
	return carve(pool, span, block, size);
}

/*
 * Takes a span from the source and allocates there.  Called with the lock held,
 * returns with it held; meanwhile another thread may have freed what fits.
 */
static int alloc_growing(struct xv_pool *pool, uint32_t size, uint32_t *handle)
{
	uint32_t unit, found;
	bool surplus;
	int err;

	if (pool->spans_held == pool->spans_max)
		return -ENOSPC;
	xv_unlock(pool);
	err = span_take(pool->source, &unit);
	xv_look_ahead_if_late(pool);
	xv_lock(pool);
	surplus = !err;
	found = alloc_listed(pool, size);
	if (!found && !err) {
		found = alloc_in_new_span(pool, unit, size);
		surplus = !found;
	}
	if (surplus) {
		xv_unlock(pool);
		span_give(pool->source, unit);
		xv_lock(pool);
	}
	if (!found)
		return err ? err : -ENOSPC;
	*handle = found;
	return 0;
}

/* When there is no more memory, the free room in spans being emptied counts again. */
static uint32_t alloc_undraining(struct xv_pool *pool, uint32_t size)
{
	uint32_t found = XV_NULL;

	while (!found && xv_undrain(pool, object_units(size)))
		found = alloc_listed(pool, size);
	return found;
}

static bool deferred_pending(const struct xv_pool *pool)
{
	return pool->deferred_rest || atomic_load_explicit(&pool->deferred, memory_order_relaxed);
}

int xv_alloc(struct xv_pool *pool, size_t size, unsigned int flags, uint32_t *handle)
{
	uint32_t found;
	int err;

	if (!size || size > XV_OBJECT_MAX)
		return -EINVAL;
	err = lock_unless_busy(pool, flags);
	if (err)
		return err;
	found = alloc_listed(pool, (uint32_t)size);
	if (!found && deferred_pending(pool)) {
		xv_settle(pool);
		found = alloc_listed(pool, (uint32_t)size);
	}
	if (found)
		*handle = found;
	else if (flags & XV_NOGROW)
		err = -ENOSPC;
	else
		err = alloc_growing(pool, (uint32_t)size, handle);
	if (err && !(flags & XV_NOGROW)) {
		found = alloc_undraining(pool, (uint32_t)size);
		if (found) {
			*handle = found;
			err = 0;
		}
	}
	xv_unlock(pool);
	return err;
}

void xv_prefetch(const struct xv_pool *pool, uint32_t handle)
{
	if (handle)
		__builtin_prefetch(span_units(pool, handle_span(handle)) + handle_block(handle), 1);
}

void xv_will_free(const struct xv_pool *pool, uint32_t handle)
{
	const uint32_t *block;
	uint32_t header;

	if (!handle)
		return;
	/* Nothing of a page's neighbours is touched but bits. */
	if (span_is_paged(pool, handle_span(handle)))
		return;
	block = span_units(pool, handle_span(handle)) + handle_block(handle);
	header = get_header(block, 0);
	__builtin_prefetch(block + block_units(header), 1);
	/* A block in use is not touched when the one after it is freed. */
	if (header & PREV_FREE_FLAG)
		__builtin_prefetch(block - header_prev(header), 1);
}

/*
 * Frees an object with the lock held.  Returns whether its span is empty now: then
 * *unit is the source's again, to be given back without the lock.
 */
static bool free_locked(struct xv_pool *pool, uint32_t handle, uint32_t *unit)
{
	uint32_t span = handle_span(handle);
	uint32_t block = handle_block(handle);
	uint32_t *words = span_units(pool, span);
	uint32_t header, units, prev, after;

	pool->objects--;
	if (span_is_paged(pool, span)) {
		if (!xv_slot_free(pool, handle))
			return false;
		*unit = remove_span(pool, span);
		return true;
	}
	header = get_header(words, block);
	units = block_units(header);
	prev = header_prev(header);
	after = block + units;
	pool->requested -= header & SIZE_MASK;
	xv_account(pool, span, -(int32_t)units);

	if (after < SPAN_UNITS) {
		uint32_t next = get_header(words, after);

		if (next & FREE_FLAG) {
			unlist(pool, span, after, next & SIZE_MASK);
			units += next & SIZE_MASK;
		}
	}
	if (header & PREV_FREE_FLAG) {
		block -= prev;
		header = get_header(words, block);
		unlist(pool, span, block, header & SIZE_MASK);
		units += prev;
		prev = header_prev(header);
	}
	if (units == SPAN_UNITS) {
		*unit = remove_span(pool, span);
		return true;
	}
	make_free(pool, span, block, units, prev);
	return false;
}

/* The next object that was left to be freed, or XV_NULL.  Called with the lock held. */
static uint32_t next_deferred(struct xv_pool *pool)
{
	uint32_t handle = pool->deferred_rest;

	if (!handle && atomic_load_explicit(&pool->deferred, memory_order_relaxed))
		handle = atomic_exchange_explicit(&pool->deferred, XV_NULL, memory_order_acquire);
	if (handle)
		pool->deferred_rest = *(uint32_t *)xv_map(pool, handle);
	return handle;
}

/* Unlocks, after freeing some of what other threads left, and gives empty spans back. */
void xv_unlock(struct xv_pool *pool)
{
	uint32_t units[DEFERRED_BATCH];
	uint32_t handle, empty = 0;

	for (int i = 0; i < DEFERRED_BATCH && (handle = next_deferred(pool)); i++)
		empty += free_locked(pool, handle, &units[empty]);
	pthread_mutex_unlock(&pool->lock);
	while (empty)
		span_give(pool->source, units[--empty]);
}

void xv_settle(struct xv_pool *pool)
{
	while (deferred_pending(pool)) {
		xv_unlock(pool);
		xv_lock(pool);
	}
}

/* Leaves an object to whoever unlocks the pool next: nobody waits to free. */
static void defer_free(struct xv_pool *pool, uint32_t handle)
{
	uint32_t *link = xv_map(pool, handle);
	uint32_t first = atomic_load_explicit(&pool->deferred, memory_order_relaxed);

	do {
		*link = first;
	} while (!atomic_compare_exchange_weak_explicit(
		&pool->deferred, &first, handle, memory_order_release, memory_order_relaxed));
}

/*
 * Overwrites an object's bytes from `from` on, as long as it is the caller's.  Apart, so that who
 * does not wipe pays a branch for it.
 */
static __attribute__((noinline, cold)) void wipe_object(struct xv_pool *pool, uint32_t handle,
							size_t from)
{
	memset((unsigned char *)xv_map(pool, handle) + from, 0, xv_size(pool, handle) - from);
}

void xv_free(struct xv_pool *pool, uint32_t handle)
{
	uint32_t unit;
	bool empty;

	if (!handle)
		return;
	if (pool->wipe)
		wipe_object(pool, handle, 0);
	xv_will_free(pool, handle);
	if (pthread_mutex_trylock(&pool->lock)) {
		defer_free(pool, handle);
		/* If the holder has looked and gone meanwhile, it is ours to do. */
		if (pthread_mutex_trylock(&pool->lock))
			return;
		xv_unlock(pool);
		return;
	}
	empty = free_locked(pool, handle, &unit);
	xv_unlock(pool);
	if (empty)
		span_give(pool->source, unit);
}

void xv_shrink(struct xv_pool *pool, uint32_t handle, size_t size)
{
	uint32_t span = handle_span(handle);
	uint32_t block = handle_block(handle);
	uint32_t *words;
	uint32_t header, had, want, rest;

	if (pool->wipe)
		wipe_object(pool, handle, size);
	xv_lock(pool);
	if (span_is_paged(pool, span)) {
		xv_slot_shrink(pool, handle, (uint32_t)size);
		xv_unlock(pool);
		return;
	}
	words = span_units(pool, span);
	header = get_header(words, block);
	had = block_units(header);
	want = object_units((uint32_t)size);
	pool->requested -= (header & SIZE_MASK) - size;
	set_header(words, block, (header & ~SIZE_MASK) | (uint32_t)size);
	rest = had - want;
	if (rest) {
		uint32_t after = block + had;
		uint32_t next = after < SPAN_UNITS ? get_header(words, after) : 0;

		if (next & FREE_FLAG) {
			unlist(pool, span, after, next & SIZE_MASK);
			rest += next & SIZE_MASK;
		}
		make_free(pool, span, block + want, rest, want);
		xv_account(pool, span, (int32_t)want - (int32_t)had);
	}
	xv_unlock(pool);
}

void *xv_map(const struct xv_pool *pool, uint32_t handle)
{
	uint32_t span = handle_span(handle);

	return span_units(pool, span) + handle_block(handle) +
	       (span_is_paged(pool, span) ? 0 : HEADER_UNITS);
}

bool xv_held(const struct xv_pool *pool, uint32_t handle)
{
	return xv_handle_state(pool, handle) != SPAN_ABSENT;
}

bool xv_plausible(const struct xv_pool *pool, uint32_t handle)
{
	uint32_t span = handle_span(handle), block = handle_block(handle), header, size;

	if (block >= SPAN_UNITS - HEADER_UNITS || !xv_held(pool, handle))
		return false;
	if (span_is_paged(pool, span))
		return block % SLOT_UNITS == 0 &&
		       atomic_load_explicit(&pool->spans[span].taken, memory_order_relaxed) &
			       slot_bit(block);
	header = get_header(span_units(pool, span), block);
	size = header & SIZE_MASK;
	return !(header & FREE_FLAG) && size > 0 && size <= XV_OBJECT_MAX &&
	       block + object_units(size) <= SPAN_UNITS;
}

size_t xv_size(const struct xv_pool *pool, uint32_t handle)
{
	if (span_is_paged(pool, handle_span(handle)))
		return xv_slot_size(pool, handle);
	return get_header(span_units(pool, handle_span(handle)), handle_block(handle)) & SIZE_MASK;
}
