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

/* What a plan remembers from look to look; begins as zeroes. */
struct ballast_plan {
	uint64_t failed_writes;
	unsigned int refusing; /* looks for which nothing more is to come, as writes failed */
	bool seen;	       /* failed_writes is of an earlier look */
	unsigned int stale;    /* looks at which most of what is stored was nobody's any more */
	unsigned int patience; /* after so many of them all is given back; 0: the first ones */
	unsigned int resting;  /* looks for which nothing is taken after that */
};

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
 * UINT64_MAX without a limit in a machine whose memory is not known.
 */
uint64_t ballast_plan_limit(const struct ramzswap_stats *stats,
			    const struct machine_memory *memory);

/*
 * Bytes that are to be held from now on, of an area that has area_free bytes of free
 * slots while held bytes are held.  stats are the server's, and memory the machine's, of just
 * now.  The answer differs from held only where the difference is worth it.
 */
uint64_t ballast_plan_look(struct ballast_plan *plan, const struct ramzswap_stats *stats,
			   const struct machine_memory *memory, uint64_t area_free, uint64_t held);

#endif
