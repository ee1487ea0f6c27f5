/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/patience.h"
#include "ublk/ublk.h"

#define LONGEST 800000

static void nobody_asks_at_first(void **state)
{
	struct patience patience = { .longest_ns = LONGEST };

	assert_false(patience_is_left(&patience));
}

static void requests_that_come_soon_make_it_longer_up_to_the_longest(void **state)
{
	struct patience patience = { .longest_ns = LONGEST };
	const int64_t expected[] = { 100000, 200000, 400000, 800000, 800000 };

	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		patience_learn(&patience, LONGEST);
		assert_int_equal(patience.while_ns, expected[i]);
	}
}

/* Else who sleeps once sleeps for good: to be woken takes longer than what is waited for. */
static void by_ublk_who_is_woken_late_asks_all_the_same(void **state)
{
	struct patience patience = { .longest_ns = UBLK_POLL_US * INT64_C(1000) };

	patience_learn(&patience, 500000);
	assert_true(patience_is_left(&patience));
}

static void requests_that_come_late_end_it(void **state)
{
	struct patience patience = { .longest_ns = LONGEST, .while_ns = LONGEST };
	const int64_t expected[] = { 400000, 200000, 100000, 0, 0 };

	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		patience_learn(&patience, LONGEST + 1);
		assert_int_equal(patience.while_ns, expected[i]);
	}
	assert_false(patience_is_left(&patience));
}

static void it_ends_when_the_while_is_over(void **state)
{
	struct patience patience = { .longest_ns = LONGEST, .while_ns = 200 };

	assert_true(patience_goes_on(&patience, 1000, 1100, 1199));
	assert_false(patience_goes_on(&patience, 1000, 1199, 1200));
	assert_int_equal(patience.while_ns, 200);
}

static void it_ends_when_somebody_else_had_the_processor(void **state)
{
	struct patience patience = { .longest_ns = LONGEST, .while_ns = LONGEST };

	assert_true(patience_goes_on(&patience, 1000, 1100, 1100 + PATIENCE_TAKEN_NS - 1));
	assert_false(patience_goes_on(&patience, 1000, 1100, 1100 + PATIENCE_TAKEN_NS));
	assert_false(patience_is_left(&patience));
}

static void without_a_longest_nobody_ever_asks(void **state)
{
	struct patience patience = { 0 };

	patience_learn(&patience, 0);
	patience_learn(&patience, 0);
	assert_false(patience_is_left(&patience));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_asks_at_first),
		cmocka_unit_test(requests_that_come_soon_make_it_longer_up_to_the_longest),
		cmocka_unit_test(by_ublk_who_is_woken_late_asks_all_the_same),
		cmocka_unit_test(requests_that_come_late_end_it),
		cmocka_unit_test(it_ends_when_the_while_is_over),
		cmocka_unit_test(it_ends_when_somebody_else_had_the_processor),
		cmocka_unit_test(without_a_longest_nobody_ever_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
