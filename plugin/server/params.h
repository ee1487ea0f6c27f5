/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plugin's parameters: from what stands on the command line to values that
 * agree with one another.
 */
#ifndef RAMZSWAP_PARAMS_H
#define RAMZSWAP_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct codec;

/* Room for any message of params_set and params_complete. */
#define PARAMS_WHY_MAX 512

enum swap_mode {
	SWAP_OFF,    /* an ordinary disk: no protection */
	SWAP_AUTO,   /* every protection that can be had */
	SWAP_STRICT, /* every protection, or no start */
};

struct params {
	uint64_t ram;	   /* of this machine, in bytes: what shares are of */
	uint64_t size;	   /* 0 until known */
	uint64_t memlimit; /* UINT64_MAX for none */
	uint64_t reserve;  /* UINT64_MAX until chosen */
	const struct codec *codec;
	const struct codec *idle_codec; /* of recompression; NULL until chosen */
	enum swap_mode swap;
	uint64_t dictionary;		 /* bytes at most; 0 for off, UINT64_MAX until chosen */
	unsigned int recompress_seconds; /* 0 for off */
	unsigned int recompress_percent;
	int ublk;		      /* number of the device, UBLK_ANY or UBLK_OFF */
	const char *control;	      /* path, or NULL; the caller keeps the text */
	const char *backing;	      /* file, block device or NBD URI, or NULL; the same */
	uint64_t backing_size;	      /* bytes; 0 for what is there */
	uint64_t backing_budget;      /* bytes a day; 0 for no limit */
	uint64_t backing_rate;	      /* bytes a second; 0 for no limit */
	unsigned int backing_timeout; /* seconds */
	bool backing_encrypt;
	bool backing_force;
};

/* The defaults, as far as they do not depend on other parameters. */
void params_init(struct params *params, uint64_t ram);

/*
 * Sets one parameter.  0; -ENOENT if there is no parameter of that name; -EINVAL
 * for a value that it does not take.  Then nothing is changed and why holds one line
 * that says what was wrong and what would be right.  value must stay.
 */
int params_set(struct params *params, const char *key, const char *value, char *why,
	       size_t why_size);

/* Fills in what was not given and checks all together.  0 or -EINVAL, with why. */
int params_complete(struct params *params, char *why, size_t why_size);

const char *swap_mode_name(enum swap_mode mode);

#endif
