/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Says what the keeper of a disk should know, once each time that it becomes true,
 * however many requests meet it: nearly full, full, room again.
 */
#ifndef RAMZSWAP_FULLNESS_H
#define RAMZSWAP_FULLNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ramzswap_stats;

/* Room for any line. */
#define FULLNESS_LINE_MAX 512

/* How often it is looked. */
#define FULLNESS_MS 500

/* What a machine has left whose memory is not known. */
#define FULLNESS_ROOM_UNKNOWN UINT64_MAX

/* A zeroed one is right to begin with. */
struct fullness {
	bool warned;	   /* nearly full was said */
	bool full;	   /* full was said */
	bool by_limit;	   /* what was said was of memlimit, not of the machine's memory */
	unsigned int calm; /* looks in a row that found nothing to warn of */
	uint64_t failures; /* failed writes when it was last looked at */
};

/*
 * Compares the statistics with what was said last.  room is what the machine could give the
 * disk beside what it has, in bytes (machine_room), or FULLNESS_ROOM_UNKNOWN: the end of a disk
 * without memlimit.  Whether there is something to say: one line, without a newline.  No
 * allocation; one thread at a time, every FULLNESS_MS.
 */
bool fullness_look(struct fullness *fullness, const struct ramzswap_stats *stats, uint64_t room,
		   char *line, size_t size);

#endif
