/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands in for the room where liburing is missing. */
#include <errno.h>
#include <stdio.h>

#include "ublk/ublk.h"

int ublk_door_check(int number, char *why, size_t why_size)
{
	snprintf(why, why_size, "ublk: this plugin was built without it (liburing)");
	return -EOPNOTSUPP;
}

int ublk_door_find(int *number, char *why, size_t why_size)
{
	return ublk_door_check(UBLK_ANY, why, why_size);
}

int ublk_door_open(struct ublk_door **door, const struct ublk_config *config, char *why,
		   size_t why_size)
{
	return ublk_door_check(config->number, why, why_size);
}

void ublk_door_close(struct ublk_door *door)
{
}

int ublk_door_claim(struct ublk_door *door)
{
	return 0;
}

void ublk_door_release(struct ublk_door *door)
{
}

int ublk_door_number(const struct ublk_door *door)
{
	return UBLK_ANY;
}
