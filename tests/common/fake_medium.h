/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A medium in memory that fails when it is told to. */
#ifndef RAMZSWAP_FAKE_MEDIUM_H
#define RAMZSWAP_FAKE_MEDIUM_H

#include <stdatomic.h>
#include <stdbool.h>

#include "medium/medium.h"

struct fake_medium {
	struct medium medium;
	unsigned char *bytes;
	uint64_t real_size;	/* what is written behind it goes to its beginning again */
	atomic_int write_error; /* errno that writes fail with; 0 for none */
	atomic_int write_fails; /* how many of them; negative: all */
	atomic_int read_error;
	atomic_bool hold; /* reads and writes wait until it is false again */
	atomic_uint_least64_t hold_from, hold_to;	  /* if set, those of this range alone */
	atomic_uint held;				  /* how many wait */
	atomic_uint_least64_t bad_from, bad_to;		  /* this range does not take writes */
	atomic_uint_least64_t bad_read_from, bad_read_to; /* nor this one reads */
	atomic_uint writes, reads, discards;
	atomic_uint_least64_t bytes_read;
	atomic_uint misaligned; /* requests that were no whole blocks */
};

/* size is what the medium says of itself; real_size what it has, 0 for the same. */
struct fake_medium *fake_medium_new(uint64_t size, uint64_t real_size);

/* After the store that owned it is gone. */
void fake_medium_free(struct fake_medium *fake);

#endif
