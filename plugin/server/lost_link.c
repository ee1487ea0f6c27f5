/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "server/lost_link.h"

void lost_link_init(struct lost_link *link, uint64_t disk_bytes)
{
	memset(link, 0, sizeof(*link));
	link->sys_block = "/sys/block";
	link->disk_bytes = disk_bytes;
}

static void find_device(struct lost_link *link, long long client, bool surely,
			const struct swap_disks *disks)
{
	char device[QUEUE_NAME_MAX];

	if (queue_find(link->sys_block, link->disk_bytes, client, surely, device) &&
	    swap_disks_have(disks, device))
		strcpy(link->device, device);
}

bool lost_link_look(struct lost_link *link, unsigned int clients, long long client,
		    const struct swap_disks *disks)
{
	if (*link->device && !swap_disks_have(disks, link->device))
		*link->device = '\0';
	/* One that has gone may have come and swapped since the last look; others' is not ours. */
	if (!*link->device && swap_disks_have_of(disks, "nbd"))
		find_device(link, client, clients == 0, disks);
	if (clients > 0)
		link->alone = 0;
	return clients == 0 && *link->device && ++link->alone == LOST_LINK_LOOKS;
}
