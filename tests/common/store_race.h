/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages that threads write, trim and read at the same time, with the knowledge of what each read
 * may find: any version but one that had surely been overwritten when the read began.
 *
 * Each version tells its number in its bytes.  Of each write it is known when it began and ended,
 * by a clock that ticks with each of these.  A version is gone once another one was begun after
 * its end, and ended.  So for each page the latest beginning of a write that has ended is kept,
 * and a read must find a version that ended later than what that was when the read began, or has
 * not ended at all.
 */
#ifndef TESTS_STORE_RACE_H
#define TESTS_STORE_RACE_H

#include <stdatomic.h>

#include "store_model.h"

#define RACE_PAGES 24u
#define RACE_THREADS 8u

struct race_page {
	_Atomic uint64_t floor;	   /* the latest beginning of what has ended */
	_Atomic uint32_t trimming; /* trims under way */
	_Atomic uint64_t trimmed;  /* the latest end of a trim */
};

struct race {
	struct model_disk *disk;
	uint64_t base; /* a whole page of the disk */
	_Atomic uint64_t clock;
	struct race_page page[RACE_PAGES];
	uint32_t versions_max;		       /* of each thread */
	_Atomic uint64_t *ended[RACE_THREADS]; /* of each version: 0 for not yet */
	uint32_t versions[RACE_THREADS];       /* so far, of each thread */
};

/* For threads that make so many versions each at most. */
void race_init(struct race *race, struct model_disk *disk, uint64_t base, uint32_t versions_max);
void race_done(struct race *race);

/* One request of a thread, through its model's door; it has buf for RACE_RANGE pages. */
#define RACE_RANGE 4u
void race_step(struct race *race, unsigned int thread, struct model *model, unsigned char *buf);

/* With no request under way: all pages have been made zeroes. */
void race_forgotten(struct race *race);

/* With no request under way: reads all pages. */
void race_compare(struct race *race, struct model *model);

#endif
