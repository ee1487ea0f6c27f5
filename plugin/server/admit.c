/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the kernel may write to the disk, as it has attached it, and what is kept ready for it. */
#include <stdio.h>

#include "server/request_memory.h"
#include "server/server.h"

/* again: whether all was fine not long ago is enough. */
static void look(struct server *server, bool again)
{
	char why[ATTACHMENT_WHY_MAX], line[ATTACHMENT_WHY_MAX + 96];

	if (!(again ? attachment_look_again : attachment_look)(&server->attachment, why,
							       sizeof(why)))
		return;
	snprintf(line, sizeof(line), "%s: %s",
		 server->params.swap == SWAP_STRICT
			 ? "swap=strict: writes are refused until swap of this machine is safe"
			 : "warning: not safe as swap of this machine",
		 why);
	server->log(line);
}

static bool watches_attachment(const struct server *server)
{
	return server->params.swap != SWAP_OFF;
}

void server_expect_client(struct server *server, long long client)
{
	atomic_store(&server->client, client);
	if (watches_attachment(server))
		attachment_expect(&server->attachment);
}

bool server_admits_write(struct server *server)
{
	const struct attachment *attachment = &server->attachment;

	if (!watches_attachment(server) || attachment->verdict == ATTACHMENT_FINE)
		return true;
	/* A write of swap waits for nothing: it is too late to refuse one. */
	if (server->swap_is_on)
		return true;
	if (attachment->verdict == ATTACHMENT_UNKNOWN)
		look(server, false);
	return server->params.swap != SWAP_STRICT || attachment->verdict != ATTACHMENT_UNSAFE ||
	       protection_swap_is_on();
}

void server_look_at_attachment(struct server *server)
{
	if (watches_attachment(server) && clients_inside(&server->clients) > 0)
		look(server, true);
}

static bool swap_comes_by_nbd(const struct server *server)
{
	return server->params.ublk == UBLK_OFF;
}

/* What is made resident as it is touched counts as no fault of a request at the start. */
void server_keep_buffers(struct server *server)
{
	if (server->protection.locked)
		(void)request_memory_keep(swap_comes_by_nbd(server) ? 1 : 0, REQUEST_SWAP);
}

size_t server_warm_heap(const struct server *server)
{
	return swap_comes_by_nbd(server) ? HEAP_WARM_NBD : HEAP_WARM_UBLK;
}
