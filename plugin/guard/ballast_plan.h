/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of a swap area is to be taken away, so that the kernel finds it full before
 * the pool behind it is.
 *
 * A kernel whose swap writes fail tries them again for ever and calls no OOM killer.
 * One that finds no free slot goes to the next swap area, or calls the OOM killer.  So
 * slots are taken (by pages that cost the pool nothing) until what is left free is what
 * the pool can still hold.
 */
#ifndef RAMZSWAP_BALLAST_PLAN_H
#define RAMZSWAP_BALLAST_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/machine.h"
#include "base/stats.h"
#include "guard/page_cost.h"

/* What a plan looks at: all of one moment. */
struct ballast_view {
	const struct ramzswap_stats *stats; /* the server's */
	struct machine_memory memory;
	uint64_t lists;	    /* bytes that free lists may hide, of machine_lists */
	uint64_t minimum;   /* bytes that the kernel keeps free, of machine_minimum */
	uint64_t floor;	    /* bytes that are free and yet not had, of urgent_floor; 0: not known */
	uint64_t area_free; /* bytes of slots that nobody has */
	uint64_t held;	    /* bytes of slots that the guard has */
	uint64_t ms;	    /* by a clock that only goes forward */
};

/* What a plan remembers from look to look; begins as zeroes. */
struct ballast_plan {
	uint64_t failed_writes;
	unsigned int refusing; /* looks for which nothing more is to come, as writes failed */
	bool seen;	       /* failed_writes is of an earlier look */
	unsigned int stale;    /* looks at which most of what is stored was nobody's any more */
	unsigned int patience; /* after so many of them all is given back; 0: the first ones */
	unsigned int resting;  /* looks for which nothing is taken after that */
	struct page_cost cost; /* of the pages that came */
};

/* Between two looks, at most. */
#define BALLAST_LOOK_MS 100u

/* Looks after a failed write during which all free slots are taken: a minute of them. */
#define BALLAST_REFUSE_LOOKS 600

/*
 * Looks after which slots between those of pages that nobody has any more are given back, and for
 * which none is taken then: 2 and 3 seconds.  The former is doubled, up to ten minutes, each time
 * that it was of no use.
 */
#define BALLAST_STALE_LOOKS 20
#define BALLAST_REST_LOOKS 30

/*
 * Most bytes that the pool may have: its limit, or less where the machine has no more to give.
 * UINT64_MAX without a limit in a machine whose memory is not known.  Looks at the statistics, the
 * memory, the lists and the minimum.
 */
uint64_t ballast_plan_limit(const struct ballast_view *view);

/*
 * Bytes that are to be held from now on.  The answer differs from what is held only where the
 * difference is worth it.
 */
uint64_t ballast_plan_look(struct ballast_plan *plan, const struct ballast_view *view);

/*
 * Milliseconds after which it is time for the next look, where one look in BALLAST_LOOK_MS is due:
 * before what is free can be used up.  view is as the last look left it.
 */
unsigned int ballast_plan_pause(const struct ballast_plan *plan, const struct ballast_view *view);

#endif
