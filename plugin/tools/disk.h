/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk as its server, and the processes of this machine, tell of it. */
#ifndef RAMZSWAP_DISK_H
#define RAMZSWAP_DISK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/stats.h"
#include "control/control.h"
#include "tools/ask.h"
#include "tools/look.h"

#define DISK_SOCKET_MAX 108 /* of a Unix socket's path, with its NUL */

/* The exit status of a look where there is no disk: systemctl(1)'s for what is not running. */
#define STATUS_OFF 3

struct disk {
	char socket[DISK_SOCKET_MAX];
	char name[DISK_SOCKET_MAX]; /* what to call it, of the socket's path */
	struct ramzswap_stats stats;
	struct control_about about;			    /* if tells: an older server does not */
	struct histogram_state histograms[HISTOGRAM_KINDS]; /* if measures: the same */
	bool answers, tells, measures;
	char device[32]; /* that the guard watches over, as /dev/nbd0; empty if it is not known */
	enum look_guard guard;
};

/*
 * Asks the server behind a socket for all of this.  0, or a negative errno with a line of why; the
 * disk has its socket and name in any case.
 */
int disk_ask(struct disk *disk, const char *socket, char why[ASK_WHY_MAX]);

/* One look at it; see look.h. */
int disk_look(const struct disk *disk, FILE *out);

/* The name of the disk behind a socket: /run/ramzswap/control is ramzswap, /run/vm1.control is vm1.
 */
void disk_name(const char *socket, char name[DISK_SOCKET_MAX]);

#endif
