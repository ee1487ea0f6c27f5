/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "base/machine.h"
#include "base/request.h"
#include "server/fullness.h"
#include "server/quit.h"
#include "server/relief.h"
#include "server/server.h"
#include "server/teller.h"
#include "store/store.h"

/* The door itself has other work then than to wait for the log. */
static void watch_block_device(struct server *server)
{
	int device = atomic_load(&server->ublk_end.device), err;
	char line[UBLK_WHY_MAX];

	if (server->ublk_end_told || device == UBLK_ANY)
		return;
	server->ublk_end_told = true;
	err = server->ublk_end.error;
	if (server->params.swap != SWAP_OFF)
		atomic_fetch_add(&server->links_lost, 1);
	if (err)
		snprintf(line, sizeof(line),
			 "ublk: /dev/ublkb%d is served no more: %s: what is swapped out there "
			 "cannot be read any more",
			 device, strerror(-err));
	else
		snprintf(line, sizeof(line),
			 "ublk: somebody else has taken /dev/ublkb%d away: what is swapped out "
			 "there cannot be read any more",
			 device);
	server->log(line);
}

static void watch_link(struct server *server)
{
	char line[FULLNESS_LINE_MAX];

	if (!lost_link_look(&server->link, clients_inside(&server->clients), server->client,
			    &server->swap.disks))
		return;
	atomic_fetch_add(&server->links_lost, 1);
	snprintf(
		line, sizeof(line),
		"/dev/%s is connected to this server no more (nbd-client -d, or a time limit), and "
		"this machine swaps there: what is swapped out cannot be read: 'ramzswap stop' "
		"takes it down",
		server->link.device);
	server->log(line);
}

static void heed_group(struct server *server, uint64_t held)
{
	char line[GROUP_LIMIT_LINE_MAX];

	if (group_limit_look(&server->group, server->store, held, line, sizeof(line)))
		server->log(line);
}

static void tell_what_changed(struct server *server)
{
	struct ramzswap_stats stats = { 0 };
	struct machine_memory memory;
	char line[FULLNESS_LINE_MAX];
	uint64_t room;

	store_get_stats(server->store, &stats);
	heed_group(server, stats.mem_used_total);
	stats.group_limit = group_limit_of_groups(&server->group);
	machine_memory(server->meminfo, &memory);
	room = machine_room(&memory, server->swap_is_on);
	relief_watch(server, &memory);
	relief_tell(server);
	if (fullness_look(&server->fullness, &stats, room, line, sizeof(line)))
		server->log(line);
	if (store_backing_news(server->store, line, sizeof(line)))
		server->log(line);
}

/* To the last client who left; what the next one will want stays. */
static void give_requests_back(struct server *server)
{
	server_keep_buffers(server);
	heap_trim(server->protection.locked, server_warm_heap(server));
}

/*
 * The log may be a pipe that nobody reads, or a socket for which the kernel wants memory: who
 * writes to it has nothing else to do.
 */
unsigned int teller_step(void *opaque)
{
	struct server *server = opaque;

	if (server->params.swap != SWAP_OFF)
		swap_watch_look(&server->swap);
	quit_if_wanted(server);
	if (server->params.swap != SWAP_OFF)
		watch_link(server);
	watch_block_device(server);
	tell_what_changed(server);
	if (clients_have_gone(&server->clients, &server->clients_trimmed))
		give_requests_back(server);
	server_look_at_attachment(server);
	return FULLNESS_MS;
}
