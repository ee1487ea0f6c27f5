/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When somebody has to answer for a ublk device, and for which: with a made-up kernel. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_device.h"
#include "guard/heir.h"
#include "ublk/queue.h"

static struct heir *heir;
static int rings; /* that are open */
static int round_result, fetch_result;

int ublk_queue_make(struct ublk_queue *queue, const struct ublk_queue_config *config)
{
	rings++;
	return 0;
}

int ublk_queue_attach(struct ublk_queue *queue, const char *path)
{
	return 0;
}

int ublk_queue_fetch(struct ublk_queue *queue)
{
	return fetch_result;
}

int ublk_queue_round(struct ublk_queue *queue, ublk_answer *answer, void *opaque, int wait_ms)
{
	return round_result;
}

void ublk_queue_close(struct ublk_queue *queue)
{
	rings--;
}

static int setup(void **state)
{
	struct ublk_device_info info;

	rings = 0;
	round_result = 0;
	fetch_result = 0;
	fake_device_make(&info);
	assert_int_equal(heir_prepare(&heir, "/dev/ublkb3"), 0);
	return 0;
}

static void a_device_that_is_served_wants_no_heir(void **state)
{
	assert_false(heir_is_wanted(heir));
	assert_int_equal(heir_finish(heir), 0);
}

static void one_whose_requests_wait_or_fail_does(void **state)
{
	fake_device_set(UBLK_QUIESCED, getpid());
	assert_true(heir_is_wanted(heir));
	fake_device_set(UBLK_FAILING, -1);
	assert_true(heir_is_wanted(heir));
	assert_true(heir_take_over(heir));
	assert_false(heir_is_wanted(heir));
	assert_int_equal(heir_finish(heir), 0);
	assert_string_equal(fake_device_log(), "begin; end; stop; delete later; ");
}

/* As its server was: all would wait for it. */
static void an_heir_that_the_kernel_refuses_the_ring_comes_again(void **state)
{
	fake_device_set(UBLK_QUIESCED, getpid());
	assert_true(heir_take_over(heir));
	round_result = -EBADF;
	heir_pass_time(heir, 1000);
	assert_int_equal(rings, 0);
	fake_device_set(UBLK_QUIESCED, getpid());
	assert_true(heir_take_over(heir));
	assert_int_equal(rings, 1);
	assert_int_equal(heir_finish(heir), 0);
	assert_int_equal(rings, 0);
	assert_string_equal(fake_device_log(), "begin; end; begin; end; stop; delete later; ");
}

/* The kernel lets nobody begin as long as the device is open. */
static void one_who_gets_no_tag_lets_the_device_go_and_comes_again(void **state)
{
	fake_device_set(UBLK_QUIESCED, getpid());
	fetch_result = -EINVAL;
	assert_false(heir_take_over(heir));
	assert_int_equal(rings, 0);
	fetch_result = 0;
	assert_true(heir_take_over(heir));
	assert_int_equal(rings, 1);
	assert_int_equal(heir_finish(heir), 0);
	assert_string_equal(fake_device_log(), "begin; begin; end; stop; delete later; ");
}

static void one_for_whose_tags_the_kernel_waits_in_vain_comes_with_others(void **state)
{
	fake_device_set(UBLK_QUIESCED, getpid());
	fake_device_end_with(-ECANCELED);
	assert_false(heir_take_over(heir));
	assert_int_equal(rings, 0);
	/* What else may be wrong is no fault of the queue. */
	fake_device_end_with(-EBUSY);
	assert_false(heir_take_over(heir));
	assert_int_equal(rings, 1);
	fake_device_end_with(0);
	assert_true(heir_take_over(heir));
	assert_int_equal(heir_finish(heir), 0);
	assert_string_equal(fake_device_log(), "begin; end; begin; end; end; stop; delete later; ");
}

static void one_that_somebody_took_away_does_not(void **state)
{
	fake_device_set(UBLK_DEAD, -1);
	assert_false(heir_is_wanted(heir));
	assert_int_equal(heir_finish(heir), 0);
}

static void the_device_of_another_server_is_let_alone(void **state)
{
	fake_device_set(UBLK_QUIESCED, getpid());
	fake_device_replace();
	assert_false(heir_is_wanted(heir));
	assert_false(heir_take_over(heir));
	assert_int_equal(heir_finish(heir), 0);
	assert_string_equal(fake_device_log(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, setup)
		T(a_device_that_is_served_wants_no_heir),
		T(one_whose_requests_wait_or_fail_does),
		T(an_heir_that_the_kernel_refuses_the_ring_comes_again),
		T(one_who_gets_no_tag_lets_the_device_go_and_comes_again),
		T(one_for_whose_tags_the_kernel_waits_in_vain_comes_with_others),
		T(one_that_somebody_took_away_does_not),
		T(the_device_of_another_server_is_let_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
