/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What span.c, span_memory.c and span_forget.c share: a source, whose locks span.c describes. */
#ifndef RAMZSWAP_SPAN_INTERNAL_H
#define RAMZSWAP_SPAN_INTERNAL_H

#include <pthread.h>

#include "span.h"

/* A stack of units is its topmost number plus one, so that zeroed memory is empty. */
typedef uint32_t unit_stack;

/*
 * A unit's link: 0 if it was never touched; the stack below it, or LINK_BOTTOM if that is
 * empty, and LINK_READY if the stack is that of the ready ones; LINK_TAKEN in no stack.
 */
#define LINK_READY (1u << 31)
#define LINK_BOTTOM (LINK_READY - 1)
#define LINK_TAKEN UINT32_MAX
#define UNITS_MAX (LINK_BOTTOM - 1)

struct span_source {
	char *base;
	size_t bytes;
	size_t map_bytes; /* of this struct and its links */
	unsigned int shift;
	uint32_t units_max;
	uint32_t prefix_step;
	bool locked;
	struct span_budget *budget;

	pthread_mutex_t prefix_lock;
	atomic_uint_least32_t prefix;	      /* units that may be touched */
	atomic_uint_least32_t links_resident; /* of a locked source: written without a fault */

	pthread_mutex_t lock;
	uint32_t fresh;		      /* units from here on are taken if their link is 0 */
	unit_stack ready;	      /* committed and resident */
	unit_stack released;	      /* nothing behind them */
	_Atomic uint32_t ready_count; /* these two are read without the lock for a hint */
	_Atomic uint32_t target;
	uint32_t ready_coming;	 /* being made ready by a span_refill */
	pthread_cond_t refilled; /* one of these has come, or cannot */
	uint32_t moving;	 /* in no stack, but not used: on their way */
	uint32_t kept_top;	 /* links below that were not forgotten... */
	uint32_t kept_pages;	 /* ...which keeps so many pages resident */
	uint32_t used;
	uint32_t used_peak;
	uint64_t commits;
	uint64_t commits_late;
	uint64_t releases;

	uint32_t next[]; /* the link of unit u */
};

/* Of a locked source, links that are resident past those of units that were in use. */
#define SPAN_LINKS_AHEAD 2048u

/* With the lock held: onto a stack of the source, or from it, if it is not empty. */
void span_push(struct span_source *source, unit_stack *stack, uint32_t unit);
bool span_pop(struct span_source *source, unit_stack *stack, uint32_t *unit);

/*
 * Without it: gives the memory of a unit back that is neither used nor ready any more, but
 * moving.
 */
void span_release(struct span_source *source, uint32_t unit);

/* Gives pages' memory back, locked or not: zeroes are read there.  0, or a negative errno. */
int span_discard(void *address, size_t bytes);

/* Whether this request for memory is the one that span_fail_after has fail. */
bool span_refuses_for_test(void);

/* Bytes of a page of the system. */
size_t span_page_size(void);

/* Up to a multiple of a power of two. */
static inline size_t span_round_up(size_t bytes, size_t to)
{
	return (bytes + to - 1) & ~(to - 1);
}

#endif
