/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard/ballast_plan.h"

#define MIB (UINT64_C(1) << 20)

static const struct machine_memory ample = {
	.total = 10000 * MIB,
	.available = 5000 * MIB,
	.swappable = 4000 * MIB,
};

/* A pool with a limit of 100 MiB in which so many MiB are used, for pages 3 to 1. */
static struct ramzswap_stats pool(uint64_t used)
{
	return (struct ramzswap_stats){
		.memlimit = 100 * MIB,
		.mem_used_total = used * MIB,
		.compr_data_size = used * MIB,
		.orig_data_size = 3 * used * MIB,
		.pages_written = 3 * used * MIB / 4096,
		.payload_written = used * MIB,
	};
}

/* Bytes of such a pool's limit that are put aside. */
static const uint64_t aside = 100 * MIB / 32;

static uint64_t wanted(struct ballast_plan *plan, const struct ramzswap_stats *stats,
		       const struct machine_memory *memory, uint64_t area_free, uint64_t held)
{
	const struct ballast_view view = {
		.stats = stats,
		.memory = *memory,
		.lists = UINT64_MAX,
		.area_free = area_free,
		.held = held,
	};

	return ballast_plan_look(plan, &view);
}

static void without_a_limit_nothing_is_taken_from_a_machine_with_memory(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = pool(90);

	stats.memlimit = 0;
	assert_int_equal(wanted(&plan, &stats, &ample, 1000 * MIB, 0), 0);
}

static void without_a_limit_what_is_free_never_exceeds_what_the_machine_can_give(void **state)
{
	struct ballast_plan plan = { 0 };
	struct machine_memory memory = { .total = 160 * MIB };

	/* Of 140 MiB for pool and programs 32 are for programs alone; pages do not compress. */
	for (uint64_t used = 1; used <= 140; used++) {
		struct ramzswap_stats stats = pool(used);
		uint64_t area = (160 - used) * MIB, held;
		uint64_t room = used < 108 ? (108 - used) * MIB : 0;

		stats.memlimit = 0;
		stats.orig_data_size = stats.compr_data_size;
		stats.payload_written = stats.pages_written * 4096;
		memory.available = used > 100 ? 0 : 5 * MIB;
		memory.swappable = (140 - used) * MIB - memory.available;
		held = wanted(&plan, &stats, &memory, area, 0);
		assert_true(area - held <= room + MIB);
		assert_true(used > 100 || held < area);
	}
}

static void a_small_machine_gains_by_its_swap(void **state)
{
	struct ballast_plan plan = { 0 };
	/* As QEMU's guest of 128 MiB: 80, of which the kernel and the server leave 30. */
	struct machine_memory memory = { .total = 80 * MIB, .swappable = 15 * MIB };
	struct ramzswap_stats stats = pool(15);
	uint64_t held;

	stats.memlimit = 0;
	held = wanted(&plan, &stats, &memory, 80 * MIB, 0);
	/* 45 MiB of programs are swapped out, 15 are not: of the 9 that fit 5 are free. */
	assert_true(80 * MIB - held >= 5 * MIB);
}

static void slots_of_pages_that_are_still_stored_are_left(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = pool(100);

	/* A program has ended, but its pages are not discarded yet. */
	stats.disksize = 400 * MIB;
	assert_int_equal(wanted(&plan, &stats, &ample, 200 * MIB, 100 * MIB), 100 * MIB);
	/* Slots that never held a page are taken. */
	stats.disksize = 450 * MIB;
	assert_int_equal(wanted(&plan, &stats, &ample, 200 * MIB, 100 * MIB), 150 * MIB);
}

static void slots_of_zero_pages_that_never_arrive_change_nothing(void **state)
{
	struct ballast_plan sent = { 0 }, noted = { 0 };
	struct ramzswap_stats stats = pool(50);
	uint64_t held;

	/* 150 MiB are stored; 100 more are slots of pages that the kernel did not send. */
	stats.disksize = 400 * MIB;
	held = wanted(&noted, &stats, &ample, 150 * MIB, 0);
	assert_true(held > 0 && held < 150 * MIB);
	/* A kernel that sends them takes as many slots, and here they are but a word. */
	stats.pages_zero = stats.same_pages = 100 * MIB / 4096;
	assert_int_equal(wanted(&sent, &stats, &ample, 150 * MIB, 0), held);
}

static void slots_between_those_of_pages_nobody_has_are_given_back_after_a_while(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = pool(100);
	int look = 0;

	/* Of 300 MiB that are stored 200 are nobody's, and not discarded. */
	stats.disksize = 400 * MIB;
	while (wanted(&plan, &stats, &ample, 200 * MIB, 100 * MIB) == 100 * MIB)
		assert_uint_in_range(++look, 1, BALLAST_STALE_LOOKS - 1);
	assert_int_equal(look, BALLAST_STALE_LOOKS - 1);
	/* None is taken until the kernel has had time to discard. */
	for (look = 0; look < BALLAST_REST_LOOKS; look++)
		assert_int_equal(wanted(&plan, &stats, &ample, 300 * MIB, 0), 0);
	assert_true(wanted(&plan, &stats, &ample, 300 * MIB, 0) > 90 * MIB);
	/* It was in vain: the next time comes later. */
	for (look = 0; look < BALLAST_STALE_LOOKS; look++)
		assert_int_equal(wanted(&plan, &stats, &ample, 200 * MIB, 100 * MIB), 100 * MIB);
}

static void giving_back_in_vain_comes_once_in_ten_minutes_at_last(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = pool(100);
	int looks = 0, given_back = 0;

	stats.disksize = 400 * MIB;
	while (given_back < 20) {
		bool gives = wanted(&plan, &stats, &ample, 200 * MIB, 100 * MIB) == 0;

		given_back += gives;
		looks = gives ? 0 : looks + 1;
		assert_true(looks < 6000);
	}
	assert_int_equal(plan.patience, 6000);
}

static void slots_between_those_of_pages_in_use_stay(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = pool(100);

	stats.disksize = 400 * MIB;
	for (int look = 0; look < 10 * BALLAST_STALE_LOOKS; look++)
		assert_int_equal(wanted(&plan, &stats, &ample, 100 * MIB, 100 * MIB), 100 * MIB);
}

static void failed_writes_take_all_slots_also_after_some_were_given_back(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = pool(100);

	stats.disksize = 400 * MIB;
	for (int look = 0; look < BALLAST_STALE_LOOKS; look++)
		wanted(&plan, &stats, &ample, 200 * MIB, 100 * MIB);
	assert_true(plan.resting > 0);
	stats.failed_writes = 1;
	assert_int_equal(wanted(&plan, &stats, &ample, 300 * MIB, 0), 300 * MIB);
}

static void a_limit_that_the_machine_cannot_meet_is_none(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = pool(50);
	struct machine_memory memory = { .total = 160 * MIB, .swappable = 8 * MIB };

	assert_int_equal(wanted(&plan, &stats, &memory, 40 * MIB, 0), 40 * MIB);
}

static void a_machine_whose_memory_is_not_known_sets_no_limit(void **state)
{
	static const struct machine_memory unknown;
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = pool(50);

	assert_int_equal(wanted(&plan, &stats, &unknown, 40 * MIB, 0), 0);
	stats.memlimit = 0;
	assert_int_equal(wanted(&plan, &stats, &unknown, 1000 * MIB, 0), 0);
}

static void an_area_that_the_pool_can_hold_is_left_alone(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = pool(0);

	assert_int_equal(wanted(&plan, &stats, &ample, 90 * MIB, 0), 0);
}

static void what_is_free_never_exceeds_what_the_pool_can_hold(void **state)
{
	struct ballast_plan plan = { 0 };

	for (uint64_t used = 1; used <= 100; used++) {
		struct ramzswap_stats stats = pool(used);
		uint64_t area = 400 * MIB - 3 * used * MIB;
		uint64_t held = wanted(&plan, &stats, &ample, area, 0);

		assert_true(held <= area);
		assert_true(area - held <= (100 - used) * 3 * MIB + MIB);
		/* Should no page compress any more, it is by what is put aside too much. */
		assert_true(area - held <= (100 - used) * MIB + aside + MIB);
	}
}

static void a_full_pool_leaves_no_slot(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = pool(100);

	assert_int_equal(wanted(&plan, &stats, &ample, 40 * MIB, 60 * MIB), 100 * MIB);
}

static void slots_come_back_with_room(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = pool(50);
	uint64_t held = wanted(&plan, &stats, &ample, 10 * MIB, 200 * MIB);

	assert_true(held < 180 * MIB);
	assert_true(held > 0);
	stats = pool(0);
	assert_int_equal(wanted(&plan, &stats, &ample, 20 * MIB, 50 * MIB), 0);
}

static void what_was_decided_stays_without_a_change(void **state)
{
	struct ballast_plan plan = { 0 };

	for (uint64_t used = 1; used < 100; used++) {
		struct ramzswap_stats stats = pool(used);
		uint64_t area = 500 * MIB;
		uint64_t held = wanted(&plan, &stats, &ample, area, 0);

		assert_int_equal(wanted(&plan, &stats, &ample, area - held, held), held);
	}
}

static void a_failed_write_takes_all_slots_for_a_while(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = { 0 };

	stats.failed_writes = 7;
	assert_int_equal(wanted(&plan, &stats, &ample, 40 * MIB, 0), 0);
	stats.failed_writes = 8;
	assert_int_equal(wanted(&plan, &stats, &ample, 40 * MIB, 0), 40 * MIB);
	for (int i = 1; i < BALLAST_REFUSE_LOOKS; i++)
		assert_int_equal(wanted(&plan, &stats, &ample, MIB, 39 * MIB), 40 * MIB);
	assert_int_equal(wanted(&plan, &stats, &ample, MIB, 39 * MIB), 0);
}

static void a_backing_store_makes_a_limit_no_end(void **state)
{
	struct ballast_plan plan = { 0 };
	struct ramzswap_stats stats = pool(100);

	stats.bd_size = 1000 * MIB;
	assert_int_equal(wanted(&plan, &stats, &ample, 900 * MIB, 0), 0);
	/* Nor its failure a reason: ballast would find no room itself. */
	stats.failed_writes = 1;
	assert_int_equal(wanted(&plan, &stats, &ample, 900 * MIB, 0), 0);
}

/* Bytes of slots that are left free after 8 MiB of pages that cost so much each. */
static uint64_t free_slots(double cost, struct ramzswap_stats stats, struct machine_memory memory)
{
	struct ballast_plan plan = { 0 };
	struct ballast_view view = {
		.stats = &stats,
		.memory = memory,
		.lists = MIB / 4,
		.minimum = 4 * MIB,
		.floor = 3 * MIB,
		.area_free = 300 * MIB,
	};

	stats.disksize = 300 * MIB;
	ballast_plan_look(&plan, &view);
	stats.pages_written = 2048;
	stats.payload_written = (uint64_t)(cost * 8 * (double)MIB);
	stats.notices_heeded = 1;
	view.ms = 100;
	return view.area_free - ballast_plan_look(&plan, &view);
}

static void pages_that_win_nothing_come_as_far_as_the_pool_gets_memory_at_once(void **state)
{
	struct machine_memory memory = { .total = 128 * MIB,
					 .free = 4 * MIB,
					 .swappable = 60 * MIB };
	struct ramzswap_stats stats = { .reserve_ready = 2 * MIB };

	/* Others come as far as what can be swapped out has room. */
	assert_true(free_slots(0.5, stats, memory) > 50 * MIB);
	assert_int_equal(free_slots(1, stats, memory), 3 * MIB);
	memory.writeback = MIB;
	assert_int_equal(free_slots(1, stats, memory), 2 * MIB);
	/* Of files, most of it. */
	memory.writeback = 200 * MIB;
	assert_int_equal(free_slots(1, stats, memory), MIB);
	memory.writeback = MIB;
	memory.free = 2 * MIB;
	assert_int_equal(free_slots(1, stats, memory), MIB);
	stats.reserve_ready = MIB;
	assert_int_equal(free_slots(1, stats, memory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_limit_nothing_is_taken_from_a_machine_with_memory),
		cmocka_unit_test(
			without_a_limit_what_is_free_never_exceeds_what_the_machine_can_give),
		cmocka_unit_test(a_small_machine_gains_by_its_swap),
		cmocka_unit_test(slots_of_pages_that_are_still_stored_are_left),
		cmocka_unit_test(slots_of_zero_pages_that_never_arrive_change_nothing),
		cmocka_unit_test(
			slots_between_those_of_pages_nobody_has_are_given_back_after_a_while),
		cmocka_unit_test(giving_back_in_vain_comes_once_in_ten_minutes_at_last),
		cmocka_unit_test(slots_between_those_of_pages_in_use_stay),
		cmocka_unit_test(failed_writes_take_all_slots_also_after_some_were_given_back),
		cmocka_unit_test(a_limit_that_the_machine_cannot_meet_is_none),
		cmocka_unit_test(a_machine_whose_memory_is_not_known_sets_no_limit),
		cmocka_unit_test(an_area_that_the_pool_can_hold_is_left_alone),
		cmocka_unit_test(what_is_free_never_exceeds_what_the_pool_can_hold),
		cmocka_unit_test(a_full_pool_leaves_no_slot),
		cmocka_unit_test(slots_come_back_with_room),
		cmocka_unit_test(what_was_decided_stays_without_a_change),
		cmocka_unit_test(a_failed_write_takes_all_slots_for_a_while),
		cmocka_unit_test(a_backing_store_makes_a_limit_no_end),
		cmocka_unit_test(
			pages_that_win_nothing_come_as_far_as_the_pool_gets_memory_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
