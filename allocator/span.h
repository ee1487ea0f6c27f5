/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory from the system in units of one size: reserve, commit, release, limit.
 *
 * A source reserves a range of addresses once (no memory behind it) and hands
 * out units of it.  Units that were given back go to the system at once, except
 * as many as the source is told to keep ready: committed, resident and, if the
 * source is a locked one, locked, so that taking one of them costs no system
 * call, no page fault and no memory that the system would have to find first.
 *
 * span.c is the only file that calls mmap, mprotect, madvise or mlock.
 */
#ifndef RAMZSWAP_SPAN_H
#define RAMZSWAP_SPAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A limit in bytes that several sources share.  Every byte that a source holds
 * committed, in use or ready, is charged to its budget first.
 * Any thread may call these, holding anything.
 */
struct span_budget {
	atomic_uint_least64_t limit; /* bytes; UINT64_MAX for none */
	atomic_uint_least64_t used;  /* bytes */
	atomic_uint_least64_t peak;  /* most that used ever was */
};

void span_budget_init(struct span_budget *budget, uint64_t limit);

/* Takes bytes from the budget.  0, or -ENOSPC and nothing is taken. */
int span_budget_charge(struct span_budget *budget, uint64_t bytes);

void span_budget_uncharge(struct span_budget *budget, uint64_t bytes);

struct span_source;

struct span_source_config {
	size_t unit;		    /* bytes; a power of two, at least the system's page */
	uint32_t units_max;	    /* most units ever in use at once; below 2^31 - 1 */
	struct span_budget *budget; /* must outlive the source; NULL for no limit */
	bool locked;		    /* lock every unit while it is committed */
};

struct span_source_stats {
	uint64_t units_used;   /* taken and not given back */
	uint64_t units_ready;  /* committed and resident ahead of need */
	uint64_t units_target; /* how many span_refill keeps ready */
	uint64_t units_peak;   /* most units used at once */
	uint64_t commits;      /* units that had to come from the system... */
	uint64_t commits_late; /* ...and of those, in span_take: the reserve was empty */
	uint64_t releases;     /* units that went back to the system */
	uint64_t metadata;     /* bytes that the source itself keeps resident */
};

/*
 * Reserves addresses for units_max units.  0, or -ENOMEM, or -EINVAL for a
 * config that breaks its rules; *source is untouched then.
 */
int span_source_create(struct span_source **source, const struct span_source_config *config);

/* Gives everything back, units still taken included.  NULL is accepted. */
void span_source_destroy(struct span_source *source);

/*
 * Takes one unit: a ready one if there is one, else one fresh from the system.  Where memory is
 * locked and less than three quarters of the target are ready, one from the system if that gives it
 * at once (urgent.h), for which it waits 20 ms at most.
 * Its content is undefined (not necessarily zero).  Units are numbered from 0
 * to units_max - 1; a low one is preferred.  Where the budget is used up, a unit that a span_refill
 * is making ready is waited for.
 * 0, or -ENOSPC (budget or addresses used up), or -ENOMEM (the system refuses).
 */
int span_take(struct span_source *source, uint32_t *unit);

/* As span_take, but only if a unit is ready; else -EAGAIN.  No system call. */
int span_take_ready(struct span_source *source, uint32_t *unit);

/* Gives a unit back.  Its memory goes to the system unless the reserve is short. */
void span_give(struct span_source *source, uint32_t unit);

/* Where a unit begins.  Valid for every unit number below units_max. */
void *span_address(const struct span_source *source, uint32_t unit);

/* The unit that an address inside the source's range belongs to. */
uint32_t span_unit(const struct span_source *source, const void *address);

/*
 * How many units to keep ready.  Takes effect with the next span_refill (more)
 * or at once (fewer: the surplus goes back to the system).
 */
void span_reserve(struct span_source *source, uint32_t units);

/*
 * Makes up to batch units ready if fewer than the target are.  Blocks in system
 * calls: for a background thread, and before the first request.
 * Returns how many units are still missing, or a negative errno if the system or
 * the budget refuses; what was made ready until then stays ready.
 */
int span_refill(struct span_source *source, uint32_t batch);

/*
 * Gives back what the source keeps of units that it once had (4 bytes for each), if no
 * unit is taken and it is worth it; otherwise it does nothing.  Ready units with high numbers
 * become units with low ones: the reserve is short meanwhile.  Holds the source's lock
 * for a nanosecond or so for each of those units: for a background thread.
 */
void span_forget(struct span_source *source);

/*
 * Whether so few units are ready that span_refill should come soon: fewer than
 * three quarters of the target.  Takes no lock: a hint.
 */
bool span_short(const struct span_source *source);

/* Whether a unit is ready: span_take would need nothing from the system.  A hint, no lock. */
bool span_is_ready(const struct span_source *source);

void span_source_get_stats(struct span_source *source, struct span_source_stats *stats);

/* Bytes of one unit, as the source was created with. */
size_t span_unit_size(const struct span_source *source);

/*
 * Zeroed memory that is resident only where it was written, for arrays as large
 * as the address space allows.  Page-aligned; NULL if the system refuses.  No
 * budget is charged: what of it is resident, only the owner can tell.
 */
void *span_map_zeroed(size_t bytes);

/*
 * The same of memory that is locked as it becomes resident.  After mlockall(MCL_FUTURE), too,
 * which would else make all of it so at once.
 */
void *span_map_locked(size_t bytes);

/* Gives back what one of these returned, with the same size.  NULL is accepted. */
void span_unmap(void *address, size_t bytes);

/* Locks what span_map_zeroed returned, as it becomes resident.  0 or a negative errno. */
int span_lock(void *address, size_t bytes);

/*
 * Makes the pages that the range lies in resident and leaves their content alone, whoever writes
 * to them meanwhile.  0 or -ENOMEM.
 */
int span_populate(void *address, size_t bytes);

/*
 * Makes the whole pages inside the range read as zero again and gives their
 * memory back.  What of the range lies in a page that it does not cover whole is
 * left alone.
 */
void span_drop_zeroed(void *address, size_t bytes);

/*
 * For tests: after so many more successful requests for memory (a unit from the
 * system, a source, an array), one is refused as if the system had.  Negative: none.
 */
void span_fail_after(int64_t requests);

#endif
