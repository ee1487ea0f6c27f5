/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "server/block_device.h"
#include "server/server.h"
#include "ublk/ublk.h"

/* What ramzswap(8) asks of polling for NBD (preload/poll.c) is a bound here: 0 is never. */
static unsigned int poll_us(void)
{
	const char *text = getenv("RAMZSWAP_POLL_US");
	unsigned long asked = text ? strtoul(text, NULL, 10) : UBLK_POLL_US;

	return asked < UBLK_POLL_US ? (unsigned int)asked : UBLK_POLL_US;
}

int block_device_open(struct server *server, char *why, size_t why_size)
{
	const struct ublk_config config = {
		.store = server->store,
		.size = server->params.size,
		.number = server->params.ublk,
		.poll_us = poll_us(),
		.end = &server->ublk_end,
	};
	char line[UBLK_WHY_MAX];
	int err;

	if (server->params.ublk == UBLK_OFF)
		return 0;
	err = ublk_door_open(&server->ublk, &config, why, why_size);
	if (err)
		return err;
	protection_begin_requests();
	snprintf(line, sizeof(line), "ublk: the disk is /dev/ublkb%d",
		 ublk_door_number(server->ublk));
	server->note(line);
	return 0;
}
