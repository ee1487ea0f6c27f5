/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One look at a disk: what a person asks first, in a few lines.
 *
 *	849 MiB stored in 499 MiB of memory: 350 MiB won, 1.70 to 1
 *	  disk    ###...........................  10% of 8.0 GiB
 *	  memory  #######.......................  24% of memlimit 2.0 GiB
 *	  pages   0% same-filled, 39% to a half or less, 49% less well, 12% not at all
 *	  safe    locked, IO flusher, OOM score, real time, guard: all in force
 *
 * A line of what is not there is left out, or says none.
 */
#ifndef RAMZSWAP_LOOK_H
#define RAMZSWAP_LOOK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/stats.h"
#include "control/control.h"

enum look_guard {
	LOOK_GUARD_NONE, /* the disk is not to have one, or it is not known */
	LOOK_GUARD_LIVES,
	LOOK_GUARD_MISSING,
};

struct look {
	const struct ramzswap_stats *stats;
	const struct control_about *about; /* NULL: the server does not tell */
	uint64_t ram;			   /* of the machine, in bytes; 0: not known */
	enum look_guard guard;
	bool plain; /* bars in ASCII: see figures_are_plain */
};

/* Writes the lines and flushes the stream.  0, or a negative errno if it fails. */
int look_write(const struct look *look, FILE *out);

#endif
