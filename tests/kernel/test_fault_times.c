/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fault_times.h"

static struct fault_times times;

static int begin(void **state)
{
	memset(&times, 0, sizeof(times));
	return 0;
}

static void without_a_fault_there_is_no_time(void **state)
{
	assert_int_equal(fault_times_percentile(&times, 50), 0);
	assert_int_equal(fault_times_percentile(&times, 100), 0);
}

static void the_median_stands_in_the_middle(void **state)
{
	for (unsigned int us = 1; us <= 99; us++)
		fault_times_add(&times, us * 1000);
	assert_int_equal(fault_times_percentile(&times, 50), 50);
	assert_int_equal(fault_times_percentile(&times, 99), 99);
	assert_int_equal(fault_times_percentile(&times, 0), 1);
	assert_int_equal(fault_times_percentile(&times, 100), 99);
}

static void a_few_slow_faults_do_not_move_it(void **state)
{
	for (int i = 0; i < 98; i++)
		fault_times_add(&times, 80999);
	fault_times_add(&times, 3000000);
	fault_times_add(&times, UINT64_C(3600000000000));
	assert_int_equal(fault_times_percentile(&times, 50), 80);
	assert_int_equal(fault_times_percentile(&times, 98), 80);
	assert_int_equal(fault_times_percentile(&times, 99), 3000);
	assert_int_equal(fault_times_percentile(&times, 100), FAULT_TIMES_MAX_US);
}

static void a_page_in_memory_is_no_major_fault(void **state)
{
	static const char page[4096] = { 1 };

	for (int i = 0; i < 100; i++)
		fault_times_touch(&times, page);
	/* That of the program's own file may be one. */
	assert_in_range(times.count, 0, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(without_a_fault_there_is_no_time, begin),
		cmocka_unit_test_setup(the_median_stands_in_the_middle, begin),
		cmocka_unit_test_setup(a_few_slow_faults_do_not_move_it, begin),
		cmocka_unit_test_setup(a_page_in_memory_is_no_major_fault, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
