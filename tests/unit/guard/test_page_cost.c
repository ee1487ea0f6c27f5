/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard/page_cost.h"

/* What a server counts, and the time. */
struct source {
	uint64_t pages, payload, ms;
};

/* So many pages more, that take one byte of so many, 100 ms later. */
static void pages_come(struct page_cost *cost, struct source *source, uint64_t pages, double ratio)
{
	source->pages += pages;
	source->payload += (uint64_t)((double)pages * 4096 / ratio);
	source->ms += 100;
	page_cost_look(cost, source->pages, source->payload, source->ms);
}

static void what_is_not_known_does_not_compress(void **state)
{
	struct page_cost cost = { 0 };

	assert_true(page_cost_most(&cost) == PAGE_COST_MOST);
	page_cost_look(&cost, 10, 10, 5);
	assert_true(page_cost_most(&cost) == PAGE_COST_MOST);
}

static void a_steady_ratio_is_known_closely(void **state)
{
	struct page_cost cost = { 0 };
	struct source source = { 0 };

	for (int i = 0; i < 100; i++)
		pages_come(&cost, &source, 1000, i % 2 ? 3.05 : 2.95);
	assert_true(page_cost_most(&cost) > 1 / 3.0);
	assert_true(page_cost_most(&cost) < 1.15 / 3);
}

static void pages_that_stop_compressing_are_known_at_the_next_look(void **state)
{
	struct page_cost cost = { 0 };
	struct source source = { 0 };

	for (int i = 0; i < 1000; i++)
		pages_come(&cost, &source, 1000, 4);
	pages_come(&cost, &source, 64, 1);
	assert_true(page_cost_most(&cost) == PAGE_COST_MOST);
}

static void pages_that_begin_to_compress_are_believed_by_and_by(void **state)
{
	struct page_cost cost = { 0 };
	struct source source = { 0 };

	for (int i = 0; i < 100; i++)
		pages_come(&cost, &source, 1000, 1);
	pages_come(&cost, &source, 64, 4);
	assert_true(page_cost_most(&cost) > 0.9);
	for (int i = 0; i < 30; i++)
		pages_come(&cost, &source, 1000, 4);
	assert_true(page_cost_most(&cost) < 0.4);
}

static void ratios_that_differ_are_counted_on_less(void **state)
{
	struct page_cost steady = { 0 }, differing = { 0 };
	struct source one = { 0 }, other = { 0 };

	for (int i = 0; i < 200; i++) {
		pages_come(&steady, &one, 1000, 3);
		pages_come(&differing, &other, 1000, i % 2 ? 2 : 6);
	}
	assert_true(page_cost_most(&differing) > 1.5 * page_cost_most(&steady));
	assert_true(page_cost_most(&differing) > 0.5);
}

static void few_pages_are_counted_with_those_that_follow(void **state)
{
	struct page_cost cost = { 0 };
	struct source source = { 0 };

	pages_come(&cost, &source, 1000, 3);
	for (int i = 0; i < 64; i++)
		pages_come(&cost, &source, 1, 1);
	assert_true(page_cost_most(&cost) == PAGE_COST_MOST);
}

static void counters_that_begin_anew_do_no_harm(void **state)
{
	struct page_cost cost = { 0 };
	struct source source = { 0 }, anew = { .ms = 10000 };

	for (int i = 0; i < 100; i++)
		pages_come(&cost, &source, 1000, 3);
	page_cost_look(&cost, 0, 0, source.ms);
	assert_true(page_cost_most(&cost) < 1.2 / 3);
	pages_come(&cost, &anew, 1000, 1);
	assert_true(page_cost_most(&cost) == PAGE_COST_MOST);
}

static void the_pace_is_that_of_the_fastest_look_of_late(void **state)
{
	struct page_cost cost = { 0 };
	struct source source = { 0 };

	pages_come(&cost, &source, 1000, 3);
	pages_come(&cost, &source, 10000, 3);
	assert_true(cost.rate == 10000 * 4096 / 100.0);
	pages_come(&cost, &source, 100, 3);
	assert_true(cost.rate > 9000 * 4096 / 100.0);
	source.ms += 100000;
	pages_come(&cost, &source, 100, 3);
	assert_true(cost.rate < 1000 * 4096 / 100.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_known_does_not_compress),
		cmocka_unit_test(a_steady_ratio_is_known_closely),
		cmocka_unit_test(pages_that_stop_compressing_are_known_at_the_next_look),
		cmocka_unit_test(pages_that_begin_to_compress_are_believed_by_and_by),
		cmocka_unit_test(ratios_that_differ_are_counted_on_less),
		cmocka_unit_test(few_pages_are_counted_with_those_that_follow),
		cmocka_unit_test(counters_that_begin_anew_do_no_harm),
		cmocka_unit_test(the_pace_is_that_of_the_fastest_look_of_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
