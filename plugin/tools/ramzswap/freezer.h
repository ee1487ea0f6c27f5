/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stops all programs that might wait for a page of a server, while it still answers.
 *
 * The kernel stops all processes in no order when it suspends the machine.  Whoever waits for a
 * page then cannot be stopped, as the server is, and after 20 seconds the kernel gives up.  So
 * control groups are frozen before: of version 2, or the freezer of version 1.  Spared are the
 * groups of those that serve, of process 1 and of whoever asked for it; the members of the root,
 * which cannot be frozen, go into a group of ours meanwhile.
 */
#ifndef RAMZSWAP_TOOL_FREEZER_H
#define RAMZSWAP_TOOL_FREEZER_H

#include <stdbool.h>

struct host;

/*
 * Freezes, and keeps in RUN/asleep what is to be let go.  0; -ENOSYS where there is no freezer; or
 * another negative errno: nothing is frozen then.  *slow is set if a group was not frozen within
 * ten seconds: then the kernel may succeed or not.
 */
int freezer_stop_all(struct host *host, bool *slow);

/* Lets go what RUN/asleep says, and removes that.  Nothing where there is no such file. */
void freezer_let_go(struct host *host);

#endif
