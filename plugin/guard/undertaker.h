/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes swap away from a device whose server is dead, or that the kernel has lost the server of.
 *
 * A process of its own waits for that: whoever makes ballast waits for memory and for pages to be
 * written, which a dead server does not write before it is buried.
 *
 * swapoff reads ballast back as any memory, where its pages are noted beside their slots: more than
 * the machine may have.  It is the OOM killer's first choice then, again and again.  So ballast
 * goes first.
 */
#ifndef RAMZSWAP_UNDERTAKER_H
#define RAMZSWAP_UNDERTAKER_H

#include <stdbool.h>
#include <sys/types.h>

/* What the two processes tell each other. */
struct burial;

/* In memory that a child shares.  0, or a negative errno. */
int burial_make(struct burial **burial);

/* Whether swap is going to be taken away: the guard is to let go of what it holds of it. */
bool burial_begins(const struct burial *burial);

/* That it has. */
void burial_is_free(struct burial *burial);

/*
 * Starts it as a child, which ends with its parent: for the server behind a pidfd, its device and
 * its control socket; swaps is of machine_swaps_open.  The child's number, or -1 with errno.  To be
 * called before anything is locked.
 */
pid_t undertaker_start(int server, const char *device, const char *socket, int swaps,
		       struct burial *burial);

/* Whether the server behind a pidfd has ended, or does so within these milliseconds; -1: ever. */
bool undertaker_server_ends(int server, int ms);

/*
 * At once, where no guard was there when the server died: of a ublk device.  0, also where there is
 * no such device (any more), or a negative errno with *why set to more than that says, or NULL.
 */
int undertaker_bury(const char *device, const char **why);

#endif
