/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What start has written down in RUN/state: words NAME=VALUE, in quotes where a value has blanks,
 * as a shell would set them; the last of a name counts.  Parsed, never run.
 */
#ifndef RAMZSWAP_TOOL_STATE_H
#define RAMZSWAP_TOOL_STATE_H

#include <stdbool.h>
#include <stddef.h>

struct host;

/* Bytes of the file at most. */
#define STATE_MAX 8192

/* A setting of the device's queue: what it was, and what start made of it; or both empty. */
struct state_setting {
	const char *had, *set;
};

enum { STATE_SCHEDULER, STATE_MAX_SECTORS, STATE_SETTINGS };

/* The names of these files below /sys/block/DEVICE/queue. */
extern const char *const state_settings[STATE_SETTINGS];

/* Strings are never NULL: what the file does not tell is empty. */
struct state {
	const char *device;	    /* /dev/nbdN or /dev/ublkbN */
	const char *name;	    /* of it, below /sys/block */
	bool ublk;		    /* the door; an older version has only the other */
	const char *door_why;	    /* how that came */
	const char *attached;	    /* the process that attached it, as the kernel has it; of ublk
				       its diskseq, which no two devices have */
	const char *control_socket; /* of the server */
	const char *guard;	    /* the program */
	const char *guarded;	    /* what it is started with: the socket, a blank, the server */
	const char *no_notices;	    /* why there are none */
	struct state_setting queue[STATE_SETTINGS];
	char text[STATE_MAX]; /* that all of these lie in */
};

/*
 * 0; -ENOENT where there is no such file; -EINVAL where it is no such text, or names no device that
 * start takes; -EFBIG.  *state is undefined then.
 */
int state_read(const struct host *host, struct state *state);

/* Of a text, which is copied. */
int state_parse(struct state *state, const char *text);

#endif
