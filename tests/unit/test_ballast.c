/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ballast_plan.h"

#define MIB (UINT64_C(1) << 20)

/* A pool with a limit of 100 MiB in which so many MiB are used, for pages 3 to 1. */
static struct ramzswap_stats pool(uint64_t used)
{
	return (struct ramzswap_stats){
		.memlimit = 100 * MIB,
		.mem_used_total = used * MIB,
		.compr_data_size = used * MIB,
		.orig_data_size = 3 * used * MIB,
	};
}

static void without_a_limit_nothing_is_taken(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = pool(90);

	stats.memlimit = 0;
	assert_int_equal(ballast_plan_look(&plan, &stats, 1000 * MIB, 0), 0);
}

static void an_area_that_the_pool_can_hold_is_left_alone(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = pool(0);

	assert_int_equal(ballast_plan_look(&plan, &stats, 180 * MIB, 0), 0);
}

static void what_is_free_never_exceeds_what_the_pool_can_hold(void **state)
{
	struct ballast_plan plan = { 0 };

	for (uint64_t used = 1; used <= 100; used++) {
		struct ramzswap_stats stats = pool(used);
		uint64_t area = 400 * MIB - 3 * used * MIB;
		uint64_t held = ballast_plan_look(&plan, &stats, area, 0);

		assert_true(held <= area);
		assert_true(area - held <= (100 - used) * 3 * MIB + MIB);
	}
}

static void a_full_pool_leaves_no_slot(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = pool(100);

	assert_int_equal(ballast_plan_look(&plan, &stats, 40 * MIB, 60 * MIB), 100 * MIB);
}

static void slots_come_back_with_room(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = pool(50);
	uint64_t held = ballast_plan_look(&plan, &stats, 10 * MIB, 200 * MIB);

	assert_true(held < 120 * MIB);
	assert_true(held > 0);
	stats = pool(0);
	assert_int_equal(ballast_plan_look(&plan, &stats, 20 * MIB, 50 * MIB), 0);
}

static void what_was_decided_stays_without_a_change(void **state)
{
	struct ballast_plan plan = { 0 };

	for (uint64_t used = 1; used < 100; used++) {
		struct ramzswap_stats stats = pool(used);
		uint64_t area = 500 * MIB;
		uint64_t held = ballast_plan_look(&plan, &stats, area, 0);

		assert_int_equal(ballast_plan_look(&plan, &stats, area - held, held), held);
	}
}

static void a_failed_write_takes_all_slots_for_a_while(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = { 0 };

	stats.failed_writes = 7;
	assert_int_equal(ballast_plan_look(&plan, &stats, 40 * MIB, 0), 0);
	stats.failed_writes = 8;
	assert_int_equal(ballast_plan_look(&plan, &stats, 40 * MIB, 0), 40 * MIB);
	for (int i = 1; i < BALLAST_REFUSE_LOOKS; i++)
		assert_int_equal(ballast_plan_look(&plan, &stats, MIB, 39 * MIB), 40 * MIB);
	assert_int_equal(ballast_plan_look(&plan, &stats, MIB, 39 * MIB), 0);
}

static void a_backing_store_makes_a_limit_no_end(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = pool(100);

	stats.bd_size = 1000 * MIB;
	assert_int_equal(ballast_plan_look(&plan, &stats, 900 * MIB, 0), 0);
	/* Nor its failure a reason: ballast would find no room itself. */
	stats.failed_writes = 1;
	assert_int_equal(ballast_plan_look(&plan, &stats, 900 * MIB, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_limit_nothing_is_taken),
		cmocka_unit_test(an_area_that_the_pool_can_hold_is_left_alone),
		cmocka_unit_test(what_is_free_never_exceeds_what_the_pool_can_hold),
		cmocka_unit_test(a_full_pool_leaves_no_slot),
		cmocka_unit_test(slots_come_back_with_room),
		cmocka_unit_test(what_was_decided_stays_without_a_change),
		cmocka_unit_test(a_failed_write_takes_all_slots_for_a_while),
		cmocka_unit_test(a_backing_store_makes_a_limit_no_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
