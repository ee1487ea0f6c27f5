/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading records that lie side by side, by few requests, and never what is not theirs. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backing/backing.h"
#include "fake_medium.h"

#define SEGMENT BACKING_SEGMENT_MIN
#define SEGMENTS 16u
#define LENGTH 1000u /* of a payload; a record of 1024 bytes */
#define RECORD 1024u
#define EACH (SEGMENT / RECORD) /* records in a segment */
#define RECORDS (EACH * 8)

static struct fake_medium *fake;
static struct backing *backing;
static struct backing_record records[RECORDS];
static uint32_t versions[RECORDS];

static void begin_test(void)
{
	char why[MEDIUM_WHY_MAX] = "";

	fake = fake_medium_new((SEGMENTS + 1) * SEGMENT, 0);
	assert_int_equal(backing_create(&backing, &fake->medium, SEGMENT, true, why, sizeof(why)),
			 0);
	assert_int_equal(backing_start(backing, false), 0);
	memset(versions, 0, sizeof(versions));
	fake->reads = 0;
	fake->bytes_read = 0;
}

static void end_test(void)
{
	assert_int_equal(fake->misaligned, 0);
	backing_destroy(backing);
	fake_medium_free(fake);
}

static void make_payload(unsigned char *payload, uint64_t page, uint32_t version)
{
	for (uint32_t i = 0; i < LENGTH; i++)
		payload[i] = (unsigned char)(page * 31 + version * 7 + i * (page % 5 + 1));
}

/* Writes a segment that holds these records, one behind the other. */
static void put_segment(uint32_t first, uint32_t count, uint32_t version)
{
	unsigned char payload[LENGTH];

	for (uint32_t i = first; i < first + count; i++) {
		make_payload(payload, i, version);
		assert_int_equal(backing_append(backing, i, payload, LENGTH, BACKING_FROM_MEMORY),
				 0);
	}
	assert_int_equal(backing_write(backing), 0);
	for (uint32_t i = 0; i < count; i++) {
		records[first + i] = *backing_record(backing, i);
		versions[first + i] = version;
	}
	backing_done(backing);
}

static void put_all(uint32_t version)
{
	for (uint32_t i = 0; i < RECORDS; i += EACH)
		put_segment(i, EACH, version);
}

static void forget_all(void)
{
	for (uint32_t i = 0; i < RECORDS; i++)
		backing_forget(backing, records[i].location, LENGTH);
}

static int get_near(uint32_t i, const struct backing_range *near)
{
	unsigned char payload[LENGTH], expected[LENGTH];
	int err =
		backing_read(backing, records[i].page, records[i].location, LENGTH, near, payload);

	if (err)
		return err;
	make_payload(expected, i, versions[i]);
	assert_memory_equal(payload, expected, LENGTH);
	return 0;
}

static int get(uint32_t i)
{
	return get_near(i, NULL);
}

static uint64_t place(uint32_t i)
{
	return backing_record_range(backing, records[i].location, LENGTH).begin;
}

static void test_a_row_of_records_takes_few_requests(void **state)
{
	begin_test();
	put_all(1);
	for (uint32_t i = 0; i < RECORDS; i++)
		assert_int_equal(get(i), 0);
	/* A request for each window of 32 KiB, a few more until it is seen to be a row. */
	assert_uint_in_range(fake->reads, RECORDS * RECORD / (32 << 10),
			     RECORDS * RECORD / (32 << 10) + 8);
	assert_true(fake->bytes_read <= RECORDS * RECORD + (64 << 10));
	end_test();
}

static void test_a_row_that_is_read_from_its_end_does_too(void **state)
{
	begin_test();
	put_all(1);
	for (uint32_t i = RECORDS; i-- > 0;)
		assert_int_equal(get(i), 0);
	assert_true(fake->reads <= RECORDS * RECORD / (32 << 10) + 8);
	assert_true(fake->bytes_read <= RECORDS * RECORD + (64 << 10));
	end_test();
}

static void test_two_rows_at_once_do_not_disturb_each_other(void **state)
{
	begin_test();
	put_all(1);
	for (uint32_t i = 0; i < RECORDS / 2; i++) {
		assert_int_equal(get(i), 0);
		assert_int_equal(get(RECORDS / 2 + i), 0);
	}
	assert_true(fake->reads <= RECORDS * RECORD / (32 << 10) + 16);
	end_test();
}

static void test_a_record_far_from_others_costs_its_own_blocks_alone(void **state)
{
	uint32_t count = 0;

	begin_test();
	put_all(1);
	for (uint32_t i = 0; i < RECORDS; i += 16, count++)
		assert_int_equal(get(i * 7 % RECORDS / 16 * 16), 0);
	assert_int_equal(fake->reads, count);
	assert_int_equal(fake->bytes_read, count * RECORD);
	end_test();
}

static void test_records_that_are_wanted_together_are_read_together(void **state)
{
	struct backing_range near;

	begin_test();
	put_all(1);
	near = (struct backing_range){ place(100), place(108) };
	for (uint32_t i = 100; i < 108; i++)
		assert_int_equal(get_near(i, &near), 0);
	assert_int_equal(fake->reads, 1);
	assert_int_equal(fake->bytes_read, 8 * RECORD);
	/* A range that is old, endless or nonsense costs time, not correctness. */
	near = (struct backing_range){ 0, UINT64_C(1) << 40 };
	assert_int_equal(get_near(300, &near), 0);
	assert_true(fake->bytes_read <= 8 * RECORD + (32 << 10));
	near = (struct backing_range){ place(10), place(5) };
	assert_int_equal(get_near(400, &near), 0);
	near = (struct backing_range){ place(200), place(201) };
	assert_int_equal(get_near(450, &near), 0);
	end_test();
}

static void test_what_a_segment_does_not_hold_is_not_read(void **state)
{
	begin_test();
	put_segment(0, 5, 1);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(get(i), 0);
	assert_int_equal(fake->bytes_read, 5 * RECORD);
	end_test();
}

static void test_a_window_of_a_segment_that_was_filled_again_is_not_used(void **state)
{
	uint64_t places[RECORDS];

	begin_test();
	for (uint32_t version = 1; version < 20; version += 2) {
		put_all(version);
		for (uint32_t i = 0; i < RECORDS; i++) {
			assert_int_equal(get(i), 0);
			places[i] = place(i);
		}
		/* Half the segments are free: the filling after the next is in the same places. */
		forget_all();
		put_all(version + 1);
		forget_all();
		put_all(version + 2);
		fake->reads = 0;
		for (uint32_t i = RECORDS - EACH; i < RECORDS; i++) {
			assert_int_equal(place(i), places[i]);
			assert_int_equal(get(i), 0);
		}
		/* The old windows are not even tried. */
		assert_true(fake->reads <= 8);
		forget_all();
		put_all(version);
		forget_all();
	}
	end_test();
}

static void test_where_a_window_cannot_be_read_only_the_bad_record_fails(void **state)
{
	struct backing_stats stats;

	begin_test();
	put_all(1);
	fake->bad_read_from = place(20);
	fake->bad_read_to = place(21);
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < EACH; i++)
			assert_int_equal(get(i), i == 20 ? -EIO : 0);
	backing_get_stats(backing, &stats);
	assert_int_equal(stats.failed_reads, 2);
	fake->bad_read_to = 0;
	assert_int_equal(get(20), 0);
	end_test();
}

static void test_of_a_damaged_window_only_the_damaged_record_fails(void **state)
{
	struct backing_stats stats;

	begin_test();
	put_all(1);
	fake->bytes[place(20) + 500] ^= 1;
	for (uint32_t i = 0; i < EACH; i++)
		assert_int_equal(get(i), i == 20 ? -EBADMSG : 0);
	backing_get_stats(backing, &stats);
	assert_int_equal(stats.failed_reads, 1);
	/* Damaged on its way to the window alone: the second try has it. */
	fake->bytes[place(20) + 500] ^= 1;
	assert_int_equal(get(20), 0);
	end_test();
}

static void test_a_server_that_is_gone_is_not_waited_for_twice(void **state)
{
	begin_test();
	put_all(1);
	assert_int_equal(get(0), 0);
	fake->medium.remote = true;
	fake->read_error = ENOTCONN;
	fake->reads = 0;
	assert_int_equal(get(1), -EIO);
	assert_int_equal(fake->reads, 1);
	fake->read_error = 0;
	assert_int_equal(get(1), 0);
	end_test();
}

static void *get_one(void *opaque)
{
	return (void *)(intptr_t)get((uint32_t)(uintptr_t)opaque);
}

static pthread_t reader_of(uint32_t i)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, get_one, (void *)(uintptr_t)i), 0);
	return thread;
}

static void wait_until_held(unsigned int count)
{
	while (fake->held < count)
		usleep(1000);
}

static int result_of(pthread_t thread)
{
	void *result;

	assert_int_equal(pthread_join(thread, &result), 0);
	return (int)(intptr_t)result;
}

static void test_a_reader_waits_for_no_window_but_its_own(void **state)
{
	pthread_t first, second;

	begin_test();
	put_all(1);
	assert_int_equal(get(0), 0);
	assert_int_equal(get(1), 0);
	fake->hold_from = place(2);
	fake->hold_to = place(EACH);
	fake->hold = true;
	alarm(100);
	first = reader_of(3);
	wait_until_held(1);
	/* Windows that are there, and others that come, beside the one that hangs. */
	assert_int_equal(get(0), 0);
	for (uint32_t i = EACH; i < RECORDS; i++)
		assert_int_equal(get(i), 0);
	/* This one is in it: no request of its own. */
	second = reader_of(4);
	usleep(50000);
	assert_int_equal(fake->held, 1);
	fake->hold = false;
	assert_int_equal(result_of(first), 0);
	assert_int_equal(result_of(second), 0);
	alarm(0);
	end_test();
}

static void test_readers_of_a_window_that_fails_read_for_themselves(void **state)
{
	pthread_t reader[4];

	begin_test();
	put_all(1);
	assert_int_equal(get(0), 0);
	assert_int_equal(get(1), 0);
	assert_int_equal(get(2), 0);
	fake->bad_read_from = place(9);
	fake->bad_read_to = place(10);
	fake->hold_from = place(5);
	fake->hold_to = place(EACH);
	fake->hold = true;
	reader[0] = reader_of(6);
	wait_until_held(1);
	for (uint32_t i = 1; i < 4; i++)
		reader[i] = reader_of(6 + i);
	usleep(20000);
	fake->hold = false;
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(result_of(reader[i]), i == 3 ? -EIO : 0);
	end_test();
}

static void test_with_all_windows_in_use_records_are_read_alone(void **state)
{
	pthread_t reader[8];

	begin_test();
	put_all(1);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(get(i * EACH), 0);
	fake->hold_from = place(0);
	fake->hold_to = place(RECORDS - 16);
	fake->hold = true;
	for (uint32_t i = 0; i < 8; i++) {
		reader[i] = reader_of(i * EACH + 1);
		wait_until_held(i + 1);
	}
	for (uint32_t i = RECORDS - 16; i < RECORDS; i++)
		assert_int_equal(get(i), 0);
	fake->hold = false;
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(result_of(reader[i]), 0);
	end_test();
}

/*
 * Readers of pages that keep changing their places: what a page table's lock does, one
 * mutex for each stripe of pages does here.
 */
#define READERS 4

static pthread_mutex_t stripe_lock[EACH];
static atomic_bool writing;

static void *keep_reading(void *opaque)
{
	uint32_t at = (uint32_t)(uintptr_t)opaque * 97;

	while (writing) {
		uint32_t i = at++ % RECORDS;

		pthread_mutex_lock(&stripe_lock[i % EACH]);
		assert_int_equal(get(i), 0);
		pthread_mutex_unlock(&stripe_lock[i % EACH]);
	}
	return NULL;
}

static void move_segment(uint32_t first, uint32_t version)
{
	unsigned char payload[LENGTH];

	for (uint32_t i = 0; i < EACH; i++) {
		make_payload(payload, first + i, version);
		assert_int_equal(backing_append(backing, first + i, payload, LENGTH,
						BACKING_FROM_MEMORY),
				 0);
	}
	assert_int_equal(backing_write(backing), 0);
	for (uint32_t i = 0; i < EACH; i++) {
		struct backing_record old;

		pthread_mutex_lock(&stripe_lock[i]);
		old = records[first + i];
		records[first + i] = *backing_record(backing, i);
		versions[first + i] = version;
		pthread_mutex_unlock(&stripe_lock[i]);
		backing_forget(backing, old.location, LENGTH);
	}
	backing_done(backing);
}

static void test_readers_beside_a_writer_get_what_is_theirs(void **state)
{
	const char *scale = getenv("RAMZSWAP_TEST_SCALE");
	uint32_t rounds = 5 * (scale ? (uint32_t)atoi(scale) : 100);
	pthread_t threads[READERS];

	begin_test();
	put_all(1);
	for (uint32_t i = 0; i < EACH; i++)
		pthread_mutex_init(&stripe_lock[i], NULL);
	writing = true;
	for (uintptr_t i = 0; i < READERS; i++)
		pthread_create(&threads[i], NULL, keep_reading, (void *)i);
	for (uint32_t round = 0; round < rounds; round++)
		move_segment(round * 5 % 8 * EACH, round + 2);
	writing = false;
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	end_test();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_row_of_records_takes_few_requests),
		cmocka_unit_test(test_a_row_that_is_read_from_its_end_does_too),
		cmocka_unit_test(test_two_rows_at_once_do_not_disturb_each_other),
		cmocka_unit_test(test_a_record_far_from_others_costs_its_own_blocks_alone),
		cmocka_unit_test(test_records_that_are_wanted_together_are_read_together),
		cmocka_unit_test(test_what_a_segment_does_not_hold_is_not_read),
		cmocka_unit_test(test_a_window_of_a_segment_that_was_filled_again_is_not_used),
		cmocka_unit_test(test_where_a_window_cannot_be_read_only_the_bad_record_fails),
		cmocka_unit_test(test_of_a_damaged_window_only_the_damaged_record_fails),
		cmocka_unit_test(test_a_server_that_is_gone_is_not_waited_for_twice),
		cmocka_unit_test(test_a_reader_waits_for_no_window_but_its_own),
		cmocka_unit_test(test_readers_of_a_window_that_fails_read_for_themselves),
		cmocka_unit_test(test_with_all_windows_in_use_records_are_read_alone),
		cmocka_unit_test(test_readers_beside_a_writer_get_what_is_theirs),
	};

	return cmocka_run_group_tests_name("backing window", tests, NULL, NULL);
}
