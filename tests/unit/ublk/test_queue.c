/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fake_ring.h"
#include "ublk/queue.h"

/* What the server was asked, and what it says. */
static struct {
	struct ublk_descriptor requests[64];
	unsigned char first_byte[64];
	unsigned int count;
	int32_t result;
} asked;

static struct ublk_queue queue;

static int32_t answer(void *opaque, const struct ublk_descriptor *request, unsigned char *data)
{
	assert_ptr_equal(opaque, &asked);
	asked.requests[asked.count] = *request;
	asked.first_byte[asked.count] = data ? data[0] : 0;
	asked.count++;
	if (data && request->operation == UBLK_READ)
		memset(data, (int)request->sector, FAKE_REQUEST_BYTES);
	return asked.result;
}

static void begin_with(unsigned int poll_us, size_t request_bytes)
{
	const struct ublk_queue_config config = {
		.depth = FAKE_DEPTH,
		.request_bytes = request_bytes,
		.poll_us = poll_us,
	};

	memset(&asked, 0, sizeof(asked));
	asked.result = FAKE_REQUEST_BYTES;
	assert_int_equal(ublk_queue_make(&queue, &config), 0);
	assert_int_equal(ublk_queue_attach(&queue, "/dev/null/nothing"), -ENOTDIR);
	assert_int_equal(ublk_queue_attach(&queue, fake_begin()), 0);
}

static int setup_with(unsigned int poll_us, size_t request_bytes)
{
	begin_with(poll_us, request_bytes);
	assert_int_equal(ublk_queue_fetch(&queue), 0);
	return 0;
}

static int setup(void **state)
{
	return setup_with(0, FAKE_REQUEST_BYTES);
}

static int teardown(void **state)
{
	ublk_queue_close(&queue);
	fake_end();
	return 0;
}

static int turn(void)
{
	return ublk_queue_round(&queue, answer, &asked, -1);
}

static const struct fake_command *last(void)
{
	return &fake.commands[fake.count - 1];
}

static void every_tag_is_fetched_once(void **state)
{
	assert_int_equal(fake.count, FAKE_DEPTH);
	for (unsigned int i = 0; i < FAKE_DEPTH; i++) {
		assert_int_equal(fake.commands[i].operation, UBLK_FETCH);
		assert_true(fake.owned[i]);
	}
}

static void there_is_no_buffer_where_no_answer_carries_data(void **state)
{
	unsigned char bytes[FAKE_REQUEST_BYTES];

	teardown(state);
	setup_with(0, 0);
	asked.result = -EIO;
	memset(bytes, 0x5b, sizeof(bytes));
	fake_request(1, UBLK_WRITE, 7, bytes);
	fake_request(2, UBLK_READ, 8, bytes);
	assert_int_equal(turn(), 1);
	assert_null(queue.buffer);
	assert_int_equal(asked.count, 2);
	assert_int_equal(last()->what.result, -EIO);
	fake_data(2, bytes);
	assert_int_equal(bytes[0], 0x5b);
}

static void a_write_reaches_the_server_with_its_data(void **state)
{
	unsigned char bytes[FAKE_REQUEST_BYTES];

	memset(bytes, 0x5b, sizeof(bytes));
	fake_request(3, UBLK_WRITE, 77, bytes);
	assert_int_equal(turn(), 1);
	assert_int_equal(asked.count, 1);
	assert_int_equal(asked.requests[0].sector, 77);
	assert_int_equal(asked.first_byte[0], 0x5b);
	assert_int_equal(last()->operation, UBLK_COMMIT_AND_FETCH);
	assert_int_equal(last()->what.tag, 3);
	assert_int_equal(last()->what.result, FAKE_REQUEST_BYTES);
}

static void what_is_read_reaches_the_request_of_its_tag(void **state)
{
	unsigned char bytes[FAKE_REQUEST_BYTES];

	fake_request(5, UBLK_READ, 0x21, NULL);
	fake_request(2, UBLK_READ, 0x22, NULL);
	assert_int_equal(turn(), 1);
	fake_data(5, bytes);
	assert_int_equal(bytes[FAKE_REQUEST_BYTES - 1], 0x21);
	fake_data(2, bytes);
	assert_int_equal(bytes[0], 0x22);
}

/* What the buffer has of an earlier request is not for this one. */
static void a_read_that_fails_carries_nothing(void **state)
{
	unsigned char bytes[FAKE_REQUEST_BYTES];

	asked.result = -EIO;
	fake_request(5, UBLK_READ, 0x21, NULL);
	assert_int_equal(turn(), 1);
	assert_int_equal(last()->what.result, -EIO);
	fake_data(5, bytes);
	assert_int_equal(bytes[0], 0);
}

static void more_data_than_agreed_is_refused(void **state)
{
	fake_request(5, UBLK_WRITE, 0, NULL);
	fake.descriptors[5].sectors++;
	assert_int_equal(turn(), 1);
	assert_int_equal(asked.count, 0);
	assert_int_equal(last()->what.result, -EINVAL);
}

static void data_that_does_not_come_is_an_error_of_its_request_alone(void **state)
{
	fake_cut();
	fake_request(5, UBLK_WRITE, 0, NULL);
	assert_int_equal(turn(), 1);
	assert_int_equal(asked.count, 0);
	assert_int_equal(last()->what.result, -EIO);
	fake_request(6, UBLK_DISCARD, 0, NULL);
	asked.result = 0;
	assert_int_equal(turn(), 1);
	assert_int_equal(asked.count, 1);
	assert_int_equal(last()->what.result, 0);
}

static void requests_that_come_together_are_answered_by_one_call(void **state)
{
	unsigned int before = fake.submits;

	for (unsigned int tag = FAKE_DEPTH; tag-- > 0;)
		fake_request(tag, UBLK_READ, tag, NULL);
	assert_int_equal(turn(), 1);
	assert_int_equal(asked.count, FAKE_DEPTH);
	assert_int_equal(fake.count, 2 * FAKE_DEPTH);
	assert_int_equal(fake.submits, before + 1);
}

static void an_error_is_the_answer_to_its_request_alone(void **state)
{
	asked.result = -ENOSPC;
	fake_request(1, UBLK_WRITE, 0, NULL);
	assert_int_equal(turn(), 1);
	assert_int_equal(last()->what.result, -ENOSPC);
	asked.result = FAKE_REQUEST_BYTES;
	fake_request(1, UBLK_WRITE, 0, NULL);
	assert_int_equal(turn(), 1);
	assert_int_equal(last()->what.result, FAKE_REQUEST_BYTES);
}

static void it_ends_when_all_tags_have_come_back(void **state)
{
	for (unsigned int tag = 0; tag < FAKE_DEPTH - 1; tag++)
		fake_complete(tag, -ENODEV);
	assert_int_equal(turn(), 1);
	/* The last one still has a request. */
	fake_request(FAKE_DEPTH - 1, UBLK_READ, 1, NULL);
	assert_int_equal(turn(), 1);
	assert_int_equal(asked.count, 1);
	fake_complete(FAKE_DEPTH - 1, -ENODEV);
	assert_int_equal(turn(), 0);
}

static void a_tag_that_the_kernel_refuses_ends_it_with_the_reason(void **state)
{
	fake_complete(0, -EINVAL);
	fake_request(1, UBLK_READ, 1, NULL);
	assert_int_equal(turn(), -EINVAL);
	/* Who came together with it has his answer. */
	assert_int_equal(last()->what.tag, 1);
}

/* Who starts the device would wait for it in vain. */
static void a_first_one_that_is_refused_at_once_is_an_error_of_the_fetch(void **state)
{
	const int reasons[] = { -EINVAL, -EBUSY, -ENODEV };

	for (unsigned int i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		teardown(state);
		begin_with(0, FAKE_REQUEST_BYTES);
		fake.refuse = reasons[i];
		fake.refuse_tag = 5;
		assert_int_equal(ublk_queue_fetch(&queue), reasons[i]);
	}
}

static void one_that_there_was_no_memory_for_at_once_is_not(void **state)
{
	teardown(state);
	begin_with(0, FAKE_REQUEST_BYTES);
	fake.refuse = -ENOMEM;
	fake.refuse_tag = 5;
	assert_int_equal(ublk_queue_fetch(&queue), 0);
	assert_int_equal(turn(), 1);
	assert_int_equal(last()->operation, UBLK_FETCH);
	assert_int_equal(last()->what.tag, 5);
}

static void an_answer_that_the_kernel_has_no_memory_for_is_given_again(void **state)
{
	const int passing[] = { -EAGAIN, -ENOMEM, -EINTR, -EBUSY };

	for (unsigned int i = 0; i < sizeof(passing) / sizeof(*passing); i++) {
		fake.fail = passing[i];
		fake.fail_times = 3;
		fake_request(i, UBLK_READ, 1, NULL);
		assert_int_equal(turn(), 1);
		assert_int_equal(last()->what.tag, i);
		assert_int_equal(fake.fail_times, 0);
	}
	assert_int_equal(fake.count, FAKE_DEPTH + sizeof(passing) / sizeof(*passing));
}

static void a_command_that_the_kernel_has_no_memory_for_is_given_again(void **state)
{
	const int passing[] = { -EAGAIN, -ENOMEM, -EINTR };

	for (unsigned int i = 0; i < sizeof(passing) / sizeof(*passing); i++) {
		/* The first of a tag, and an answer. */
		fake_complete(i, passing[i]);
		assert_int_equal(turn(), 1);
		assert_int_equal(last()->operation, UBLK_FETCH);
		assert_int_equal(last()->what.tag, i);
		asked.result = -(int)i;
		fake_request(i, UBLK_WRITE, 0, NULL);
		assert_int_equal(turn(), 1);
		fake_complete(i, passing[i]);
		assert_int_equal(turn(), 1);
		assert_int_equal(last()->operation, UBLK_COMMIT_AND_FETCH);
		assert_int_equal(last()->what.tag, i);
		assert_int_equal(last()->what.result, -(int)i);
		assert_true(fake.owned[i]);
	}
	/* Nobody was asked twice. */
	assert_int_equal(asked.count, sizeof(passing) / sizeof(*passing));
}

static void a_tag_that_is_another_process_s_ends_it(void **state)
{
	fake_complete(2, -EBUSY);
	assert_int_equal(turn(), -EBUSY);
}

static void an_end_that_is_not_known_ends_it(void **state)
{
	fake_complete(2, 1);
	assert_int_equal(turn(), -EPROTO);
}

static void a_ring_that_fails_ends_it_with_the_reason(void **state)
{
	fake.fail = -EBADF;
	fake.fail_times = 1;
	fake_request(0, UBLK_READ, 1, NULL);
	assert_int_equal(turn(), -EBADF);
}

static void wait_with_a_bound_ends(void **state)
{
	assert_int_equal(ublk_queue_round(&queue, answer, &asked, 10), 1);
	assert_int_equal(asked.count, 0);
	assert_int_equal(fake.sleeps, 1);
}

static void read_while_asleep(void)
{
	fake_request(0, UBLK_READ, 1, NULL);
}

static void announce_once(void)
{
	fake.on_ask = NULL;
	fake_announce(4, 9);
}

static void requests_that_come_soon_are_asked_for_instead_of_slept_for(void **state)
{
	teardown(state);
	setup_with(1000000, FAKE_REQUEST_BYTES);
	/* The first one tells that asking pays. */
	fake.on_sleep = read_while_asleep;
	assert_int_equal(turn(), 1);
	assert_int_equal(fake.sleeps, 1);
	assert_int_equal(turn(), 1);
	fake.on_sleep = NULL;
	fake.sleeps = 0;
	asked.count = 0;
	assert_true(patience_is_left(&queue.patience));

	fake.on_ask = announce_once;
	assert_int_equal(turn(), 1);
	assert_int_equal(fake.sleeps, 0);
	assert_int_equal(turn(), 1);
	assert_int_equal(asked.requests[asked.count - 1].sector, 9);
	assert_null(fake.on_ask);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(every_tag_is_fetched_once),
		T(there_is_no_buffer_where_no_answer_carries_data),
		T(a_write_reaches_the_server_with_its_data),
		T(what_is_read_reaches_the_request_of_its_tag),
		T(a_read_that_fails_carries_nothing),
		T(more_data_than_agreed_is_refused),
		T(data_that_does_not_come_is_an_error_of_its_request_alone),
		T(requests_that_come_together_are_answered_by_one_call),
		T(an_error_is_the_answer_to_its_request_alone),
		T(it_ends_when_all_tags_have_come_back),
		T(a_tag_that_the_kernel_refuses_ends_it_with_the_reason),
		T(a_first_one_that_is_refused_at_once_is_an_error_of_the_fetch),
		T(one_that_there_was_no_memory_for_at_once_is_not),
		T(an_answer_that_the_kernel_has_no_memory_for_is_given_again),
		T(a_command_that_the_kernel_has_no_memory_for_is_given_again),
		T(a_tag_that_is_another_process_s_ends_it),
		T(an_end_that_is_not_known_ends_it),
		T(a_ring_that_fails_ends_it_with_the_reason),
		T(wait_with_a_bound_ends),
		T(requests_that_come_soon_are_asked_for_instead_of_slept_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
