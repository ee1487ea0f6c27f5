/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this machine swaps to, in the end: looked up anew when its swap areas change. */
#ifndef RAMZSWAP_SWAP_WATCH_H
#define RAMZSWAP_SWAP_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/swap_disks.h"

struct swap_watch {
	int swaps;		 /* of machine_swaps_open */
	uint64_t names;		 /* of swap_disks_changed */
	unsigned int age;	 /* looks since it was looked up */
	struct swap_disks disks; /* of one thread */
	atomic_bool to_nbd, to_ublk;
};

void swap_watch_open(struct swap_watch *watch);
void swap_watch_close(struct swap_watch *watch);

/*
 * Looks twice a second, by one thread.  What changes below an area (pvmove) is seen within half a
 * minute.  Allocates where there is something to look up.
 */
void swap_watch_look(struct swap_watch *watch);

/* Whether swap lies on an nbd device, or on a ublk one: perhaps ours.  Any thread, at any time. */
static inline bool swap_watch_sees_any(const struct swap_watch *watch)
{
	return atomic_load_explicit(&watch->to_nbd, memory_order_relaxed) ||
	       atomic_load_explicit(&watch->to_ublk, memory_order_relaxed);
}

#endif
