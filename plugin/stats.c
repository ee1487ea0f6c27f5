/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "stats.h"

struct field {
	const char *name;
	const char *label;
	enum stats_unit unit;
	enum stats_kind kind;
	const char *help;
	size_t offset; /* of its uint64_t in struct ramzswap_stats */
};

#define FIELD(name, label, unit, kind, help) \
	{#name, label, STATS_##unit, STATS_##kind, help, offsetof(struct ramzswap_stats, name)},
static const struct field fields[] = {STATS_FIELDS(FIELD)};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

/* As wide as the longest label with its colon. */
#define LABEL_ROOM(name, label, unit, kind, help) char name##_room[sizeof(label)];
union label_room {
	STATS_FIELDS(LABEL_ROOM)
};
#define LABEL_WIDTH ((int)sizeof(union label_room))
#define NUMBER_WIDTH 11

static uint64_t value_of(const struct ramzswap_stats *stats, const struct field *field)
{
	return *(const uint64_t *)((const char *)stats + field->offset);
}

static int finish(FILE *out)
{
	errno = 0;
	if (fflush(out) == 0 && !ferror(out))
		return 0;
	return errno ? -errno : -EIO;
}

int stats_write_text(const struct ramzswap_stats *stats, FILE *out)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		uint64_t value = value_of(stats, &fields[i]);
		bool bytes = fields[i].unit == STATS_BYTES;

		fprintf(out, "%s:%*s%*" PRIu64 "%s\n", fields[i].label,
			LABEL_WIDTH - (int)strlen(fields[i].label) - 1, "", NUMBER_WIDTH,
			bytes ? value / 1024 : value, bytes ? " kB" : "");
	}
	return finish(out);
}

int stats_write_json(const struct ramzswap_stats *stats, FILE *out)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		fprintf(out, "%s\n  \"%s\": %" PRIu64, i == 0 ? "{" : ",", fields[i].name,
			value_of(stats, &fields[i]));
	fputs("\n}\n", out);
	return finish(out);
}

/* The suffix that a name still lacks to end in its unit. */
static const char *unit_suffix(const struct field *field)
{
	const char *suffix = field->unit == STATS_BYTES	    ? "_bytes"
			     : field->unit == STATS_SECONDS ? "_seconds"
							    : "";
	size_t len = strlen(field->name), suffix_len = strlen(suffix);

	if (len > suffix_len && strcmp(field->name + len - suffix_len, suffix) == 0)
		return "";
	return suffix;
}

int stats_write_prometheus(const struct ramzswap_stats *stats, FILE *out)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		bool counter = fields[i].kind == STATS_COUNTER;
		char name[80];

		snprintf(name, sizeof(name), "ramzswap_%s%s%s", fields[i].name,
			 unit_suffix(&fields[i]), counter ? "_total" : "");
		fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name, fields[i].help,
			name, counter ? "counter" : "gauge", name, value_of(stats, &fields[i]));
	}
	return finish(out);
}

int stats_format_plain(const struct ramzswap_stats *stats, char *buf, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < FIELD_COUNT; i++) {
		int len = snprintf(buf + used, size - used, "%s %" PRIu64 "\n", fields[i].name,
				   value_of(stats, &fields[i]));

		if (len < 0 || (size_t)len >= size - used)
			return -ENOSPC;
		used += (size_t)len;
	}
	return (int)used;
}

/* The field of this name, or FIELD_COUNT. */
static size_t field_index(const char *name, size_t len)
{
	size_t i = 0;

	while (i < FIELD_COUNT &&
	       (strncmp(fields[i].name, name, len) != 0 || fields[i].name[len] != '\0'))
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
	struct ramzswap_stats parsed;
	bool seen[FIELD_COUNT] = {false};

	while (*text) {
		size_t index;
		uint64_t value;

		if (parse_line(&text, &index, &value))
			return -EBADMSG;
		if (index == FIELD_COUNT)
			continue;
		memcpy((char *)&parsed + fields[index].offset, &value, sizeof(value));
		seen[index] = true;
	}
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (!seen[i])
			return -EBADMSG;
	*stats = parsed;
	return 0;
}
