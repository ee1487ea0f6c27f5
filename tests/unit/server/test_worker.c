/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The background thread: a step comes when it is due or wanted, and none after the end. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "server/worker.h"

struct work {
	atomic_uint steps;
	unsigned int rest_ms;
	atomic_bool inside;
	atomic_bool slow;
};

static unsigned int step(void *opaque)
{
	struct work *work = opaque;

	atomic_store(&work->inside, true);
	if (atomic_load(&work->slow))
		usleep(50000);
	atomic_fetch_add(&work->steps, 1);
	atomic_store(&work->inside, false);
	return work->rest_ms;
}

/* Waits for so many steps, for ten seconds at most. */
static void await(struct work *work, unsigned int steps)
{
	for (int i = 0; i < 10000 && atomic_load(&work->steps) < steps; i++)
		usleep(1000);
	assert_true(atomic_load(&work->steps) >= steps);
}

static void steps_come_one_after_the_other(void **state)
{
	struct work work = { .rest_ms = 1 };
	struct worker *worker;

	assert_int_equal(worker_start(&worker, step, &work, WORKER_STACK), 0);
	await(&work, 10);
	worker_stop(worker);
}

static void a_stack_smaller_than_the_c_library_takes_is_as_large_as_that(void **state)
{
	struct work work = { .rest_ms = 1 };
	struct worker *worker;

	assert_int_equal(worker_start(&worker, step, &work, 1), 0);
	await(&work, 1);
	worker_stop(worker);
}

static void a_step_that_wants_the_next_at_once_gets_it(void **state)
{
	struct work work = { .rest_ms = 0 };
	struct worker *worker;

	assert_int_equal(worker_start(&worker, step, &work, WORKER_STACK), 0);
	await(&work, 1000);
	worker_stop(worker);
}

static void between_steps_it_sleeps_until_it_is_kicked(void **state)
{
	struct work work = { .rest_ms = 3600 * 1000 };
	struct worker *worker;

	assert_int_equal(worker_start(&worker, step, &work, WORKER_STACK), 0);
	await(&work, 1);
	usleep(20000);
	assert_int_equal(atomic_load(&work.steps), 1);
	for (unsigned int i = 2; i < 6; i++) {
		worker_kick(worker);
		await(&work, i);
	}
	worker_stop(worker);
}

static void a_kick_during_a_step_is_not_lost(void **state)
{
	struct work work = { .rest_ms = 3600 * 1000, .slow = true };
	struct worker *worker;

	assert_int_equal(worker_start(&worker, step, &work, WORKER_STACK), 0);
	while (!atomic_load(&work.inside))
		usleep(100);
	worker_kick(worker);
	worker_kick(worker);
	await(&work, 2);
	worker_stop(worker);
}

static void the_end_does_not_wait_for_a_rest_and_no_step_comes_after_it(void **state)
{
	struct work work = { .rest_ms = 3600 * 1000, .slow = true };
	struct worker *worker;
	unsigned int steps;

	assert_int_equal(worker_start(&worker, step, &work, WORKER_STACK), 0);
	while (!atomic_load(&work.inside))
		usleep(100);
	worker_stop(worker);
	assert_false(atomic_load(&work.inside));
	steps = atomic_load(&work.steps);
	usleep(20000);
	assert_int_equal(atomic_load(&work.steps), steps);
	worker_stop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_come_one_after_the_other),
		cmocka_unit_test(a_stack_smaller_than_the_c_library_takes_is_as_large_as_that),
		cmocka_unit_test(a_step_that_wants_the_next_at_once_gets_it),
		cmocka_unit_test(between_steps_it_sleeps_until_it_is_kicked),
		cmocka_unit_test(a_kick_during_a_step_is_not_lost),
		cmocka_unit_test(the_end_does_not_wait_for_a_rest_and_no_step_comes_after_it),
	};

	return cmocka_run_group_tests_name("server worker", tests, NULL, NULL);
}
