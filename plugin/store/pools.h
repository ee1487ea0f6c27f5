/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pools of one store: several, so that threads do not meet at a lock, and
 * because one pool ends at 16 GiB.  An object may live in any of them; the page
 * table says in which.  There is one at first; another joins when threads wait for
 * one another and what is stored is large enough that its half-empty spans do not
 * count, or when the addresses of the others are used up.
 */
#ifndef RAMZSWAP_POOLS_H
#define RAMZSWAP_POOLS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "xvmalloc.h"

struct span_budget;
struct span_source;

/* What a table entry can number. */
#define POOLS_MAX 4096u

struct pools {
	struct span_source *source; /* of spans, shared by all */
	struct span_budget *budget;
	pthread_mutex_t grow_lock;     /* guards the making of a pool */
	_Atomic uint32_t count;	       /* pools in use; only ever grows */
	uint32_t spans_max;	       /* of one pool */
	bool locked;		       /* perhaps behind swap of this machine: grows urgently */
	bool wipe;		       /* what is freed is overwritten */
	uint32_t spread_max;	       /* pools that are made to keep threads apart */
	atomic_uint_least64_t charged; /* to the budget, for what locked pools begin with */
	struct xv_pool *_Atomic pool[POOLS_MAX];
};

/*
 * Makes the first pool over spans for so many bytes of payload at most.  The
 * budget must outlive the pools.  With wipe, what is freed is overwritten.  0, or -ENOMEM.
 */
int pools_init(struct pools *pools, uint64_t payload_max, struct span_budget *budget, bool locked,
	       bool wipe);

/* Gives all memory back.  A zeroed struct is accepted. */
void pools_fini(struct pools *pools);

static inline struct xv_pool *pools_get(const struct pools *pools, unsigned int pool)
{
	return atomic_load_explicit(&pools->pool[pool], memory_order_acquire);
}

/*
 * Allocates from the pool whose turn it is, or from another where that one is busy or
 * full.  Callers count their turns up: each pool then gets as many objects as others,
 * and as many as it is asked to free.  One that only frees would waste its memory.
 * 0, -ENOSPC, -ENOMEM.
 */
int pools_alloc(struct pools *pools, unsigned int turn, size_t size, unsigned int *pool,
		uint32_t *handle);

/* As pools_alloc, from what is free in spans that are there alone. */
int pools_alloc_inside(struct pools *pools, unsigned int turn, size_t size, unsigned int *pool,
		       uint32_t *handle);

/* Makes what locked pools will keep of their next spans resident.  For the background thread. */
void pools_look_ahead(struct pools *pools);

/*
 * Where nothing is stored any more: gives back what is kept of spans that were.  For the
 * background thread.
 */
void pools_forget(struct pools *pools);

/* The sum over all pools. */
void pools_get_stats(struct pools *pools, struct xv_stats *sum);

#endif
