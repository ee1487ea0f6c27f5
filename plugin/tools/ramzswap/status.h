/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is in force, as start and status show it. */
#ifndef RAMZSWAP_TOOL_STATUS_H
#define RAMZSWAP_TOOL_STATUS_H

struct host;

/*
 * Swap area, door, guard, protections, queue, notices.  The exit status: success if the server
 * lives and the kernel is attached to it; STATUS_OFF if there is no disk, EXIT_FAILURE otherwise.
 * Why it is no success is said.
 */
int status_show(struct host *host);

/* The same, and behind it the disk at one look. */
int status_show_all(struct host *host);

#endif
