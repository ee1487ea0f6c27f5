/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xvmalloc: a pool for objects of 1 to 4096 bytes that wastes next to nothing.
 *
 * The allocator of Linux's ramzswap of 2009 (Nitin Gupta), rebuilt for
 * userspace.  It is a two-level segregated fit (Masmano, Ripoll et al., "TLSF: a
 * new dynamic memory allocator for real-time systems", 2004) with free lists only
 * a few bytes apart, boundary tags (Knuth) of 4 bytes an object, and immediate
 * coalescing.  Objects live in spans of XV_SPAN_SIZE bytes that come from a
 * span_source and go back to it as soon as they are empty.  Objects of XV_PAGE_SIZE bytes, where
 * they are many, have spans of their own, without headers: 16 to a span.
 *
 * Allocate and free take a number of steps that does not depend on how many
 * objects there are, but for asking the system for memory.
 *
 * An object is named by a 32-bit handle, so that an owner can keep it in half a
 * word; xv_map turns it into an address.  Objects move only when the owner moves
 * them (xv_move, see below): the pool does not know who holds a handle.
 *
 * Threads: any function may be called by any thread; each pool has one lock,
 * held for some tens of instructions.  A thread that frees while another holds it
 * does not wait: it leaves the object for that one to free.  The content of an object is
 * the owner's to guard: nobody may free or move an object that another thread is using.
 */
#ifndef RAMZSWAP_XVMALLOC_H
#define RAMZSWAP_XVMALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span_source;
struct xv_pool;

#define XV_SPAN_SIZE 65536u /* bytes of a span, its header included */
#define XV_PAGE_SIZE 4096u  /* bytes of a page: objects of that size take no more */
#define XV_OBJECT_MAX 4100u /* bytes of the largest object: a page and its checksum */
#define XV_NULL 0u	    /* a handle that is no object's */

/* Most spans in one pool: what a handle can number.  16 GiB. */
#define XV_SPANS_MAX (1u << 18)

/* Flags of xv_alloc. */
#define XV_NOGROW 1u /* only from spans that the pool already has */
#define XV_TRY 2u    /* -EBUSY rather than wait for the pool's lock */

struct xv_config {
	struct span_source *source; /* of XV_SPAN_SIZE units; several pools may share it */
	uint32_t spans_max;	    /* at most XV_SPANS_MAX; 0 means that */
	bool locked;		    /* as the source: what it needs for spans is resident before */
	bool wipe;		    /* overwrite with zeroes what is freed, all of it and at once */
};

/* Everything in bytes but where it says otherwise. */
struct xv_stats {
	uint64_t spans;		/* number of spans held */
	uint64_t objects;	/* number of live objects */
	uint64_t requested;	/* sum of the sizes asked for by live objects */
	uint64_t used;		/* the same with headers and rounding */
	uint64_t free;		/* in free blocks; spans * XV_SPAN_SIZE = used + free */
	uint64_t metadata;	/* resident memory outside the spans */
	uint64_t fullness[11];	/* number of spans 0-9 %, 10-19 %, ... 90-99 %, 100 % used */
	uint64_t lock_waits;	/* times that a thread had to wait for the lock */
	uint64_t spans_drained; /* spans emptied by moving, since the start */
	uint64_t objects_moved; /* since the start */
};

/* 0, -EINVAL or -ENOMEM; *pool is untouched on failure. */
int xv_create(struct xv_pool **pool, const struct xv_config *config);

/* Gives back all spans, with whatever objects are still in them.  NULL is accepted. */
void xv_destroy(struct xv_pool *pool);

/*
 * Allocates an object of size bytes (1 to XV_OBJECT_MAX), aligned to 4 bytes.
 * 0; -ENOSPC if the source's budget or the pool's spans are used up (or
 * XV_NOGROW and nothing free fits); -ENOMEM if the system refuses memory; -EBUSY
 * with XV_TRY; -EINVAL for a size out of range.  *handle is untouched on failure.
 */
int xv_alloc(struct xv_pool *pool, size_t size, unsigned int flags, uint32_t *handle);

/*
 * Whether the handle may be an object's: it is in a span of the pool, and what is there looks like
 * an object's header.  For who does not trust a handle; any value is accepted, and no other
 * function than xv_held and xv_draining accepts one of which this is not true.  Takes no lock, but
 * the object must not be freed or moved meanwhile.
 */
bool xv_plausible(const struct xv_pool *pool, uint32_t handle);

/*
 * Whether the handle is in a span of the pool at this moment.  Reads no span's memory, so the
 * object may be freed or moved meanwhile: a hint.  Any value is accepted; takes no lock.
 */
bool xv_held(const struct xv_pool *pool, uint32_t handle);

/* Frees an object.  XV_NULL is accepted. */
void xv_free(struct xv_pool *pool, uint32_t handle);

/*
 * Makes an object smaller in place, which always succeeds: size is 1 up to what
 * xv_size returns.  What follows in the span becomes free if it is large enough
 * to be a block.
 */
void xv_shrink(struct xv_pool *pool, uint32_t handle, size_t size);

/* Where the object is: good until it is freed or moved.  Takes no lock. */
void *xv_map(const struct xv_pool *pool, uint32_t handle);

/* The exact size that the object was allocated with (or shrunk to).  Takes no lock. */
size_t xv_size(const struct xv_pool *pool, uint32_t handle);

/*
 * What a free waits for is mostly memory: the object's header, then the two blocks
 * beside it.  An owner who knows early what it is going to free can have them come
 * into the cache meanwhile, which makes a free two to three times as fast:
 * xv_prefetch some hundred nanoseconds ahead, xv_will_free once the header is
 * there and a little before xv_free.  Neither waits, takes the lock or changes
 * anything.
 *
 * xv_prefetch takes any handle that the pool ever returned, its object live or
 * not.  It helps an owner who is going to read the object as well.  xv_will_free
 * takes a live object's only.  Both accept XV_NULL.
 */
void xv_prefetch(const struct xv_pool *pool, uint32_t handle);
void xv_will_free(const struct xv_pool *pool, uint32_t handle);

void xv_get_stats(struct xv_pool *pool, struct xv_stats *stats);

/*
 * Gives back what an empty pool keeps of spans that it once held (12 bytes for each), if
 * it is worth it.  With an object in it, or a thread, it does nothing.  For a background thread,
 * now and then.
 */
void xv_forget(struct xv_pool *pool);

/*
 * Makes resident what a locked pool will keep of its next spans (12 bytes for each), for 512 of
 * them at least, which is 32 MiB; of another it does nothing.  Blocks in a system call now and
 * then: for a background thread.  An allocation that comes before it does so itself.
 */
void xv_look_ahead(struct xv_pool *pool);

/*
 * Compaction empties sparse spans.  One thread at a time:
 *
 *	if (xv_drain_begin(pool, goal) > 0) {
 *		for each object that the owner knows of
 *			if (xv_draining(pool, handle))
 *				lock the object's owner, look again, xv_move, store
 *				the new handle, xv_free the old one, unlock
 *		xv_drain_end(pool);
 *	}
 *
 * xv_drain_begin picks the emptiest spans, as many as can find room in the free
 * blocks of the rest, and takes their free blocks off the free lists: nothing is
 * allocated there until xv_drain_end, unless xv_alloc would fail otherwise.  A span
 * is given back as soon as its last object is gone.
 */

/*
 * Picks spans to empty as long as what the pool would have free afterwards is at
 * least goal bytes and the survivors fit elsewhere.  A goal below 1/128 of the
 * bytes in use counts as that: with less room, too many moves fail.
 * Returns the number of spans picked.  Holds the lock for one span at a time.
 */
uint32_t xv_drain_begin(struct xv_pool *pool, uint64_t goal);

/*
 * Whether the object lies in a span that is being emptied.  As xv_held, for any value, a hint if
 * the object may be freed or moved meanwhile.
 */
bool xv_draining(const struct xv_pool *pool, uint32_t handle);

/*
 * Allocates a copy of the object in a span that is not being emptied, without
 * growing the pool.  The old object stays: the owner frees it once the new handle
 * is published.  0; or -ENOSPC, and the object's span is in use again, so that
 * others that are to be moved find room in it.
 */
int xv_move(struct xv_pool *pool, uint32_t handle, uint32_t *moved);

/* Puts spans that could not be emptied back into use.  Returns the number given back. */
uint32_t xv_drain_end(struct xv_pool *pool);

/*
 * Verifies every invariant of the pool: boundary tags against each other, free
 * blocks against lists, lists against bitmaps, spans against totals.  Holds the
 * lock for the whole walk.  0, or -EUCLEAN with one line of why in the buffer
 * (why may be NULL).
 */
int xv_check(struct xv_pool *pool, char *why, size_t why_size);

#endif
