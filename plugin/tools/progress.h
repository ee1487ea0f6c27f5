/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far something is that takes long, and how long it will still take: a line that is drawn
 * again and again where it stands, on a terminal, and nothing elsewhere.
 *
 *	recompress: 43%, about 1 min 20 s left
 *
 * The time left is by what was done of late, as what is at hand may be slower or faster than what
 * came before.  No function here allocates.
 */
#ifndef RAMZSWAP_PROGRESS_H
#define RAMZSWAP_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* How often to look, and how many looks "of late" is. */
#define PROGRESS_LOOK_MS 500
#define PROGRESS_LOOKS 32

#define PROGRESS_LINE_MAX 128

struct progress_look {
	uint64_t milliseconds; /* since the start */
	uint64_t done, total;  /* total 0: not known */
	uint64_t round;	       /* 0 and 1 are the first */
};

struct progress {
	FILE *out; /* NULL: nobody sees it */
	bool drawn;
	unsigned int count;
	struct progress_look looks[PROGRESS_LOOKS]; /* of one round; the oldest is overwritten */
};

/* Nobody sees it where the stream is no terminal, or one that cannot go back in a line. */
void progress_begin(struct progress *progress, FILE *stream);

static inline bool progress_is_seen(const struct progress *progress)
{
	return progress->out != NULL;
}

/* Takes a look in.  One of another round forgets those before. */
void progress_take(struct progress *progress, const struct progress_look *look);

/* Seconds that are left by the looks, UINT64_MAX if they do not tell.  */
uint64_t progress_left(const struct progress *progress);

/* The line of the last look, without an end.  Returns text. */
const char *progress_line(const struct progress *progress, const char *what,
			  char text[PROGRESS_LINE_MAX]);

/* Takes a look in, and draws the line. */
void progress_show(struct progress *progress, const char *what, const struct progress_look *look);

/* Leaves an empty line, for what comes next. */
void progress_end(struct progress *progress);

#endif
