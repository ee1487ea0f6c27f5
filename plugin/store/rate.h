/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * So many bytes in a period, as they come.  What is overdrawn is made up for, and what is
 * saved up is what comes in one period, or one segment, at most.
 *
 * For one thread at a time; but a new number of bytes may be set, and what is left be
 * read, by any.
 */
#ifndef RAMZSWAP_ALLOWANCE_H
#define RAMZSWAP_ALLOWANCE_H

#include <stdatomic.h>
#include <stdint.h>

struct rate {
	_Atomic uint64_t bytes; /* 0 for no limit */
	uint64_t period_ms;
	uint64_t segment;     /* at least so much is saved up */
	_Atomic int64_t left; /* read by the statistics */
	uint64_t last_ms;     /* when left was brought up to date */
};

/* bytes may be 0 for no limit. */
void rate_init(struct rate *rate, uint64_t bytes, uint64_t period_ms, uint64_t segment);

/* What was overdrawn is forgotten, and what was saved up begins anew. */
void rate_set(struct rate *rate, uint64_t bytes);

/* Milliseconds until something may be written; 0 for now. */
uint64_t rate_wait(struct rate *rate);

/* Takes what was written. */
void rate_take(struct rate *rate, uint64_t bytes);

#endif
