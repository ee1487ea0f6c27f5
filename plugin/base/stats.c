/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/stats.h"

struct field {
	const char *name;
	const char *label;
	enum stats_unit unit;
	enum stats_kind kind;
	const char *help;
	size_t offset; /* of its uint64_t in struct ramzswap_stats */
};

#define FIELD(name, label, unit, kind, help) \
	{ #name, label, STATS_##unit, STATS_##kind, help, offsetof(struct ramzswap_stats, name) },
static const struct field fields[] = { STATS_FIELDS(FIELD) };
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

/* With one decimal: mebibytes are what such stores are counted in. */
static double mebibytes(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

int stats_write_backing(const struct ramzswap_stats *s, FILE *out)
{
	if (s->bd_size == 0) {
		fputs("there is no backing store\n", out);
		return finish(out);
	}
	fprintf(out, "pages there:   %" PRIu64 ", %.1f MiB of payload, in %.1f MiB\n", s->bd_count,
		mebibytes(s->bd_bytes), mebibytes(s->bd_size));
	fprintf(out,
		"written:       %" PRIu64 " pages, %.1f MiB; cleaning copied %" PRIu64 " of them\n",
		s->bd_writes, mebibytes(s->bd_written_bytes), s->bd_cleaned);
	fprintf(out,
		"read:          %" PRIu64 " pages, %.1f MiB in %" PRIu64 " requests; %" PRIu64
		" came back to memory\n",
		s->bd_reads, mebibytes(s->bd_read_bytes), s->bd_read_requests, s->bd_promoted);
	fprintf(out,
		"failed:        %" PRIu64 " reads of a page, %" PRIu64 " writes of a segment\n",
		s->bd_failed_reads, s->bd_failed_writes);
	fprintf(out,
		"latency:       read %" PRIu64 " us (most %" PRIu64 "), segment %" PRIu64
		" us (most %" PRIu64 ")\n",
		s->bd_read_usec, s->bd_read_usec_max, s->bd_write_usec, s->bd_write_usec_max);
	fprintf(out,
		"segments:      %" PRIu64 " of %" PRIu64 " KiB: %" PRIu64 " free, %" PRIu64
		" bad\n",
		s->bd_segments, s->bd_segment_size / 1024, s->bd_segments_free, s->bd_segments_bad);
	fprintf(out,
		"fullness:      %" PRIu64 " up to 20 %%, %" PRIu64 " to 40 %%, %" PRIu64
		" to 60 %%, %" PRIu64 " to 80 %%, %" PRIu64 " above\n",
		s->bd_fill_least, s->bd_fill_less, s->bd_fill_half, s->bd_fill_more,
		s->bd_fill_most);
	if (s->bd_budget)
		fprintf(out,
			"budget:        %.1f of %.1f MiB a day left; %.1f MiB over it, for writes "
			"without room\n",
			mebibytes(s->bd_budget_left), mebibytes(s->bd_budget),
			mebibytes(s->bd_over_budget));
	else
		fputs("budget:        none\n", out);
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
	bool seen[FIELD_COUNT] = { false };

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
