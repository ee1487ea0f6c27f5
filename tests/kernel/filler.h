/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages that know who they are: each carries its own number and version, and a
 * filler that follows from these and compresses about as well as asked.  A page
 * that comes back from swap in another's place, in an older version, or torn
 * between two versions differs from what filler_make gives for it.
 */
#ifndef RAMZSWAP_TESTS_FILLER_H
#define RAMZSWAP_TESTS_FILLER_H

#include <stdbool.h>
#include <stdint.h>

#define FILLER_PAGE 4096

/* Ratios of 1 (does not compress) to 16 in tenths: 30 stands for 3:1. */
#define FILLER_RATIO_MIN 10
#define FILLER_RATIO_MAX 160

struct filler {
	uint64_t seed;
	unsigned int ratio; /* in tenths, the mean over many pages under LZO1X-1 */
};

/*
 * Writes the page that has this number and version.  Version 0 is a page never
 * written: all zeroes.
 */
void filler_make(const struct filler *filler, void *page, uint64_t number, uint32_t version);

/* Whether the page is exactly that. */
bool filler_verify(const struct filler *filler, const void *page, uint64_t number,
		   uint32_t version);

#endif
