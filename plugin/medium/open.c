/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which kind of medium a name is of. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "medium/medium.h"

/* HOST:PORT, whose beginning was forgotten: else it would be made as a file. */
static bool looks_like_a_server(const char *where)
{
	const char *colon = strchr(where, ':');

	return colon && colon != where && !strchr(where, '/') && colon[1] &&
	       strspn(colon + 1, "0123456789") == strlen(colon + 1) && access(where, F_OK) != 0;
}

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
	if (looks_like_a_server(config->where)) {
		snprintf(why, why_size,
			 "is no file that is there: give nbd://%s for a server, or ./%s for a "
			 "file to be made",
			 config->where, config->where);
		return -EINVAL;
	}
	return medium_open_file(medium, config, why, why_size);
}
