/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdbool.h>
#include <stddef.h>

#include "server/quit.h"
#include "server/server.h"
#include "ublk/ublk.h"

/*
 * Swap that this machine has on may be another server's, but no nbd device swaps to a server
 * without a connection: what was stored through one that is lost the kernel has given up, and
 * memory is wanted.  nbd-client's -persist, which replaces a lost one, has done so by the next
 * look.  From connect to swapon it cannot be told whose swap is on: a connection counts at once.
 */
static bool may_hold_swap(struct server *server, unsigned int clients)
{
	server->looks_alone = clients > 0 ? 0 : server->looks_alone + 1;
	return server->looks_alone < 2 && (server->swap.to_nbd || protection_swap_is_on());
}

/*
 * Whether somebody would lose what he has here.  Nobody may come between this look and the end: the
 * door is held, and a device of ours is taken.
 */
static bool is_needed(struct server *server, unsigned int clients, const char **why)
{
	*why = NULL;
	if (may_hold_swap(server, clients)) {
		if (clients > 0)
			*why = "asked to quit, but this machine swaps to an nbd device, or to what "
			       "lies on one: going on until swapoff, or until no client is "
			       "connected";
		return true;
	}
	if (!server->ublk || ublk_door_claim(server->ublk) == 0)
		return false;
	*why = "asked to quit, but this machine swaps to the ublk device, or has it mounted: "
	       "going on until swapoff, or umount";
	return true;
}

/* A server that swap depends on does not go away because it is asked to. */
void quit_if_wanted(struct server *server)
{
	const char *why;

	if (!server->signals_held || !protection_quit_wanted())
		return;
	if (is_needed(server, clients_hold(&server->clients), &why)) {
		clients_release(&server->clients);
		if (server->quit_put_off || !why)
			return;
		server->log(why);
		server->quit_put_off = true;
		return;
	}
	clients_close(&server->clients);
	server->signals_held = false;
	server->quit();
}
