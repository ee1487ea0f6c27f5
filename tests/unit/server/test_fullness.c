/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/machine.h"
#include "base/stats.h"
#include "server/fullness.h"

#define MIB (UINT64_C(1) << 20)
#define MINUTE_OF_LOOKS (60000 / FULLNESS_MS)

/* Of a disk whose end the machine's memory is not, as far as is known. */
static bool look(struct fullness *fullness, const struct ramzswap_stats *stats, char *line)
{
	return fullness_look(fullness, stats, FULLNESS_ROOM_UNKNOWN, line, FULLNESS_LINE_MAX);
}

static void a_warning_comes_once_before_the_limit(void **state)
{
	struct ramzswap_stats stats = { .memlimit = 80 * MIB, .mem_used_total = 69 * MIB };
	struct fullness fullness = { 0 };
	char line[FULLNESS_LINE_MAX];

	assert_false(look(&fullness, &stats, line));
	stats.mem_used_total = 70 * MIB;
	assert_true(look(&fullness, &stats, line));
	assert_non_null(strstr(line, "nearly full: 70 of 80 MiB"));
	assert_false(look(&fullness, &stats, line));
}

static void thousands_of_failures_are_one_line(void **state)
{
	struct ramzswap_stats stats = { .memlimit = 80 * MIB, .mem_used_total = 80 * MIB };
	struct fullness fullness = { .warned = true };
	char line[FULLNESS_LINE_MAX];
	unsigned int lines = 0;

	for (int i = 0; i < 1000; i++) {
		stats.failed_writes += 10;
		lines += look(&fullness, &stats, line);
	}
	assert_int_equal(lines, 1);
	assert_non_null(strstr(line, "full: memlimit of 80 MiB"));
}

static void room_again_is_said_and_the_next_end_too(void **state)
{
	struct ramzswap_stats stats = { .memlimit = 80 * MIB, .mem_used_total = 80 * MIB };
	struct fullness fullness = { 0 };
	char line[FULLNESS_LINE_MAX];

	stats.failed_writes = 1;
	assert_true(look(&fullness, &stats, line));
	stats.mem_used_total = 61 * MIB;
	assert_false(look(&fullness, &stats, line));
	stats.mem_used_total = 59 * MIB;
	assert_true(look(&fullness, &stats, line));
	assert_non_null(strstr(line, "room again"));
	stats.mem_used_total = 80 * MIB;
	stats.failed_writes = 2;
	assert_true(look(&fullness, &stats, line));
}

static void failures_without_a_limit_name_the_system(void **state)
{
	struct ramzswap_stats stats = { .mem_used_total = 80 * MIB, .failed_writes = 1 };
	struct fullness fullness = { 0 };
	char line[FULLNESS_LINE_MAX];

	assert_true(look(&fullness, &stats, line));
	assert_non_null(strstr(line, "the system has no more memory"));
}

static void without_a_limit_it_comes_before_the_machines_end(void **state)
{
	struct ramzswap_stats stats = { .disksize = 1000 * MIB, .mem_used_total = 69 * MIB };
	struct fullness fullness = { 0 };
	char line[FULLNESS_LINE_MAX];

	assert_false(fullness_look(&fullness, &stats, 11 * MIB, line, sizeof(line)));
	stats.mem_used_total = 70 * MIB;
	assert_true(fullness_look(&fullness, &stats, 10 * MIB, line, sizeof(line)));
	assert_non_null(strstr(line, "nearly full: 70 MiB"));
	assert_non_null(strstr(line, "10 MiB more"));
}

static void a_disk_that_fits_whatever_is_written_is_not_warned_of(void **state)
{
	struct ramzswap_stats stats = { .disksize = 64 * MIB, .mem_used_total = 70 * MIB };
	struct fullness fullness = { 0 };
	char line[FULLNESS_LINE_MAX];

	assert_false(fullness_look(&fullness, &stats, 2 * MIB, line, sizeof(line)));
	assert_true(fullness_look(&fullness, &stats, 1 * MIB, line, sizeof(line)));
}

static void a_machine_at_its_end_now_and_then_is_one_line(void **state)
{
	struct ramzswap_stats stats = { .disksize = 1000 * MIB, .mem_used_total = 70 * MIB };
	struct fullness fullness = { 0 };
	char line[FULLNESS_LINE_MAX];
	unsigned int lines = 0;

	for (unsigned int i = 0; i < 1000; i++)
		lines += fullness_look(&fullness, &stats, i % 2 ? 500 * MIB : 10 * MIB, line,
				       sizeof(line));
	assert_int_equal(lines, 1);
}

/* Failures now and then, while there seems to be room. */
static unsigned int lines_for_rare_failures(struct ramzswap_stats *stats, uint64_t room)
{
	struct fullness fullness = { 0 };
	char line[FULLNESS_LINE_MAX];
	unsigned int lines = 0;

	for (unsigned int i = 0; i < 1000; i++) {
		stats->failed_writes += i % (MINUTE_OF_LOOKS - 1) == 0;
		lines += fullness_look(&fullness, stats, room, line, sizeof(line));
	}
	return lines;
}

static void rare_failures_for_want_of_memory_are_one_line(void **state)
{
	struct ramzswap_stats stats = { .disksize = 1000 * MIB, .mem_used_total = 40 * MIB };

	assert_int_equal(lines_for_rare_failures(&stats, 500 * MIB), 1);
	assert_int_equal(lines_for_rare_failures(&stats, FULLNESS_ROOM_UNKNOWN), 1);
	stats.memlimit = 80 * MIB;
	assert_int_equal(lines_for_rare_failures(&stats, 500 * MIB), 1);
}

static void room_again_comes_a_minute_after_the_machines_end(void **state)
{
	struct ramzswap_stats stats = { .disksize = 1000 * MIB,
					.mem_used_total = 40 * MIB,
					.failed_writes = 1 };
	struct fullness fullness = { 0 };
	char line[FULLNESS_LINE_MAX];

	assert_true(fullness_look(&fullness, &stats, 0, line, sizeof(line)));
	for (unsigned int i = 0; i < 2 * MINUTE_OF_LOOKS; i++)
		assert_false(fullness_look(&fullness, &stats, 1 * MIB, line, sizeof(line)));
	for (unsigned int i = 1; i < MINUTE_OF_LOOKS; i++)
		assert_false(fullness_look(&fullness, &stats, 500 * MIB, line, sizeof(line)));
	assert_true(fullness_look(&fullness, &stats, 500 * MIB, line, sizeof(line)));
	assert_non_null(strstr(line, "room again"));
	stats.failed_writes = 2;
	assert_true(fullness_look(&fullness, &stats, 0, line, sizeof(line)));
	assert_non_null(strstr(line, "no more memory"));
}

/* What the kernel says, and what is made of it. */
static void room_is_what_is_available_and_for_swap_what_can_be_swapped_out(void **state)
{
	FILE *file = tmpfile();
	struct machine_memory memory;

	assert_non_null(file);
	fputs("MemTotal:        2048 kB\nMemFree:           10 kB\nMemAvailable:      64 kB\n"
	      "Active:           900 kB\nInactive:         800 kB\nActive(anon):     300 kB\n"
	      "Inactive(anon):   200 kB\nWriteback:          8 kB\n",
	      file);
	assert_int_equal(fflush(file), 0);
	machine_memory(fileno(file), &memory);
	assert_int_equal(machine_room(&memory, 4096), (64 + 300 + 200) * 1024);
	fclose(file);
	machine_memory(-1, &memory);
	assert_true(machine_room(&memory, 4096) == FULLNESS_ROOM_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_warning_comes_once_before_the_limit),
		cmocka_unit_test(thousands_of_failures_are_one_line),
		cmocka_unit_test(room_again_is_said_and_the_next_end_too),
		cmocka_unit_test(failures_without_a_limit_name_the_system),
		cmocka_unit_test(without_a_limit_it_comes_before_the_machines_end),
		cmocka_unit_test(a_disk_that_fits_whatever_is_written_is_not_warned_of),
		cmocka_unit_test(a_machine_at_its_end_now_and_then_is_one_line),
		cmocka_unit_test(rare_failures_for_want_of_memory_are_one_line),
		cmocka_unit_test(room_again_comes_a_minute_after_the_machines_end),
		cmocka_unit_test(room_is_what_is_available_and_for_swap_what_can_be_swapped_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
