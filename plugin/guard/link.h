/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the kernel is still connected to a server that lives.
 *
 * Somebody may disconnect the device behind all backs, or the kernel gives the connection up (a
 * time limit, an error in the middle of a request).  To the kernel's swap that is as if the server
 * were dead: every request fails from then on, for as long as the device is open.  The kernel does
 * not tell: as long as somebody swaps there /sys has the device as attached.  The server
 * knows, for it has lost its client.  Of a ublk device the kernel tells (heir.h).
 *
 * Of one thread, that of the undertaker.
 */
#ifndef RAMZSWAP_GUARD_LINK_H
#define RAMZSWAP_GUARD_LINK_H

#include <stdbool.h>

#include "guard/ask.h"

/*
 * How often it is looked, and how many looks in a row must find nobody.  The server, which looks
 * for one second (server/lost_link.h), has said what was lost by then.
 */
#define LINK_LOOK_MS 500
#define LINK_LOOKS 4

/* All but socket begins as zeroes. */
struct link {
	const char *socket; /* of the server's control */
	unsigned int alone; /* looks in a row that found it lost */
	struct ask_answer answer;
};

/* Looks once: whether lost is so for the LINK_LOOKS-th time in a row. */
bool link_has_been(struct link *link, bool lost);

/*
 * Looks once.  Whether the server has had no client at LINK_LOOKS looks in a row: one that does not
 * answer is not known to have none.
 */
bool link_is_lost(struct link *link);

#endif
