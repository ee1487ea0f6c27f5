/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/link.h"

bool link_is_lost(struct link *link)
{
	struct ramzswap_stats stats;

	if (!ask_stats(link->socket, &link->answer, &stats) || stats.connections > 0)
		link->alone = 0;
	else
		link->alone++;
	return link->alone >= LINK_LOOKS;
}
