/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disks of this machine: which control sockets there are, and what their servers say. */
#ifndef RAMZSWAP_FIND_H
#define RAMZSWAP_FIND_H

#include <stddef.h>

#include "tools/disk.h"

#define FIND_MAX 64

struct found {
	size_t count;
	char sockets[FIND_MAX][DISK_SOCKET_MAX];
};

/*
 * Sockets named control or *.control in /run, in a folder of /run, and where users have theirs
 * ($XDG_RUNTIME_DIR); and those that running servers were started with.  Sorted, each once.
 */
void find_sockets(struct found *found);

/*
 * Asks so many servers.  disks[i] is of sockets[i], and failed, if not NULL, is called for each
 * that does not answer, with a line of why; its name and socket are there all the same.  Disks that
 * would be called the same are called by their sockets.  How many answered; disks[i].answers says
 * which.
 */
size_t find_ask(struct disk *disks, const char *const *sockets, size_t count,
		void (*failed)(const char *socket, const char *why));

#endif
