/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Test data: a small random generator that can be replayed, and bytes of the
 * kinds that a compressed disk treats differently.
 */
#ifndef TESTS_PAGES_H
#define TESTS_PAGES_H

#include <stddef.h>
#include <stdint.h>

#define TEST_PAGE_SIZE 4096u

/* Any value of state is a good seed. */
struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *rng);

/* A number from 0 to bound - 1; bound is at least 1. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

/* The seed of a random test: $RAMZSWAP_TEST_SEED, or the default that is given.  Prints it. */
uint64_t rng_seed(uint64_t by_default);

/*
 * How much a long test shall do, in percent: $RAMZSWAP_TEST_SCALE, or 100.  Builds
 * with sanitizers run at less.
 */
unsigned int test_scale(void);

enum data_kind {
	DATA_ZERO,   /* zeroes */
	DATA_SAME,   /* one 8-byte word, not zero, repeated */
	DATA_TEXT,   /* words of a small vocabulary: compresses well */
	DATA_STRUCT, /* small numbers and pointers: compresses to about a half */
	DATA_SPARSE, /* zeroes with a few bytes set */
	DATA_MIXED,  /* random bytes in front, zeroes behind, the border anywhere */
	DATA_RANDOM, /* does not compress */
	DATA_KINDS,
};

/* Fills size bytes at data. */
void data_fill(struct rng *rng, enum data_kind kind, void *data, size_t size);

/* Fills size bytes at data, each piece of up to a page with a kind of its own. */
void data_fill_any(struct rng *rng, void *data, size_t size);

/* Whether all size bytes are zero. */
int data_is_zero(const void *data, size_t size);

/* The first position where a and b differ, or size. */
size_t data_differs(const void *a, const void *b, size_t size);

#endif
