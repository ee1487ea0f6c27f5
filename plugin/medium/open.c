/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which kind of medium a name is of. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "medium/medium.h"

int medium_open(struct medium **medium, const struct medium_config *config, char *why,
		size_t why_size)
{
	if (*config->where == '\0') {
		snprintf(why, why_size,
			 "is empty: give a file, a block device or a URI "
			 "such as nbd://host/export");
		return -EINVAL;
	}
	if (medium_is_remote(config->where))
		return medium_open_nbd(medium, config, why, why_size);
	if (strstr(config->where, "://")) {
		snprintf(why, why_size,
			 "is no URI of an NBD server: one begins with nbd://, "
			 "nbds:// or nbd+unix://");
		return -EINVAL;
	}
	return medium_open_file(medium, config, why, why_size);
}
