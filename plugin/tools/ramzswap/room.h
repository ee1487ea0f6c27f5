/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether what is swapped out has room in memory and in other swap areas. */
#ifndef RAMZSWAP_TOOL_ROOM_H
#define RAMZSWAP_TOOL_ROOM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct host;

/*
 * One look, in bytes.  Swapping goes on while it is taken, tens of MB between two reads: memory
 * that is read first is in the swap area when that is read.  So what is set off against the area is
 * read before it and after it, and the lesser counts.
 */
struct room_look {
	uint64_t before, after;		  /* available without swap, or in the swap cache */
	uint64_t held_before, held_after; /* of the area, by the guard: free when it ends */
	uint64_t used;			  /* of the area, the guard's among it */
	uint64_t elsewhere;		  /* free in other areas */
};

/* What follows of it. */
struct room {
	uint64_t used; /* to be taken back, but for the guard's */
	uint64_t room; /* for that */
};

struct room room_of(const struct room_look *look);

/*
 * Of the area on a device; guard is the process, or 0 if none lives.  0; -ENOENT where nobody swaps
 * there; -EIO where the kernel does not tell: a look that failed is none.
 */
int room_measure(const struct host *host, const char *device, pid_t guard, struct room *room);

#endif
