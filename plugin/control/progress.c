/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/progress.h"

int control_progress_format(const struct control_progress *progress, char *text, size_t size)
{
	int len = snprintf(text, size,
			   "command %s\nmilliseconds %" PRIu64 "\ndone %" PRIu64 "\ntotal %" PRIu64
			   "\nround %" PRIu64 "\n",
			   progress->command, progress->milliseconds, progress->done,
			   progress->total, progress->round);

	return len < 0 || (size_t)len >= size ? -ENOSPC : len;
}

static void take_number(struct control_progress *progress, const char *name, const char *value)
{
	const struct {
		const char *name;
		uint64_t *value;
	} numbers[] = {
		{ "milliseconds", &progress->milliseconds },
		{ "done", &progress->done },
		{ "total", &progress->total },
		{ "round", &progress->round },
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (!strcmp(name, numbers[i].name))
			*numbers[i].value = strtoull(value, NULL, 10);
}

int control_progress_parse(struct control_progress *progress, const char *text)
{
	struct control_progress parsed = { "", 0, 0, 0, 0 };

	while (*text) {
		size_t length = strcspn(text, "\n");
		char line[64], *blank;

		snprintf(line, sizeof(line), "%.*s", (int)(length < 63 ? length : 63), text);
		text += length + (text[length] == '\n');
		blank = strchr(line, ' ');
		if (!blank)
			continue;
		*blank = '\0';
		if (!strcmp(line, "command"))
			snprintf(parsed.command, sizeof(parsed.command), "%.15s", blank + 1);
		else
			take_number(&parsed, line, blank + 1);
	}
	/* It is shown on a terminal. */
	if (!*parsed.command ||
	    strspn(parsed.command, "abcdefghijklmnopqrstuvwxyz") != strlen(parsed.command))
		return -EBADMSG;
	*progress = parsed;
	return 0;
}
