/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/stats.h"

#define COUNT_ONE(name, label, unit, kind, help) +1
#define FIELD_COUNT (0 STATS_FIELDS(COUNT_ONE))

/* Every field another value, one of them the largest there is. */
static struct ramzswap_stats sample(void)
{
	struct ramzswap_stats stats;
	uint64_t next = 0;

#define FILL(name, label, unit, kind, help) stats.name = next += 1000003;
	STATS_FIELDS(FILL)
#undef FILL
	stats.disksize = UINT64_MAX;
	stats.locked = 1;
	stats.orig_data_size = UINT64_C(411108) * 1024 + 1023;
	return stats;
}

typedef int (*writer)(const struct ramzswap_stats *stats, FILE *out);

/* What the writer writes; the caller frees it. */
static char *written(writer write, const struct ramzswap_stats *stats)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(write(stats, out), 0);
	fclose(out);
	return text;
}

static size_t count_of(const char *text, const char *what)
{
	size_t count = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		count++;
	return count;
}

static void text_reads_as_in_2009(void **state)
{
	struct ramzswap_stats stats = sample();
	char *text = written(stats_write_text, &stats);
	char label[64], rest[64];
	uint64_t value;
	size_t lines = 0;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++) {
		rest[0] = '\0';
		assert_uint_in_range(sscanf(line, "%63[A-Za-z]: %" SCNu64 "%63[^\n]", label, &value,
					    rest),
				     2, 3);
#define CHECK(name, word, unit, kind, help)                                      \
	if (strcmp(label, word) == 0) {                                          \
		bool bytes = STATS_##unit == STATS_BYTES;                        \
		assert_int_equal(value, bytes ? stats.name / 1024 : stats.name); \
		assert_string_equal(rest, bytes ? " kB" : "");                   \
	}
		STATS_FIELDS(CHECK)
#undef CHECK
		if (strcmp(label, "OrigDataSize") == 0)
			assert_int_equal(value, 411108);
	}
	assert_int_equal(lines, FIELD_COUNT);
	free(text);
}

static void text_stands_in_columns(void **state)
{
	struct ramzswap_stats stats = { .disksize = 1024 };
	char *text = written(stats_write_text, &stats);
	size_t column = 0;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		size_t end = strcspn(line, "0123456789") + 1;

		if (column == 0)
			column = end;
		assert_int_equal(end, column);
		assert_true(isblank((unsigned char)line[end - 2]));
	}
	free(text);
}

static void json_is_a_flat_object_of_all_fields_in_bytes(void **state)
{
	struct ramzswap_stats stats = sample();
	char *text;
	json_t *root;

	stats.disksize = INT64_MAX; /* jansson's integers are signed */
	text = written(stats_write_json, &stats);
	root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	assert_int_equal(json_object_size(root), FIELD_COUNT);
#define CHECK(name, label, unit, kind, help)                        \
	assert_true(json_is_integer(json_object_get(root, #name))); \
	assert_int_equal(json_integer_value(json_object_get(root, #name)), stats.name);
	STATS_FIELDS(CHECK)
#undef CHECK
	json_decref(root);
	free(text);
}

/* Looks for the three lines of one metric. */
static void assert_metric(const char *text, const char *name, const char *type, const char *help,
			  uint64_t value)
{
	char expected[512];

	snprintf(expected, sizeof(expected), "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name,
		 help, name, type, name, value);
	if (!strstr(text, expected))
		fail_msg("missing:\n%s", expected);
}

static void prometheus_names_end_in_unit_and_total(void **state)
{
	struct ramzswap_stats stats = sample();
	char *text = written(stats_write_prometheus, &stats);

	assert_metric(text, "ramzswap_disksize_bytes", "gauge", "Size of the disk", UINT64_MAX);
	assert_metric(text, "ramzswap_num_writes_total", "counter", "Write requests",
		      stats.num_writes);
	assert_metric(text, "ramzswap_compact_bytes_total", "counter",
		      "Memory given back by moving pages", stats.compact_bytes);
	assert_metric(text, "ramzswap_recompress_seconds_total", "counter",
		      "Processor time spent on that", stats.recompress_seconds);
	assert_metric(text, "ramzswap_uptime_seconds", "gauge", "Time since the start",
		      stats.uptime_seconds);
	assert_metric(text, "ramzswap_mem_used_total_bytes", "gauge",
		      "All memory that the disk holds", stats.mem_used_total);
	assert_metric(text, "ramzswap_locked", "gauge", "Whether the memory is locked", 1);
	assert_int_equal(count_of(text, "# HELP ramzswap_"), FIELD_COUNT);
	assert_int_equal(count_of(text, "# TYPE ramzswap_"), FIELD_COUNT);
	assert_int_equal(count_of(text, "\n"), 3 * FIELD_COUNT);
	free(text);
}

static void prometheus_keeps_total_for_counters(void **state)
{
	struct ramzswap_stats stats = sample();
	char *text = written(stats_write_prometheus, &stats);
	char name[128], type[16];

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		bool total;

		if (sscanf(line, "# TYPE %127s %15s", name, type) != 2)
			continue;
		total = strlen(name) > 6 && strcmp(name + strlen(name) - 6, "_total") == 0;
		assert_int_equal(total, strcmp(type, "counter") == 0);
	}
	free(text);
}

static void plain_form_comes_back_as_it_went(void **state)
{
	struct ramzswap_stats stats = sample(), back;
	char buf[STATS_PLAIN_MAX];
	int len = stats_format_plain(&stats, buf, sizeof(buf));

	assert_int_equal(len, strlen(buf));
	memset(&back, 0, sizeof(back));
	assert_int_equal(stats_parse_plain(&back, buf), 0);
	assert_memory_equal(&back, &stats, sizeof(stats));
}

static void plain_form_of_the_largest_numbers_just_fits(void **state)
{
	struct ramzswap_stats stats;
	char buf[STATS_PLAIN_MAX];

	memset(&stats, 0xff, sizeof(stats));
	assert_int_equal(stats_format_plain(&stats, buf, sizeof(buf)), STATS_PLAIN_MAX - 1);
	for (size_t size = 0; size < sizeof(buf); size++) {
		buf[size] = '#';
		assert_int_equal(stats_format_plain(&stats, buf, size), -ENOSPC);
		assert_int_equal(buf[size], '#');
	}
}

static void plain_form_of_a_newer_sender_is_read(void **state)
{
	struct ramzswap_stats stats = sample(), back = { 0 };
	char buf[STATS_PLAIN_MAX + 64] = "pages_dreamt 7\n";

	stats_format_plain(&stats, buf + strlen(buf), sizeof(buf) - strlen(buf));
	strcat(buf, "disksize_2 5\n");
	assert_int_equal(stats_parse_plain(&back, buf), 0);
	assert_memory_equal(&back, &stats, sizeof(stats));
}

static void cut_or_garbled_plain_form_is_refused(void **state)
{
	static const char *const garbage[] = {
		"disksize\n", "disksize \n",   "disksize -1\n",
		"disksize 1", "disksize 1 \n", " 1\n",
		"\n",	      "disksize x\n",  "x 99999999999999999999\n",
	};
	struct ramzswap_stats stats = sample(), back = { .disksize = 42 };
	char whole[STATS_PLAIN_MAX], buf[STATS_PLAIN_MAX + 64];
	int len = stats_format_plain(&stats, whole, sizeof(whole));

	for (int cut = 0; cut < len; cut++) {
		memcpy(buf, whole, (size_t)cut);
		buf[cut] = '\0';
		assert_int_equal(stats_parse_plain(&back, buf), -EBADMSG);
	}
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		snprintf(buf, sizeof(buf), "%s%s", whole, garbage[i]);
		assert_int_equal(stats_parse_plain(&back, buf), -EBADMSG);
	}
	assert_int_equal(back.disksize, 42);
}

static void failing_stream_is_reported(void **state)
{
	static const writer writers[] = { stats_write_text, stats_write_json,
					  stats_write_prometheus };
	struct ramzswap_stats stats = sample();

	for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++) {
		FILE *full = fopen("/dev/full", "w");

		assert_non_null(full);
		assert_int_equal(writers[i](&stats, full), -ENOSPC);
		fclose(full);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_reads_as_in_2009),
		cmocka_unit_test(text_stands_in_columns),
		cmocka_unit_test(json_is_a_flat_object_of_all_fields_in_bytes),
		cmocka_unit_test(prometheus_names_end_in_unit_and_total),
		cmocka_unit_test(prometheus_keeps_total_for_counters),
		cmocka_unit_test(plain_form_comes_back_as_it_went),
		cmocka_unit_test(plain_form_of_the_largest_numbers_just_fits),
		cmocka_unit_test(plain_form_of_a_newer_sender_is_read),
		cmocka_unit_test(cut_or_garbled_plain_form_is_refused),
		cmocka_unit_test(failing_stream_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
