/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of xvmalloc share.  Nobody else includes this, but
 * for tests that damage a pool on purpose.
 *
 * A span is a row of blocks without gaps, in units of 4 bytes, starting at unit 0:
 *
 *	| header | object ..... | header | next | prev | free ... | header | object ...
 *
 * The header of 4 bytes holds the size of this block, the distance back to the
 * block before it (0: there is none), and whether this one and that one are free.
 * A handle is the number of the span and the unit where the object begins, one
 * past its header, which is why no handle is 0.
 *
 * No two free blocks touch.  A free block of LISTED_MIN units or more is in the
 * list of its class, linked by handles that lie where the object would; a smaller
 * one is too small for any object and waits for a neighbour to become free.  In a
 * span that is being drained no block is in a list.
 *
 * Of objects of a page and their headers 15 fit into a span, and the rest is lost where nothing
 * smaller comes.  So there are paged spans: SLOTS slots without headers, whose bits in struct
 * xv_span say which are in use.  A handle is made as if there were a header.  A free slot is in a
 * list of its own, linked as other free blocks.  The size of an object that was shrunk there lies
 * at the end of its slot (xv_pages.c).
 */
#ifndef RAMZSWAP_XV_INTERNAL_H
#define RAMZSWAP_XV_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "xvmalloc.h"

#define UNIT 4u
#define SPAN_UNITS (XV_SPAN_SIZE / UNIT)
#define HEADER_UNITS 1u
#define LISTED_MIN 3u /* units: header and two links */
#define OBJECT_UNITS_MAX (HEADER_UNITS + XV_OBJECT_MAX / UNIT)

/* A paged span: so many slots of a page each, a bit of a word for each. */
#define SLOT_UNITS (XV_PAGE_SIZE / UNIT)
#define SLOTS (SPAN_UNITS / SLOT_UNITS)

#define OFFSET_BITS 14
#define SPAN_BITS 18

/* Deferred frees done at one unlock: enough to keep up, few enough to be O(1). */
#define DEFERRED_BATCH 8

/* Header: from the lowest bit up. */
#define SIZE_BITS 15 /* free: units of the block; in use: bytes of the object */
#define PREV_BITS 15 /* units of the block before */
#define PREV_SHIFT SIZE_BITS
#define SIZE_MASK ((1u << SIZE_BITS) - 1)
#define PREV_MASK (((1u << PREV_BITS) - 1) << PREV_SHIFT)
#define FREE_FLAG (1u << 30)
#define PREV_FREE_FLAG (1u << 31)

/* One class for each block size that an object may have, then four to the octave. */
#define EXACT_CLASSES (OBJECT_UNITS_MAX - LISTED_MIN + 1)
#define FIRST_LOG 10
#define SUB_BITS 2
#define LOG_CLASSES ((OFFSET_BITS - FIRST_LOG) << SUB_BITS)
#define CLASSES (EXACT_CLASSES + LOG_CLASSES)
#define MAP_WORDS ((CLASSES + 63) / 64)

_Static_assert(XV_SPAN_SIZE == UNIT << OFFSET_BITS, "an offset must reach all of a span");
_Static_assert(XV_SPANS_MAX == 1u << SPAN_BITS, "a handle must number all spans");
_Static_assert(OFFSET_BITS + SPAN_BITS == 32, "a handle must be 32 bits");
_Static_assert(SIZE_BITS + PREV_BITS + 2 == 32, "a header must be 4 bytes");
_Static_assert(SPAN_UNITS <= SIZE_MASK, "a block may be as large as a span");
_Static_assert(XV_OBJECT_MAX <= SIZE_MASK, "a header must hold any object's size");
_Static_assert(OBJECT_UNITS_MAX + 1 > 1u << FIRST_LOG && OBJECT_UNITS_MAX + 1 < 2u << FIRST_LOG,
	       "log classes must begin where the exact ones end");
_Static_assert(MAP_WORDS <= 64, "one word must summarise the bitmap");
_Static_assert(SLOTS == 16, "a span's slots must be 16 bits");

enum span_state {
	SPAN_ABSENT = 0,
	SPAN_HELD,
	SPAN_DRAINING,
};

struct xv_span {
	_Atomic uint32_t unit;	 /* of the source; absent: the next absent number plus one */
	_Atomic uint16_t used;	 /* units of objects with their headers */
	_Atomic uint16_t taken;	 /* of a paged one: the slots in use... */
	_Atomic uint16_t shrunk; /* ...and of those, which have less than a page */
	_Atomic uint8_t state;	 /* enum span_state */
	_Atomic bool paged;
};

struct xv_pool {
	char *base; /* where unit 0 of the source begins */
	struct span_source *source;
	size_t map_bytes; /* of this struct and its spans */
	bool locked;	  /* what is written under the lock is resident before */
	bool wipe;	  /* what is freed is overwritten before it is anybody's */
	uint32_t spans_max;
	_Atomic uint32_t spans_resident; /* of a locked pool: written without a page fault */

	/*
	 * Objects freed by threads that found the lock taken: a stack linked through
	 * their first words.  Anybody may push; only who holds the lock takes all.
	 */
	_Alignas(64) _Atomic uint32_t deferred;

	/*
	 * Guards all that follows.  Read without it: the unit of a span that holds
	 * an object, and the state and the use of any, and spans_top, for a guess.
	 */
	_Alignas(64) pthread_mutex_t lock;
	uint32_t deferred_rest;	    /* taken from deferred, yet to be freed */
	_Atomic uint32_t spans_top; /* numbers from here on were never given out */
	uint32_t spans_absent;	    /* stack of numbers below that: the topmost plus one */
	uint32_t spans_held;
	uint32_t spans_draining; /* of those */
	uint64_t objects;
	uint64_t requested;  /* bytes */
	uint64_t used_units; /* sum of spans[].used */
	uint32_t spans_paged;
	uint64_t paged_units; /* of used_units, in paged spans */
	uint32_t slots_free;  /* handle of the first free slot in a paged span */
	uint64_t spans_drained;
	atomic_uint_least64_t objects_moved;
	atomic_uint_least64_t lock_waits;
	uint64_t drained_before; /* spans_drained when the current drain began */

	uint64_t summary;	 /* bit w: map[w] is not zero */
	uint64_t map[MAP_WORDS]; /* bit c: head[c] is not XV_NULL */
	uint32_t head[CLASSES];

	struct xv_span spans[];
};

static inline uint32_t handle_span(uint32_t handle)
{
	return handle >> OFFSET_BITS;
}

/* The unit where the block of a handle begins. */
static inline uint32_t handle_block(uint32_t handle)
{
	return (handle & (SPAN_UNITS - 1)) - HEADER_UNITS;
}

static inline uint32_t make_handle(uint32_t span, uint32_t block)
{
	return span << OFFSET_BITS | (block + HEADER_UNITS);
}

/* A span as an array of units. */
static inline uint32_t *span_units(const struct xv_pool *pool, uint32_t span)
{
	uint32_t unit = atomic_load_explicit(&pool->spans[span].unit, memory_order_relaxed);

	return (uint32_t *)(pool->base + (size_t)unit * XV_SPAN_SIZE);
}

/*
 * Headers are read by xv_size without the lock while a neighbour changes what
 * they say about it, hence the atomic (though unordered) access.
 */
static inline uint32_t get_header(const uint32_t *units, uint32_t block)
{
	return __atomic_load_n(&units[block], __ATOMIC_RELAXED);
}

static inline void set_header(uint32_t *units, uint32_t block, uint32_t header)
{
	__atomic_store_n(&units[block], header, __ATOMIC_RELAXED);
}

static inline uint32_t header_prev(uint32_t header)
{
	return (header & PREV_MASK) >> PREV_SHIFT;
}

static inline uint32_t bytes_units(uint32_t bytes)
{
	return (bytes + UNIT - 1) / UNIT;
}

/* Units of the block of an object of so many bytes. */
static inline uint32_t object_units(uint32_t size)
{
	uint32_t units = HEADER_UNITS + bytes_units(size);

	return units < LISTED_MIN ? LISTED_MIN : units;
}

static inline uint32_t block_units(uint32_t header)
{
	uint32_t size = header & SIZE_MASK;

	return header & FREE_FLAG ? size : object_units(size);
}

/* The class that a free block of so many units is listed in. */
static inline uint32_t units_class(uint32_t units)
{
	uint32_t log, sub;

	if (units <= OBJECT_UNITS_MAX)
		return units - LISTED_MIN;
	log = 31 - (uint32_t)__builtin_clz(units);
	sub = units >> (log - SUB_BITS) & ((1u << SUB_BITS) - 1);
	return EXACT_CLASSES + ((log - FIRST_LOG) << SUB_BITS) + sub;
}

/* Whether the span that holds an object, or did when the caller knew it, is paged. */
static inline bool span_is_paged(const struct xv_pool *pool, uint32_t span)
{
	return atomic_load_explicit(&pool->spans[span].paged, memory_order_relaxed);
}

static inline uint32_t slot_bit(uint32_t block)
{
	return 1u << block / SLOT_UNITS;
}

/* So many units more or fewer are in use there.  With the lock held. */
static inline void xv_account(struct xv_pool *pool, uint32_t span, int32_t units)
{
	uint16_t used = atomic_load_explicit(&pool->spans[span].used, memory_order_relaxed);

	atomic_store_explicit(&pool->spans[span].used, (uint16_t)(used + units),
			      memory_order_relaxed);
	pool->used_units += (uint64_t)(int64_t)units;
}

static inline uint32_t *link_next(uint32_t *units, uint32_t block)
{
	return &units[block + 1];
}

static inline uint32_t *link_prev(uint32_t *units, uint32_t block)
{
	return &units[block + 2];
}

/* xv_pages.c, all but the size with the lock held: a free slot that is listed; XV_NULL if none is. */
uint32_t xv_slot_alloc(struct xv_pool *pool);

/* Makes a span that has just been taken, and has nothing in it, a paged one, and takes a slot. */
uint32_t xv_slot_alloc_in(struct xv_pool *pool, uint32_t span);

/* Frees an object in a slot.  True if the span has none left: it is no paged one any more then. */
bool xv_slot_free(struct xv_pool *pool, uint32_t handle);

void xv_slot_shrink(struct xv_pool *pool, uint32_t handle, uint32_t size);

/* As xv_size, of an object in a slot. */
uint32_t xv_slot_size(const struct xv_pool *pool, uint32_t handle);

/* As xv_relist, but for the span's state. */
void xv_slots_relist(struct xv_pool *pool, uint32_t span, enum span_state state);

void xv_lock(struct xv_pool *pool);
void xv_unlock(struct xv_pool *pool);

/*
 * Frees all objects that threads have left to whoever holds the lock: called with it
 * held, returns with it held.  For those who count; others free some at each unlock.
 */
void xv_settle(struct xv_pool *pool);

/* xv_resident.c: of a pool just mapped, before anything is written, the first pages.  0 or -ENOMEM.
 */
int xv_begin_resident(struct xv_pool *pool, size_t map_bytes);

/* With the lock held and no span in the pool: zeroes all spans; resident stays what was at first. */
void xv_drop_ahead(struct xv_pool *pool);

/* As xv_look_ahead, where the background is late.  The lock is not held. */
void xv_look_ahead_if_late(struct xv_pool *pool);

static inline enum span_state xv_span_state(const struct xv_pool *pool, uint32_t span)
{
	return atomic_load_explicit(&pool->spans[span].state, memory_order_relaxed);
}

/* Of the span that any handle names; absent beyond those that there ever were. */
static inline enum span_state xv_handle_state(const struct xv_pool *pool, uint32_t handle)
{
	uint32_t span = handle_span(handle);

	return span < atomic_load_explicit(&pool->spans_top, memory_order_relaxed)
		       ? xv_span_state(pool, span)
		       : SPAN_ABSENT;
}

/*
 * Takes a span's free blocks off the lists (SPAN_DRAINING) or puts them back (SPAN_HELD), and
 * sets its state.
 */
void xv_relist(struct xv_pool *pool, uint32_t span, enum span_state state);

/*
 * Puts a span that is being emptied and has so many units free, in one block or
 * in several, back into use.  False if there is none.
 */
bool xv_undrain(struct xv_pool *pool, uint32_t units);

#endif
