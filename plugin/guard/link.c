/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/link.h"

bool link_has_been(struct link *link, bool lost)
{
	link->alone = lost ? link->alone + 1 : 0;
	return link->alone >= LINK_LOOKS;
}

bool link_is_lost(struct link *link)
{
	struct ramzswap_stats stats;

	return link_has_been(link, ask_stats(link->socket, &link->answer, &stats) &&
					   stats.connections == 0);
}
