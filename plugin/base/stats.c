/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/stats.h"

#define FIELD(name, label, unit, kind, help) \
	{ #name, label, STATS_##unit, STATS_##kind, help, offsetof(struct ramzswap_stats, name) },
const struct stats_field stats_fields[STATS_FIELD_COUNT] = { STATS_FIELDS(FIELD) };

int stats_format_plain(const struct ramzswap_stats *stats, char *buf, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < STATS_FIELD_COUNT; i++) {
		int len = snprintf(buf + used, size - used, "%s %" PRIu64 "\n",
				   stats_fields[i].name, stats_value(stats, i));

		if (len < 0 || (size_t)len >= size - used)
			return -ENOSPC;
		used += (size_t)len;
	}
	return (int)used;
}

/* The field of this name, or STATS_FIELD_COUNT. */
static size_t field_index(const char *name, size_t len)
{
	size_t i = 0;

	while (i < STATS_FIELD_COUNT &&
	       (strncmp(stats_fields[i].name, name, len) != 0 || stats_fields[i].name[len] != '\0'))
		i++;
	return i;
}

/* Reads one line, and moves *text behind it. */
static int parse_line(const char **text, size_t *index, uint64_t *value)
{
	size_t len = strcspn(*text, " \n");
	const char *number = *text + len + 1;
	char *end;

	if (len == 0 || (*text)[len] != ' ' || *number < '0' || *number > '9')
		return -EBADMSG;
	errno = 0;
	*value = strtoull(number, &end, 10);
	if (errno || *end != '\n')
		return -EBADMSG;
	*index = field_index(*text, len);
	*text = end + 1;
	return 0;
}

int stats_parse_plain(struct ramzswap_stats *stats, const char *text)
{
	struct ramzswap_stats parsed = { 0 };
	bool whole = false;

	while (*text) {
		size_t index;
		uint64_t value;

		if (parse_line(&text, &index, &value))
			return -EBADMSG;
		if (index == STATS_FIELD_COUNT)
			continue;
		memcpy((char *)&parsed + stats_fields[index].offset, &value, sizeof(value));
		whole |= index == STATS_FIELD_COUNT - 1;
	}
	if (!whole)
		return -EBADMSG;
	*stats = parsed;
	return 0;
}
