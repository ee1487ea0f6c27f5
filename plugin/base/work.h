/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work that takes long, as others see it: how far it is, and that it is to end early.  One thread
 * does it, a piece at a time; any thread may look, or cancel.  Who does it takes NULL for work
 * that nobody watches.  No function here waits or fails.
 */
#ifndef RAMZSWAP_WORK_H
#define RAMZSWAP_WORK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct work {
	/* In pages of the disk, or in bytes: by the work.  done may pass total, an estimate. */
	atomic_uint_least64_t done, total; /* total 0: not known */
	atomic_uint round;		   /* from 1 on: it is gone through so many times */
	atomic_bool cancelled;
};

/* Before it is begun, by who hands it out. */
static inline void work_prepare(struct work *work)
{
	atomic_store(&work->done, 0);
	atomic_store(&work->total, 0);
	atomic_store(&work->round, 0);
	atomic_store(&work->cancelled, false);
}

/* Begins a round of so much. */
static inline void work_round(struct work *work, uint64_t total)
{
	if (!work)
		return;
	atomic_store(&work->done, 0);
	atomic_store(&work->total, total);
	atomic_fetch_add(&work->round, 1);
}

/* So much of the round is done. */
static inline void work_reach(struct work *work, uint64_t done)
{
	if (work)
		atomic_store_explicit(&work->done, done, memory_order_relaxed);
}

/* So much more of it. */
static inline void work_advance(struct work *work, uint64_t more)
{
	if (work)
		atomic_fetch_add_explicit(&work->done, more, memory_order_relaxed);
}

static inline void work_cancel(struct work *work)
{
	atomic_store(&work->cancelled, true);
}

static inline bool work_is_cancelled(const struct work *work)
{
	return work && atomic_load_explicit(&work->cancelled, memory_order_relaxed);
}

#endif
