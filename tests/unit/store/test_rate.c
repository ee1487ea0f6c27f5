/* SPDX-License-Identifier: GPL-2.0-or-later */
/* So many bytes a period: what may be written now, and how long to wait for more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/rate.h"

#define DAY_MS (UINT64_C(24) * 3600 * 1000)
#define MIB (UINT64_C(1) << 20)

static void without_a_limit_nobody_waits(void **state)
{
	struct rate rate;

	rate_init(&rate, 0, DAY_MS, MIB);
	assert_int_equal(rate_wait(&rate), 0);
	rate_take(&rate, UINT64_MAX >> 1);
	assert_int_equal(rate_wait(&rate), 0);
}

static void what_is_left_may_be_written_at_once(void **state)
{
	struct rate rate;

	rate_init(&rate, 100 * MIB, DAY_MS, MIB);
	assert_int_equal(rate_wait(&rate), 0);
	rate_take(&rate, 99 * MIB);
	assert_int_equal(rate_wait(&rate), 0);
}

static void what_is_overdrawn_is_waited_for(void **state)
{
	struct rate rate;
	uint64_t wait;

	rate_init(&rate, 100 * MIB, DAY_MS, MIB);
	rate_take(&rate, 150 * MIB);
	wait = rate_wait(&rate);
	/* Half of a day's; the test itself takes no minute. */
	assert_in_range(wait, DAY_MS / 2 - 60000, DAY_MS / 2 + 1);
}

static void no_more_is_overdrawn_than_comes_in_a_period(void **state)
{
	struct rate rate;

	rate_init(&rate, 100 * MIB, DAY_MS, MIB);
	for (int i = 0; i < 50; i++)
		rate_take(&rate, 100 * MIB);
	assert_true(rate_wait(&rate) <= DAY_MS + 1);
}

static void a_segment_larger_than_the_period_allows_is_saved_up_for(void **state)
{
	struct rate rate;

	/* A byte a period, in segments of 1000. */
	rate_init(&rate, 1, 1000, 1000);
	assert_int_equal(rate_wait(&rate), 0);
	rate_take(&rate, 1000);
	assert_in_range(rate_wait(&rate), 900 * 1000, 1000 * 1000);
}

static void a_new_limit_forgets_what_was_overdrawn(void **state)
{
	struct rate rate;

	rate_init(&rate, MIB, DAY_MS, MIB);
	rate_take(&rate, 2 * MIB);
	assert_true(rate_wait(&rate) > 0);
	rate_set(&rate, 2 * MIB);
	assert_int_equal(rate_wait(&rate), 0);
	assert_true(rate.left >= (int64_t)(2 * MIB));
	rate_set(&rate, 0);
	rate_take(&rate, 5 * MIB);
	assert_int_equal(rate_wait(&rate), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_limit_nobody_waits),
		cmocka_unit_test(what_is_left_may_be_written_at_once),
		cmocka_unit_test(what_is_overdrawn_is_waited_for),
		cmocka_unit_test(no_more_is_overdrawn_than_comes_in_a_period),
		cmocka_unit_test(a_segment_larger_than_the_period_allows_is_saved_up_for),
		cmocka_unit_test(a_new_limit_forgets_what_was_overdrawn),
	};

	return cmocka_run_group_tests_name("store rate", tests, NULL, NULL);
}
