/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In place of nbd.c where libnbd is missing. */
#include <errno.h>
#include <stdio.h>

#include "medium/medium.h"

int medium_open_nbd(struct medium **medium, const struct medium_config *config, char *why,
		    size_t why_size)
{
	snprintf(why, why_size,
		 "is an NBD URI, and this build has no libnbd: give a file or a block "
		 "device, or build with libnbd");
	return -EOPNOTSUPP;
}
