/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk over time: rows of what it has and what it did meanwhile, or a screen that is drawn again.
 */
#ifndef RAMZSWAP_WATCH_H
#define RAMZSWAP_WATCH_H

#include <stdbool.h>
#include <stdio.h>

#include "tools/disk.h"

struct watch {
	const char *socket;
	unsigned int seconds; /* between two looks, 1 or more */
	unsigned int count;   /* of looks; 0: without end */
	bool screen;	      /* out is a terminal that is drawn anew each time */
};

/* What a disk did between two looks, a second. */
struct watch_rates {
	double reads, writes;		/* requests */
	double freed;			/* pages */
	double backing_in, backing_out; /* bytes */
};

/* Of two looks that are so many seconds apart; a counter that went back was reset: it counts from
 * 0. */
void watch_rates(const struct ramzswap_stats *before, const struct ramzswap_stats *now,
		 double seconds, struct watch_rates *rates);

/* Until count, or the server does not answer.  0, or a negative errno with a line of why. */
int watch_disk(const struct watch *watch, FILE *out, char why[ASK_WHY_MAX]);

#endif
