/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a model test decides by: a random generator that can be replayed, or the bytes that a
 * fuzzer made up.
 */
#ifndef TESTS_CHOICES_H
#define TESTS_CHOICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pages.h"

struct choices {
	struct rng rng;
	const unsigned char *bytes; /* NULL: the generator decides */
	size_t left;
};

/* Whether there is something to decide by: bytes come to an end, a generator does not. */
static inline bool choices_left(const struct choices *choices)
{
	return !choices->bytes || choices->left > 0;
}

/* A number below bound, which is at least 1; 0 where bytes have come to an end. */
static inline uint64_t choose(struct choices *choices, uint64_t bound)
{
	uint64_t value = 0;

	if (!choices->bytes)
		return rng_below(&choices->rng, bound);
	for (uint64_t rest = bound - 1; rest && choices->left; rest >>= 8, choices->left--)
		value = value << 8 | *choices->bytes++;
	return value % bound;
}

#endif
