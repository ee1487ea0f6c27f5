/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The statistics of the server that is guarded, by its control socket. */
#ifndef RAMZSWAP_GUARD_ASK_H
#define RAMZSWAP_GUARD_ASK_H

#include <stdbool.h>

#include "control/control.h"

/* Room for an answer: of whoever asks, who has no memory to spare when he does. */
struct ask_answer {
	char text[CONTROL_STATS_MAX + 1];
};

/*
 * Asks the server behind a control socket.  False, and *stats untouched, where it does not answer
 * within two seconds.  No allocation.
 */
bool ask_stats(const char *socket, struct ask_answer *answer, struct ramzswap_stats *stats);

#endif
