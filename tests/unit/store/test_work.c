/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What takes long says how far it is, and ends early when it is cancelled. */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "base/work.h"
#include "store_backing_helper.h"

#define PAGES 4096u

static void fill_disk(void)
{
	const struct setup setup = { .disk = PAGES * PAGE, .backing = 2 * PAGES * PAGE };

	begin_test(&setup);
	for (uint64_t i = 0; i < PAGES; i++)
		put(i, 1);
}

static void all_is_there_and_sound(void)
{
	must_be_sound(store);
	for (uint64_t i = 0; i < PAGES; i++)
		must_have(i, 1);
	end_test();
}

static void finished_work_has_come_to_its_total(void **state)
{
	char why[200] = "";
	struct work work;
	uint64_t bytes;

	fill_disk();
	work_prepare(&work);
	assert_int_equal(store_check(store, &work, why, sizeof(why)), 0);
	assert_int_equal(work.total, PAGES);
	assert_int_equal(work.done, PAGES);
	assert_int_equal(work.round, 2);

	work_prepare(&work);
	assert_int_equal(store_recompress(store, &bytes, &work), 0);
	assert_int_equal(work.total, PAGES);
	assert_int_equal(work.done, PAGES);
	assert_int_equal(work.round, 1);

	/* Every second page goes: there is something to be moved. */
	for (uint64_t i = 0; i < PAGES; i += 2)
		must_zero(store, PAGE, i * PAGE);
	work_prepare(&work);
	assert_true(store_compact(store, &work) > 0);
	assert_int_equal(work.total, PAGES);
	assert_int_equal(work.done, PAGES);
	assert_true(work.round > 1);
	end_test();
}

static void writeback_knows_about_how_much_there_is(void **state)
{
	struct work work;
	uint64_t bytes = 0;

	fill_disk();
	work_prepare(&work);
	assert_int_equal(store_writeback(store, WRITEBACK_HUGE, 0, &bytes, &work), 0);
	/* Every third page does not compress. */
	assert_int_equal(work.total, (PAGES + 2) / 3 * PAGE);
	assert_int_equal(work.done, bytes);
	assert_true(bytes >= work.total && bytes < work.total + work.total / 10);

	work_prepare(&work);
	assert_int_equal(store_writeback(store, WRITEBACK_ALL, 0, &bytes, &work), 0);
	assert_int_equal(work.done, bytes);
	assert_true(work.total > bytes - bytes / 5 && work.total < bytes + bytes / 5);

	work_prepare(&work);
	assert_int_equal(store_writeback(store, WRITEBACK_IDLE, 0, &bytes, &work), 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(work.total, 0);
	work_prepare(&work);
	assert_int_equal(store_writeback(store, WRITEBACK_POLICY, 0, &bytes, &work), 0);
	assert_int_equal(work.total, 0);
	all_is_there_and_sound();
}

static void cancelled_work_leaves_the_rest_undone(void **state)
{
	uint64_t bytes = 1, sparse;
	struct work work;

	fill_disk();
	work_prepare(&work);
	work_cancel(&work);
	assert_int_equal(store_recompress(store, &bytes, &work), 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(stats_of(store).pages_recompressed, 0);
	assert_int_equal(store_check(store, &work, NULL, 0), 0);
	assert_int_equal(work.done, 0);

	/* A segment, and no more. */
	assert_int_equal(store_writeback(store, WRITEBACK_ALL, 0, &bytes, &work), 0);
	assert_true(bytes > 0 && bytes <= SEGMENT);
	assert_int_equal(work.done, bytes);
	all_is_there_and_sound();

	fill_disk();
	for (uint64_t i = 0; i < PAGES; i += 2)
		must_zero(store, PAGE, i * PAGE);
	sparse = stats_of(store).mem_used_total;
	assert_int_equal(store_compact(store, &work), 0);
	assert_int_equal(stats_of(store).mem_used_total, sparse);
	must_be_sound(store);
	/* Nothing of it is left that would be in the way of a later one. */
	work_prepare(&work);
	assert_true(store_compact(store, &work) > 0);
	end_test();
}

static void *recompress(void *opaque)
{
	uint64_t bytes;

	assert_int_equal(store_recompress(store, &bytes, opaque), 0);
	return NULL;
}

/* By another thread, in the middle of it; again where this one did not run until all was done. */
static void work_ends_where_it_is_when_it_is_cancelled(void **state)
{
	bool in_the_middle = false;

	fill_disk();
	for (int i = 0; i < 100 && !in_the_middle; i++) {
		struct work work;
		pthread_t thread;

		for (uint64_t number = 0; number < PAGES; number++)
			put(number, 1);
		work_prepare(&work);
		assert_int_equal(pthread_create(&thread, NULL, recompress, &work), 0);
		while (work.total == 0)
			sched_yield();
		work_cancel(&work);
		pthread_join(thread, NULL);
		in_the_middle = work.done < PAGES;
	}
	assert_true(in_the_middle);
	all_is_there_and_sound();
}

static void *write_back(void *opaque)
{
	uint64_t bytes;

	assert_int_equal(store_writeback(store, WRITEBACK_ALL, 0, &bytes, opaque), 0);
	return NULL;
}

/* It waits for the next second then, and would for a minute. */
static void writeback_that_waits_for_its_rate_ends_within_two_seconds(void **state)
{
	const struct setup setup = { .disk = 32 * MIB, .backing = 48 * MIB, .rate = SEGMENT };
	struct work work;
	pthread_t thread;
	double start;

	begin_test(&setup);
	for (uint64_t i = 0; i < setup.disk / PAGE; i++)
		put(i, 1);
	work_prepare(&work);
	assert_int_equal(pthread_create(&thread, NULL, write_back, &work), 0);
	while (work.done == 0)
		usleep(1000);
	start = seconds_now();
	work_cancel(&work);
	pthread_join(thread, NULL);
	assert_true(seconds_now() - start < 10);
	assert_true(work.done < work.total / 2);
	end_test();
}

static void interrupted_store_ends_all_of_it(void **state)
{
	uint64_t bytes = 1;

	fill_disk();
	store_interrupt(store);
	assert_int_equal(store_writeback(store, WRITEBACK_ALL, 0, &bytes, NULL), 0);
	assert_true(bytes <= SEGMENT);
	assert_int_equal(store_recompress(store, &bytes, NULL), 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(store_check(store, NULL, NULL, 0), 0);
	store_destroy(store);
	backing_destroy(backing);
	fake_medium_free(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finished_work_has_come_to_its_total),
		cmocka_unit_test(writeback_knows_about_how_much_there_is),
		cmocka_unit_test(cancelled_work_leaves_the_rest_undone),
		cmocka_unit_test(work_ends_where_it_is_when_it_is_cancelled),
		cmocka_unit_test(writeback_that_waits_for_its_rate_ends_within_two_seconds),
		cmocka_unit_test(interrupted_store_ends_all_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
