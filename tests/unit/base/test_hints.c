/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hints.h"
#include "base/stats.h"

static void expect_hints(const struct ramzswap_stats *stats, size_t count, const char *first)
{
	const char *hints[HINTS_MAX];

	assert_int_equal(stats_hints(stats, hints), count);
	if (first)
		assert_non_null(strstr(hints[0], first));
}

static void a_disk_used_well_has_none(void **state)
{
	const struct ramzswap_stats stats = { .num_writes = 1000, .pages_stored = 100000 };

	expect_hints(&stats, 0, NULL);
}

static void one_odd_request_is_not_worth_a_word(void **state)
{
	const struct ramzswap_stats stats = {
		.num_writes = 1, .misaligned_trims = 1, .misaligned_writes = 1, .zero_writes = 1
	};

	expect_hints(&stats, 0, NULL);
}

static void trims_off_the_borders_have_the_client_attach_otherwise(void **state)
{
	const struct ramzswap_stats stats = { .misaligned_trims = 100 };

	expect_hints(&stats, 1, "-b 4096");
}

static void parts_of_pages_count_beside_whole_ones(void **state)
{
	struct ramzswap_stats stats = { .num_writes = 1000, .misaligned_writes = 200 };

	expect_hints(&stats, 1, "parts of pages");
	stats.num_writes = 100000;
	expect_hints(&stats, 0, NULL);
}

static void zeroes_count_beside_what_is_stored(void **state)
{
	struct ramzswap_stats stats = { .zero_writes = 100000, .pages_stored = 1000 };

	expect_hints(&stats, 1, "detect-zeroes");
	stats.pages_stored = 200000;
	expect_hints(&stats, 0, NULL);
	stats.pages_stored = 50000;
	stats.bd_count = 60000;
	expect_hints(&stats, 0, NULL);
}

static void the_most_important_comes_first(void **state)
{
	const struct ramzswap_stats stats = { .misaligned_trims = 100,
					      .misaligned_writes = 100,
					      .zero_writes = 100000 };

	expect_hints(&stats, HINTS_MAX, "trims");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_used_well_has_none),
		cmocka_unit_test(one_odd_request_is_not_worth_a_word),
		cmocka_unit_test(trims_off_the_borders_have_the_client_attach_otherwise),
		cmocka_unit_test(parts_of_pages_count_beside_whole_ones),
		cmocka_unit_test(zeroes_count_beside_what_is_stored),
		cmocka_unit_test(the_most_important_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
