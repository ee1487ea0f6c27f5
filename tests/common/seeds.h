/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A test by seeds, each a process of its own: so one that ends or hangs is told, and how to have it
 * again.  The program takes --seed FIRST, --seeds N, --operations N (of each seed), --patience
 * SECONDS (where others want the processor, a seed takes long) and --verbose.
 */
#ifndef TESTS_SEEDS_H
#define TESTS_SEEDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct seeds_options {
	uint64_t seed;
	uint64_t seeds;
	uint64_t operations;	 /* of each */
	unsigned int patience_s; /* a seed may take so long, and a second for each thousand */
	bool verbose;
};

/* What processes have done: in memory that is shared with who started them. */
struct seeds_tally {
	atomic_uint_least64_t operations, failures, errors, resets;
};

extern struct seeds_options seeds_options;
extern struct seeds_tally *seeds_tally;

struct seeds_test {
	const char *name;
	struct seeds_options defaults;
	void (*run)(uint64_t seed);	    /* ends the process on the first wrong byte */
	const char *(*kind)(uint64_t seed); /* of what it is made, for people */
	const char *(*crew)(uint64_t seed);
};

/* Ends the process with a line. */
void seeds_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Takes main's place. */
int seeds_main(int argc, char **argv, const struct seeds_test *test);

#endif
