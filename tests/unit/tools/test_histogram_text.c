/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How histograms are shown: to people, as JSON, and as Prometheus asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "tools/histogram_text.h"
#include "tools/metrics.h"
#include "tools/stats_text.h"

#define READ HISTOGRAM_read_nanoseconds
#define WRITE HISTOGRAM_write_nanoseconds

/* Reads only: 30 within a microsecond, 60 within ten, and 10 longer than all bounds. */
static void fill(struct histogram_state *states)
{
	const struct histogram_form *form = &histogram_forms[READ];

	memset(states, 0, HISTOGRAM_KINDS * sizeof(*states));
	states[READ].count[0] = 30;
	states[READ].count[3] = 60;
	states[READ].count[form->bounds] = 10;
	states[READ].sum = 1234567890;
	assert_int_equal(form->bound[3], 10000);
}

static void people_see_bars_of_what_there_is(void **state)
{
	struct histogram_state states[HISTOGRAM_KINDS];
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fill(states);
	histograms_write_bars(states, true, out);
	fclose(out);
	assert_string_equal(text,
			    "reads: half within 6 us, 99% within 1000000 us, of 100 measured\n"
			    "  up to       1 us     #########.....................  30%\n"
			    "  up to      10 us     ##################............  60%\n"
			    "  above 1000000 us     ###...........................  10%\n"
			    "writes: none measured yet, of one request in 64\n"
			    "payloads: none measured yet, of one request in 64\n");
	free(text);
}

static void labels_stand_in_the_columns_of_the_others(void **state)
{
	const struct ramzswap_stats stats = { .disksize = 1 };
	struct histogram_state states[HISTOGRAM_KINDS];
	size_t size;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);
	int lines = 0;

	fill(states);
	assert_int_equal(stats_write_text(&stats, out), 0);
	histograms_write_labels(states, out);
	fclose(out);
	assert_non_null(strstr(text, "\nUptime:                     0\n"
				     "ReadTimeHalf:               6\n"));
	for (char *line = strtok(strstr(text, "Uptime"), "\n"); line;
	     line = strtok(NULL, "\n"), lines++)
		assert_int_equal(strlen(line), strlen("Uptime:                     0"));
	assert_int_equal(lines, 1 + 2 * HISTOGRAM_KINDS);
	free(text);
}

static void json_has_buckets_sum_and_count(void **state)
{
	const struct ramzswap_stats stats = { .disksize = 1 };
	struct histogram_state states[HISTOGRAM_KINDS];
	json_t *root, *reads, *buckets;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fill(states);
	assert_int_equal(stats_write_json(&stats, states, out), 0);
	fclose(out);
	root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	assert_int_equal(json_integer_value(json_object_get(root, "disksize")), 1);
	reads = json_object_get(json_object_get(root, "histograms"), "read_duration_seconds");
	assert_int_equal(json_integer_value(json_object_get(reads, "count")), 100);
	assert_float_equal(json_real_value(json_object_get(reads, "sum")), 1.23456789, 1e-12);
	buckets = json_object_get(reads, "buckets");
	assert_int_equal(json_array_size(buckets), histogram_forms[READ].bounds);
	assert_float_equal(json_real_value(json_object_get(json_array_get(buckets, 0), "le")), 1e-6,
			   1e-12);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(buckets, 4), "count")),
			 90);
	json_decref(root);
	free(text);
}

static void prometheus_has_buckets_that_add_up(void **state)
{
	struct disk disks[2] = { { .name = "a", .answers = true, .measures = true },
				 { .name = "old", .answers = true } };
	char *text = NULL, *reads;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fill(disks[0].histograms);
	assert_int_equal(metrics_write(disks, 2, out), 0);
	fclose(out);
	reads = strstr(text, "# HELP ramzswap_read_duration_seconds ");
	assert_non_null(reads);
	assert_non_null(strstr(
		reads, "\n# TYPE ramzswap_read_duration_seconds histogram\n"
		       "ramzswap_read_duration_seconds_bucket{disk=\"a\",le=\"0.000001\"} 30\n"
		       "ramzswap_read_duration_seconds_bucket{disk=\"a\",le=\"0.000002\"} 30\n"));
	assert_non_null(strstr(reads, "_bucket{disk=\"a\",le=\"0.00001\"} 90\n"));
	assert_non_null(strstr(reads,
			       "_bucket{disk=\"a\",le=\"1\"} 90\n"
			       "ramzswap_read_duration_seconds_bucket{disk=\"a\",le=\"+Inf\"} "
			       "100\n"
			       "ramzswap_read_duration_seconds_sum{disk=\"a\"} 1.23456789\n"
			       "ramzswap_read_duration_seconds_count{disk=\"a\"} 100\n"));
	assert_non_null(strstr(reads, "ramzswap_payload_size_bytes_bucket{disk=\"a\",le=\"4096\"} "
				      "0\n"));
	assert_null(strstr(reads, "disk=\"old\""));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(people_see_bars_of_what_there_is),
		cmocka_unit_test(labels_stand_in_the_columns_of_the_others),
		cmocka_unit_test(json_has_buckets_sum_and_count),
		cmocka_unit_test(prometheus_has_buckets_that_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
