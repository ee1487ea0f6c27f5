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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "stats_sample.h"
#include "tools/metrics.h"
#include "tools/stats_text.h"

#define FIELD_COUNT ((size_t)STATS_FIELD_COUNT)

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
	struct ramzswap_stats stats = stats_sample();
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

static int json_of_numbers(const struct ramzswap_stats *stats, FILE *out)
{
	return stats_write_json(stats, NULL, out);
}

static void json_is_a_flat_object_of_all_fields_in_bytes(void **state)
{
	struct ramzswap_stats stats = stats_sample();
	char *text;
	json_t *root;

	stats.disksize = INT64_MAX; /* jansson's integers are signed */
	text = written(json_of_numbers, &stats);
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

static int metrics_of_one(const struct ramzswap_stats *stats, FILE *out)
{
	struct disk disk = { .name = "vm1", .answers = true, .stats = *stats };

	return metrics_write(&disk, 1, out);
}

/* Looks for the three lines of one metric. */
static void assert_metric(const char *text, const char *name, const char *type, const char *help,
			  uint64_t value)
{
	char expected[512];

	snprintf(expected, sizeof(expected),
		 "# HELP %s %s\n# TYPE %s %s\n%s{disk=\"vm1\"} %" PRIu64 "\n", name, help, name,
		 type, name, value);
	if (!strstr(text, expected))
		fail_msg("missing:\n%s", expected);
}

static void prometheus_names_end_in_unit_and_total(void **state)
{
	struct ramzswap_stats stats = stats_sample();
	char *text = written(metrics_of_one, &stats);

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
	/* And histograms, which this server does not have. */
	assert_int_equal(count_of(text, "# HELP ramzswap_"), FIELD_COUNT + 2 + HISTOGRAM_KINDS);
	assert_int_equal(count_of(text, "# TYPE ramzswap_"), FIELD_COUNT + 2 + HISTOGRAM_KINDS);
	assert_int_equal(count_of(text, "\n"), 3 * (FIELD_COUNT + 2) + 2 * HISTOGRAM_KINDS);
	free(text);
}

static void prometheus_keeps_total_for_counters(void **state)
{
	struct ramzswap_stats stats = stats_sample();
	char *text = written(metrics_of_one, &stats);
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

static void metrics_of_disks_stand_together(void **state)
{
	struct disk disks[3] = {
		{ .name = "a", .answers = true, .stats = { .num_reads = 5 } },
		{ .name = "b\"\\c", .answers = true, .stats = { .num_reads = 6 } },
		{ .name = "down" },
	};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	strcpy(disks[0].about.version, "1.2");
	assert_int_equal(metrics_write(disks, 3, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "# TYPE ramzswap_num_reads_total counter\n"
				     "ramzswap_num_reads_total{disk=\"a\"} 5\n"
				     "ramzswap_num_reads_total{disk=\"b\\\"\\\\c\"} 6\n"
				     "# HELP "));
	assert_non_null(strstr(text, "ramzswap_build_info{disk=\"a\",version=\"1.2\",codec=\"\","
				     "idle_codec=\"\"} 1\n"));
	assert_int_equal(count_of(text, "disk=\"down\""), 1);
	assert_non_null(strstr(text, "ramzswap_up{disk=\"down\"} 0\n"));
	/* What promtool refuses. */
	assert_null(strstr(text, "_count{"));
	free(text);
}

static void metrics_replace_a_file_at_once(void **state)
{
	char folder[] = "/tmp/metrics-XXXXXX", path[64], missing[64], why[ASK_WHY_MAX], line[64];
	const struct disk disk = { .name = "a", .answers = true };
	struct stat is;
	FILE *old;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/m.prom", folder);
	snprintf(missing, sizeof(missing), "%s/no/m.prom", folder);
	old = fopen(path, "w");
	fputs("old\n", old);
	fflush(old);
	assert_int_equal(metrics_save(&disk, 1, path, why), 0);
	/* Who has the old one open reads it to its end. */
	assert_int_equal(fstat(fileno(old), &is), 0);
	assert_int_equal(is.st_size, 4);
	fclose(old);
	assert_int_equal(stat(path, &is), 0);
	assert_int_equal(is.st_mode & 0777, 0644);
	old = fopen(path, "r");
	assert_non_null(fgets(line, sizeof(line), old));
	assert_string_equal(line, "# HELP ramzswap_up Whether the server answers\n");
	fclose(old);
	assert_int_equal(metrics_save(&disk, 1, missing, why), -ENOENT);
	assert_non_null(strstr(why, "/no/m.prom: No such file or directory"));
	assert_int_equal(metrics_save(&disk, 1, folder, why), -EISDIR);
	/* Nothing else is left behind. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static int groups_of_a_swap_disk(const struct ramzswap_stats *stats, FILE *out)
{
	const struct control_about about = { "1.2.3", "lzo", "zstd", "auto", "4711" };

	return stats_write_groups(stats, &about, out);
}

static void groups_have_every_line_that_is_in_use(void **state)
{
	struct ramzswap_stats stats = stats_sample();
	char *text = written(groups_of_a_swap_disk, &stats), label[64];

#define CHECK(name, word, unit, kind, help)             \
	snprintf(label, sizeof(label), "\n%s: ", word); \
	if (count_of(text, label) != 1)                 \
		fail_msg("%zu lines of %s", count_of(text, label), word);
	STATS_FIELDS(CHECK)
#undef CHECK
	free(text);
}

/* What is below [Other] was forgotten when it was added. */
static void every_line_has_a_group(void **state)
{
	struct ramzswap_stats stats = stats_sample();
	char *text = written(groups_of_a_swap_disk, &stats), *others = strstr(text, "[Other]");

	if (others)
		fail_msg("put it into a group of plugin/tools/stats_text.c: %s", others);
	free(text);
}

static void groups_leave_out_what_is_not_in_use(void **state)
{
	struct ramzswap_stats stats = {
		.disksize = 1 << 30, .mem_used_total = 4 << 20, .mem_used_max = 4 << 20, .locked = 1
	};
	char *text = written(groups_of_a_swap_disk, &stats);

	assert_non_null(strstr(text, "[Server]\nVersion: "));
	assert_non_null(strstr(text, " lzo\n"));
	assert_non_null(strstr(text, "\nDiskSize:             1048576 kB\n"));
	assert_non_null(strstr(text, "\nMemLimit:                none\n"));
	assert_non_null(strstr(text, "\nRatio:                   none\n"));
	assert_non_null(strstr(text, "\nNumReads:                none\n"));
	assert_non_null(strstr(text, "\nPagesStored:             none\n"));
	assert_non_null(strstr(text, "\nOrigDataSize:            none\n"));
	/* Time alone begins with 0. */
	assert_null(strstr(text, " 0 kB\n"));
	assert_int_equal(count_of(text, " 0\n"), 1);
	assert_non_null(strstr(text, "\nLocked:                   yes\n"));
	assert_non_null(strstr(text, "\nIOFlusher:                 no\n"));
	assert_null(strstr(text, "[Backing store]"));
	assert_null(strstr(text, "[Recompression]"));
	assert_non_null(strstr(text, "\n[Trouble]\nnone\n"));
	free(text);
}

static void an_ordinary_disk_has_no_lines_of_protections(void **state)
{
	const struct control_about about = { .swap = "off" };
	struct ramzswap_stats stats = { .disksize = 1 << 30, .failed_writes = 3 };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(stats_write_groups(&stats, &about, out), 0);
	fclose(out);
	assert_null(strstr(text, "Locked"));
	assert_null(strstr(text, "[Trouble]\nnone"));
	assert_non_null(strstr(text, "[Trouble]\nFailedWrites:               3\n"));
	free(text);
}

static void failing_stream_is_reported(void **state)
{
	static const writer writers[] = { stats_write_text, json_of_numbers, metrics_of_one,
					  groups_of_a_swap_disk };
	struct ramzswap_stats stats = stats_sample();

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
		cmocka_unit_test(metrics_of_disks_stand_together),
		cmocka_unit_test(metrics_replace_a_file_at_once),
		cmocka_unit_test(groups_have_every_line_that_is_in_use),
		cmocka_unit_test(every_line_has_a_group),
		cmocka_unit_test(groups_leave_out_what_is_not_in_use),
		cmocka_unit_test(an_ordinary_disk_has_no_lines_of_protections),
		cmocka_unit_test(failing_stream_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
