/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands in for heir.c where liburing is missing: no server of ours has a ublk device then. */
#include <errno.h>
#include <stddef.h>

#include "guard/heir.h"

bool heir_is_for(const char *device)
{
	return false;
}

int heir_prepare(struct heir **heir, const char *device)
{
	return -EOPNOTSUPP;
}

bool heir_owner_lives(const struct heir *heir)
{
	return false;
}

bool heir_is_wanted(struct heir *heir)
{
	return false;
}

bool heir_take_over(struct heir *heir)
{
	return false;
}

void heir_pass_time(struct heir *heir, unsigned int ms)
{
}

int heir_finish(struct heir *heir)
{
	return -EOPNOTSUPP;
}
