/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may be set of a disk of swap, and what values that may have.
 */
#ifndef RAMZSWAP_SETTINGS_KEYS_H
#define RAMZSWAP_SETTINGS_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest value. */
#define VALUE_MAX 256

enum key_kind {
	KEY_SIZE,   /* a size, a share of RAM, or computed of such (expression.h) */
	KEY_NUMBER, /* min to max */
	KEY_WORD,   /* one of the words */
	KEY_TEXT,   /* whatever is not empty; whoever uses it has the last word */
};

struct key {
	const char *name;     /* as it is written; "-" and "_" are the same in it */
	const char *variable; /* of scripts/ramzswap; NULL: a parameter of the plugin */
	enum key_kind kind;
	unsigned long min, max; /* KEY_NUMBER */
	const char *words; /* that it may be as well, in a list with a blank around each; or NULL */
};

/* All keys; the last has no name. */
extern const struct key keys[];

/* The key of this name, in upper or lower case, or NULL. */
const struct key *key_find(const char *name);

/* The key whose name is nearest to this one, or NULL if none is near. */
const struct key *key_near(const char *name);

/*
 * Whether the key may have this value; ram is what shares are of, in bytes.  What ramzswap is to be
 * told, which is the value or what was computed, goes to out (VALUE_MAX bytes).  If it may not, why
 * (of why_size bytes) has one line, and out is untouched.
 */
bool key_value(const struct key *key, const char *value, uint64_t ram, char *out, char *why,
	       size_t why_size);

#endif
