/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stats.h"
#include "watch.h"

#define MIB (UINT64_C(1) << 20)

static void a_warning_comes_once_before_the_limit(void **state)
{
	struct ramzswap_stats stats = { .memlimit = 80 * MIB, .mem_used_total = 69 * MIB };
	struct watch watch = { 0 };
	char line[WATCH_LINE_MAX];

	assert_false(watch_look(&watch, &stats, line, sizeof(line)));
	stats.mem_used_total = 70 * MIB;
	assert_true(watch_look(&watch, &stats, line, sizeof(line)));
	assert_non_null(strstr(line, "nearly full: 70 of 80 MiB"));
	assert_false(watch_look(&watch, &stats, line, sizeof(line)));
}

static void thousands_of_failures_are_one_line(void **state)
{
	struct ramzswap_stats stats = { .memlimit = 80 * MIB, .mem_used_total = 80 * MIB };
	struct watch watch = { .warned = true };
	char line[WATCH_LINE_MAX];
	unsigned int lines = 0;

	for (int i = 0; i < 1000; i++) {
		stats.failed_writes += 10;
		lines += watch_look(&watch, &stats, line, sizeof(line));
	}
	assert_int_equal(lines, 1);
	assert_non_null(strstr(line, "full: memlimit of 80 MiB"));
}

static void room_again_is_said_and_the_next_end_too(void **state)
{
	struct ramzswap_stats stats = { .memlimit = 80 * MIB, .mem_used_total = 80 * MIB };
	struct watch watch = { 0 };
	char line[WATCH_LINE_MAX];

	stats.failed_writes = 1;
	assert_true(watch_look(&watch, &stats, line, sizeof(line)));
	stats.mem_used_total = 61 * MIB;
	assert_false(watch_look(&watch, &stats, line, sizeof(line)));
	stats.mem_used_total = 59 * MIB;
	assert_true(watch_look(&watch, &stats, line, sizeof(line)));
	assert_non_null(strstr(line, "room again"));
	stats.mem_used_total = 80 * MIB;
	stats.failed_writes = 2;
	assert_true(watch_look(&watch, &stats, line, sizeof(line)));
}

static void failures_without_a_limit_name_the_system(void **state)
{
	struct ramzswap_stats stats = { .mem_used_total = 80 * MIB, .failed_writes = 1 };
	struct watch watch = { 0 };
	char line[WATCH_LINE_MAX];

	assert_true(watch_look(&watch, &stats, line, sizeof(line)));
	assert_non_null(strstr(line, "the system has no more memory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_warning_comes_once_before_the_limit),
		cmocka_unit_test(thousands_of_failures_are_one_line),
		cmocka_unit_test(room_again_is_said_and_the_next_end_too),
		cmocka_unit_test(failures_without_a_limit_name_the_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
