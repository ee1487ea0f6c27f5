/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "base/polling.h"
#include "server/block_device.h"
#include "server/server.h"
#include "ublk/ublk.h"

int block_device_open(struct server *server, char *why, size_t why_size)
{
	const struct ublk_config config = {
		.store = server->store,
		.size = server->params.size,
		.number = server->params.ublk,
		.poll_us = polling_longest_us(UBLK_POLL_US),
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
