/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands that wait for who serves the device, with a made-up kernel in place of liburing. */
#include <errno.h>
#include <liburing.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ublk/device.h"

#define ENTRIES 2u

/* A device whose tags are fetched after so many sleeps, if ever. */
static struct {
	unsigned int sleeps, fetched_after;
	int result;	/* of the command, once they are */
	int ring;	/* what each call returns instead, if not 0 */
	uint64_t mark;	/* of the command under way */
	bool under_way; /* it is */
	bool too_late;	/* to give it up */
	unsigned int given_up;
	uint32_t operation;
} kernel;

static struct ublk_control control;
static atomic_bool has_ended;
/* Of the larger kind. */
static struct io_uring_sqe submissions[2 * ENTRIES];
static struct io_uring_cqe completions[2 * ENTRIES];
static unsigned int sq_head, sq_tail, sq_flags, cq_head, cq_tail;
static uint64_t ms;

/* Time that goes on with the sleeps. */
int clock_gettime(clockid_t clock, struct timespec *time)
{
	*time = clock_timespec(ms * UINT64_C(1000000));
	return 0;
}

static int setup(void **state)
{
	memset(&kernel, 0, sizeof(kernel));
	memset(&control, 0, sizeof(control));
	sq_head = sq_tail = sq_flags = cq_head = cq_tail = 0;
	atomic_store(&has_ended, false);
	control.ring.flags = IORING_SETUP_SQE128;
	control.ring.sq.khead = &sq_head;
	control.ring.sq.ktail = &sq_tail;
	control.ring.sq.kflags = &sq_flags;
	control.ring.sq.sqes = submissions;
	control.ring.sq.ring_mask = ENTRIES - 1;
	control.ring.sq.ring_entries = ENTRIES;
	control.ring.cq.khead = &cq_head;
	control.ring.cq.ktail = &cq_tail;
	control.ring.cq.cqes = completions;
	control.ring.cq.ring_mask = 2 * ENTRIES - 1;
	control.ring.cq.ring_entries = 2 * ENTRIES;
	return 0;
}

static void complete(uint64_t mark, int result)
{
	completions[cq_tail % (2 * ENTRIES)] = (struct io_uring_cqe){
		.user_data = mark,
		.res = result,
	};
	cq_tail++;
}

static void end_command(int result)
{
	assert_true(kernel.under_way);
	kernel.under_way = false;
	complete(kernel.mark, result);
}

static void take(const struct io_uring_sqe *submission)
{
	if (submission->opcode == IORING_OP_URING_CMD) {
		kernel.mark = submission->user_data;
		kernel.operation = submission->cmd_op;
		kernel.under_way = true;
		return;
	}
	assert_int_equal(submission->opcode, IORING_OP_ASYNC_CANCEL);
	assert_int_equal(submission->addr, kernel.mark);
	assert_int_not_equal(submission->user_data, kernel.mark);
	kernel.given_up++;
	complete(submission->user_data, -EALREADY);
	if (!kernel.too_late)
		end_command(-EINTR);
}

int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **completion,
				     unsigned int count, struct __kernel_timespec *time,
				     sigset_t *signals)
{
	if (kernel.ring)
		return kernel.ring;
	for (; sq_head != ring->sq.sqe_tail; sq_head++)
		take(&submissions[2 * (sq_head % ENTRIES)]);
	ms += (uint64_t)(time->tv_sec * 1000 + time->tv_nsec / 1000000);
	kernel.sleeps++;
	if (kernel.under_way && kernel.sleeps == kernel.fetched_after)
		end_command(kernel.result);
	return cq_head != cq_tail ? 1 : -ETIME;
}

static int start(void)
{
	int err = ublk_start(&control, 3, &has_ended);

	/* The next command finds the ring as this one did. */
	assert_int_equal(cq_head, cq_tail);
	assert_false(!kernel.ring && kernel.under_way);
	return err;
}

static void a_start_waits_until_all_tags_are_fetched(void **state)
{
	kernel.fetched_after = 5;
	assert_int_equal(start(), 0);
	assert_int_equal(kernel.operation, UBLK_START_DEVICE);
	assert_int_equal(kernel.sleeps, 5);
	assert_int_equal(kernel.given_up, 0);
}

static void what_the_kernel_says_of_it_is_returned(void **state)
{
	kernel.fetched_after = 1;
	kernel.result = -EEXIST;
	assert_int_equal(start(), -EEXIST);
}

static void a_server_that_has_ended_is_not_waited_for(void **state)
{
	atomic_store(&has_ended, true);
	assert_int_equal(start(), -ECANCELED);
	assert_int_equal(kernel.given_up, 1);
	assert_true(kernel.sleeps < 10);
}

static void nor_is_one_that_does_not_come(void **state)
{
	uint64_t before = ms;

	assert_int_equal(start(), -ECANCELED);
	assert_int_equal(kernel.given_up, 1);
	assert_in_range(ms - before, UBLK_FETCHED_MS, UBLK_FETCHED_MS + 1000);
}

static void one_that_comes_just_then_has_started(void **state)
{
	atomic_store(&has_ended, true);
	kernel.too_late = true;
	kernel.fetched_after = 4;
	assert_int_equal(start(), 0);
	assert_int_equal(kernel.given_up, 1);
}

static void a_ring_that_fails_ends_the_wait(void **state)
{
	kernel.ring = -EBADF;
	assert_int_equal(start(), -EBADF);
}

static void an_heir_is_waited_for_as_long(void **state)
{
	uint64_t before = ms;

	assert_int_equal(ublk_recovery_end(&control, 3), -ECANCELED);
	assert_int_equal(kernel.operation, UBLK_END_RECOVERY);
	assert_in_range(ms - before, UBLK_FETCHED_MS, UBLK_FETCHED_MS + 1000);
	setup(state);
	kernel.fetched_after = 2;
	assert_int_equal(ublk_recovery_end(&control, 3), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, setup)
		T(a_start_waits_until_all_tags_are_fetched),
		T(what_the_kernel_says_of_it_is_returned),
		T(a_server_that_has_ended_is_not_waited_for),
		T(nor_is_one_that_does_not_come),
		T(one_that_comes_just_then_has_started),
		T(a_ring_that_fails_ends_the_wait),
		T(an_heir_is_waited_for_as_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
