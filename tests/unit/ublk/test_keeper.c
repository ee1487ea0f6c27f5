/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of a device whose thread cannot serve it any more, or that is another's by now. */
#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fake_device.h"
#include "ublk/keeper.h"

/* Longer than any look. */
#define HEIR_MS 1000u

static struct ublk_keeper keeper;
static struct ublk_end end;
static sem_t ends;
static int why;

/* In the place of the thread that serves. */
static void *serve(void *opaque)
{
	while (sem_wait(&ends) != 0)
		;
	keeper.error = why;
	atomic_store(&keeper.has_ended, true);
	return NULL;
}

static int setup(void **state)
{
	memset(&keeper, 0, sizeof(keeper));
	atomic_store(&end.device, UBLK_ANY);
	sem_init(&ends, 0, 0);
	fake_device_make(&keeper.info);
	pthread_mutex_init(&keeper.commands, NULL);
	keeper.end = &end;
	keeper.heir_ms = HEIR_MS;
	assert_int_equal(pthread_create(&keeper.server, NULL, serve, NULL), 0);
	assert_int_equal(ublk_keeper_start(&keeper), 0);
	return 0;
}

static void end_with(int err)
{
	why = err;
	sem_post(&ends);
}

/* The thread has ended, or does so by that. */
static void finish(void)
{
	atomic_store(&keeper.closing, true);
	sem_post(&ends);
	ublk_keeper_end(&keeper);
}

static void rest(unsigned int ms)
{
	const struct timespec time = clock_timespec(ms * UINT64_C(1000000));

	nanosleep(&time, NULL);
}

static void await_log(const char *expected)
{
	for (unsigned int i = 0; i < 600 && strcmp(fake_device_log(), expected) != 0; i++)
		rest(50);
	assert_string_equal(fake_device_log(), expected);
}

static void a_device_that_nobody_comes_for_is_taken_away(void **state)
{
	uint64_t begin = clock_ms();

	fake_device_set(UBLK_QUIESCED, getpid());
	end_with(-EBADF);
	await_log("stop; ");
	assert_true(clock_ms() - begin >= HEIR_MS);
	finish();
	ublk_keeper_delete(&keeper);
	assert_string_equal(fake_device_log(), "stop; stop; delete later; ");
}

/* Newer kernels have no server then. */
static void so_is_one_whose_server_the_kernel_does_not_name(void **state)
{
	fake_device_set(UBLK_FAILING, -1);
	end_with(-EBADF);
	await_log("stop; ");
	finish();
}

static void what_the_guard_has_taken_over_is_left_to_it(void **state)
{
	fake_device_set(UBLK_LIVE, getpid() + 1);
	end_with(-EBADF);
	pthread_join(keeper.thread, NULL);
	keeper.started = false;
	assert_string_equal(fake_device_log(), "");
}

static void one_that_somebody_took_away_is_not_waited_for(void **state)
{
	fake_device_set(UBLK_DEAD, -1);
	end_with(0);
	pthread_join(keeper.thread, NULL);
	assert_string_equal(fake_device_log(), "");
}

static void an_end_that_is_not_wanted_is_told_with_its_reason(void **state)
{
	assert_int_equal(atomic_load(&end.device), UBLK_ANY);
	fake_device_set(UBLK_LIVE, getpid() + 1);
	end_with(-EBADF);
	pthread_join(keeper.thread, NULL);
	keeper.started = false;
	assert_int_equal(atomic_load(&end.device), FAKE_NUMBER);
	assert_int_equal(end.error, -EBADF);
}

static void one_that_is_wanted_is_not(void **state)
{
	finish();
	assert_int_equal(atomic_load(&end.device), UBLK_ANY);
}

static void an_end_that_is_wanted_is_not_waited_for(void **state)
{
	uint64_t begin = clock_ms();

	keeper.heir_ms = 600 * 1000;
	end_with(-EBADF);
	while (atomic_load(&end.device) == UBLK_ANY)
		rest(10);
	finish();
	assert_string_equal(fake_device_log(), "stop; ");
	assert_true(clock_ms() - begin < 300 * 1000);
}

static void a_door_that_is_closed_deletes_its_device(void **state)
{
	finish();
	ublk_keeper_delete(&keeper);
	assert_string_equal(fake_device_log(), "stop; delete; ");
}

/* Its own went away, and the next server has the number. */
static void the_device_of_another_server_is_let_alone(void **state)
{
	fake_device_replace();
	end_with(-EBADF);
	finish();
	ublk_keeper_delete(&keeper);
	assert_string_equal(fake_device_log(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, setup)
		T(a_device_that_nobody_comes_for_is_taken_away),
		T(so_is_one_whose_server_the_kernel_does_not_name),
		T(what_the_guard_has_taken_over_is_left_to_it),
		T(one_that_somebody_took_away_is_not_waited_for),
		T(an_end_that_is_not_wanted_is_told_with_its_reason),
		T(one_that_is_wanted_is_not),
		T(an_end_that_is_wanted_is_not_waited_for),
		T(a_door_that_is_closed_deletes_its_device),
		T(the_device_of_another_server_is_let_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
