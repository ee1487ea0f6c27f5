/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a read failed.  Whoever reads says before what it is about to read; if the read fails, all
 * that is known of it is printed: what the entries said before and say now, which record or payload
 * did not fit and what lies in its place, and whether the same read fails again.
 *
 * What fails inside is noted by functions that take the places of the real ones (--wrap of the
 * linker), of each thread by itself.  A test that has no use for that pays a few loads a read.
 */
#ifndef TESTS_STORE_WATCH_H
#define TESTS_STORE_WATCH_H

#include <stdint.h>
#include <stdio.h>

struct model_disk;

/* The first pages of a read; more are not looked at. */
#define WATCH_PAGES 16u

struct watch {
	uint64_t first;			/* page */
	uint32_t pages;			/* 0: there is nothing to be watched */
	uint64_t before[WATCH_PAGES];	/* entries, as they were seen */
	uint64_t failed_reads, misfits; /* of the backing store, and of checksums, so far */
};

/* Before a read.  Forgets what this thread noted until now. */
void watch_begin(struct watch *watch, const struct model_disk *disk, uint32_t count,
		 uint64_t offset);

/* After one that failed: prints what is known.  Returns how many of its pages fail again. */
unsigned int watch_explain(const struct watch *watch, const struct model_disk *disk, FILE *out);

#endif
