/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the kernel swaps to this disk without being connected to it any more: somebody has
 * disconnected its device (nbd-client -d), or a time limit has.  For as long as somebody swaps
 * there the kernel shows the device as attached; the server has lost its client.
 */
#ifndef RAMZSWAP_LOST_LINK_H
#define RAMZSWAP_LOST_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/swap_disks.h"
#include "survival/survival.h"

/* So many looks in a row must find no client: one that comes back at once has lost nothing. */
#define LOST_LINK_LOOKS 2

struct lost_link {
	const char *sys_block; /* /sys/block */
	uint64_t disk_bytes;
	char device[QUEUE_NAME_MAX]; /* of ours that is swap; empty while none is known */
	unsigned int alone;	     /* looks in a row without a client */
};

void lost_link_init(struct lost_link *link, uint64_t disk_bytes);

/*
 * Looks once.  clients are inside now; client is the process of the last that came, or 0; disks
 * are what this machine swaps to.  True once, when the link is found lost, of link->device.  May
 * allocate.
 */
bool lost_link_look(struct lost_link *link, unsigned int clients, long long client,
		    const struct swap_disks *disks);

#endif
