/* SPDX-License-Identifier: GPL-2.0-or-later */
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
