/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes back what a start has begun, or left when it died. */
#ifndef RAMZSWAP_TOOL_UNDO_H
#define RAMZSWAP_TOOL_UNDO_H

#include <stdbool.h>

struct host;

/*
 * Steps by their names, in this order: swap, device, queue, server, kernel, files.  All of them may
 * be taken back that were not begun.  The first that fails ends it: if the kernel cannot do without
 * its swap, all the rest stays, too.  The exit status; why is said.  The caller has the lock.
 */
int undo_steps(struct host *host, char *const steps[]);

/* Whether this is the name of a step. */
bool undo_knows(const char *step);

/*
 * For a new start: an earlier one that still runs is an error; what one that died left is removed.
 * The exit status; why is said.  The caller has the lock.
 */
int undo_leftovers(struct host *host);

/* Removes what is of no use without a disk. */
void undo_files(struct host *host);

#endif
