/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes swap away and all the rest down, or says why not: then nothing was changed, and swap goes
 * on.
 */
#ifndef RAMZSWAP_TOOL_STOP_H
#define RAMZSWAP_TOOL_STOP_H

#include <stdbool.h>

#include "tools/ramzswap/room.h"

struct host;
struct state;

/* What stop sees before it looks for room. */
struct stop_view {
	bool forced;
	bool server_lives; /* the process that the disk names */
	bool served;	   /* somebody listens on its socket */
	bool swaps;	   /* the kernel, to a device that is still ours */
	bool marks_lost;   /* swapoff does, what it cannot read */
	bool lost;	   /* the server lives, and the kernel is connected to it no more */
};

enum stop_verdict {
	STOP_NAMELESS,	 /* a server lives, and it is not known which process it is */
	STOP_WRONG,	 /* programs would get wrong pages: refused once the device is let go */
	STOP_BURY,	 /* the server is dead, or lost: all goes without a question */
	STOP_IF_IT_FITS, /* once there is room in memory for what is swapped out */
	STOP_AT_ONCE,
};

enum stop_verdict stop_judge(const struct stop_view *view);

/* Up to so long stop waits for room, which comes back by and by. */
#define STOP_ROOM_MS 15000

/*
 * Whether what is swapped out fits, or comes to: 0, or -ENOMEM; -EINTR if a user did not want to
 * wait. *room is what was seen last.  A terminal sees how long it still waits.
 */
int stop_await_room(struct host *host, const struct state *state, struct room *room);

/*
 * Ends the guard, and has the kernel swap there no more.  The exit status: where it fails why is
 * said, and all is as it was.
 */
int stop_take_swap_away(struct host *host, const struct state *state);

/* Says that a user has ended it, and that swap goes on.  The exit status. */
int stop_say_interrupted(struct host *host, const struct state *state);

/* All of it.  RUN/state is there and locked by the caller.  The exit status; why is said. */
int stop_disk(struct host *host, bool forced);

#endif
