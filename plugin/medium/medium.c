/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "medium/medium.h"

bool medium_block_is_ours(const void *block)
{
	const unsigned char *bytes = block;

	if (memcmp(block, MEDIUM_MARK, sizeof(MEDIUM_MARK) - 1) == 0)
		return true;
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, MEDIUM_BLOCK_MAX - 1) == 0;
}

static bool begins_with(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

bool medium_is_remote(const char *where)
{
	static const char *const schemes[] = {
		"nbd:", "nbds:", "nbd+unix:", "nbds+unix:", "nbd+vsock:", "nbds+vsock:",
	};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (begins_with(where, schemes[i]))
			return true;
	return false;
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
	return medium_open_file(medium, config, why, why_size);
}
