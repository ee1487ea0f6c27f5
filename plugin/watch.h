/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Says what the keeper of a disk should know, once each time that it becomes true,
 * however many requests meet it: nearly full, full, room again.
 */
#ifndef RAMZSWAP_WATCH_H
#define RAMZSWAP_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ramzswap_stats;

/* Room for any line. */
#define WATCH_LINE_MAX 512

/* A zeroed one is right to begin with. */
struct watch {
	bool warned;	   /* nearly full was said */
	bool full;	   /* full was said */
	uint64_t failures; /* failed writes when it was last looked at */
};

/*
 * Compares the statistics with what was said last.  Whether there is something to
 * say: one line, without a newline.  No allocation; one thread at a time.
 */
bool watch_look(struct watch *watch, const struct ramzswap_stats *stats, char *line, size_t size);

#endif
