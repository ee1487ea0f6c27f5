/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The buffers of requests grow into what was made beforehand, without a page fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "server/request_memory.h"
#include "server/request_spares.h"

#define THREADS 3u
#define LARGEST (4u << 20)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true /* its own memory is faulted in at any time */
#else
#define SANITIZED false
#endif

static uint64_t faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_minflt + usage.ru_majflt);
}

/* As nbdkit does: realloc to the request, then zeroes. */
static void grow(unsigned char **buffers, size_t bytes)
{
	for (unsigned int i = 0; i < THREADS; i++) {
		buffers[i] = request_memory_resize(buffers[i], bytes);
		assert_non_null(buffers[i]);
		memset(buffers[i], 0, bytes);
	}
}

static void grow_to(unsigned char **buffers, size_t most)
{
	for (size_t bytes = 4096; bytes < most; bytes *= 2)
		grow(buffers, bytes);
	grow(buffers, most - 4096);
	grow(buffers, most);
}

static void free_all(unsigned char **buffers)
{
	for (unsigned int i = 0; i < THREADS; i++)
		request_memory_free(buffers[i]);
}

/* All code has run once. */
static int warm_up(void **state)
{
	unsigned char *buffers[THREADS] = { NULL };

	(void)faults();
	request_memory_keep(1, REQUEST_SWAP);
	grow_to(buffers, REQUEST_SWAP);
	free_all(buffers);
	return 0;
}

static int give_back(void **state)
{
	request_spares_keep(0, 1);
	return 0;
}

static void test_buffers_grow_without_a_fault(void **state)
{
	unsigned char *buffers[THREADS] = { NULL };
	uint64_t before;

	if (SANITIZED) {
		print_message("a sanitizer's own memory takes page faults\n");
		skip();
	}
	grow(buffers, 4096); /* what the heap has anyway */
	assert_true(request_memory_keep(THREADS, LARGEST));
	before = faults();
	grow_to(buffers, LARGEST);
	assert_int_equal(faults(), before);
	free_all(buffers);
	/* Who comes next finds them again. */
	memset(buffers, 0, sizeof(buffers));
	before = faults();
	grow_to(buffers, LARGEST);
	assert_int_equal(faults(), before);
	free_all(buffers);
	assert_int_equal(request_memory_bytes(), 0);
}

static void test_buffers_in_use_when_requests_may_be_larger_grow_without_a_fault(void **state)
{
	unsigned char *buffers[THREADS] = { NULL };
	uint64_t before;

	if (SANITIZED) {
		print_message("a sanitizer's own memory takes page faults\n");
		skip();
	}
	assert_true(request_spares_keep(THREADS, REQUEST_SWAP));
	grow_to(buffers, REQUEST_SWAP);
	assert_true(request_memory_keep(THREADS, LARGEST));
	before = faults();
	grow_to(buffers, LARGEST);
	assert_int_equal(faults(), before);
	free_all(buffers);
}

static void test_what_is_in_a_buffer_stays_as_it_grows(void **state)
{
	unsigned char *buffer = request_memory_resize(NULL, 4096);

	assert_true(request_spares_keep(1, REQUEST_SWAP));
	memset(buffer, 7, 4096);
	buffer = request_memory_resize(buffer, 70000);
	assert_int_equal(buffer[0], 7);
	assert_int_equal(buffer[4095], 7);
	memset(buffer, 8, 70000);
	/* Past what was made: the C library's, and in the same table of what is counted. */
	buffer = request_memory_resize(buffer, 2 * REQUEST_SWAP);
	assert_int_equal(buffer[69999], 8);
	assert_int_equal(request_memory_bytes(), 2 * REQUEST_SWAP);
	request_memory_free(buffer);
	assert_int_equal(request_memory_bytes(), 0);
}

static void test_a_spare_is_given_to_one_only(void **state)
{
	void *first, *second, *third;

	assert_true(request_spares_keep(2, REQUEST_SWAP));
	first = request_spares_take(NULL, 8192);
	second = request_spares_take(NULL, REQUEST_SWAP);
	assert_non_null(first);
	assert_non_null(second);
	assert_ptr_not_equal(first, second);
	assert_null(request_spares_take(NULL, 8192));
	third = request_memory_resize(NULL, 8192);
	assert_non_null(third);
	request_spares_free(third);
	request_spares_free(first);
	assert_ptr_equal(request_spares_take(NULL, 8192), first);
	request_spares_free(first);
	request_spares_free(second);
}

static void test_small_and_too_large_ones_are_left_alone(void **state)
{
	assert_true(request_spares_keep(1, REQUEST_SWAP));
	assert_null(request_spares_take(NULL, 4096));
	assert_null(request_spares_take(NULL, REQUEST_SWAP + 1));
}

static void test_no_more_are_kept_than_there_is_room_for(void **state)
{
	assert_true(request_spares_keep(REQUEST_SPARES_MAX, 8192));
	assert_false(request_spares_keep(REQUEST_SPARES_MAX + 1, 8192));
	/* One that was in use and is too small by now does not stay. */
	request_spares_free(request_spares_take(NULL, 8192));
	assert_true(request_spares_keep(1, REQUEST_SWAP));
	assert_non_null(request_spares_take(NULL, REQUEST_SWAP));
	assert_null(request_spares_take(NULL, 8192));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_buffers_grow_without_a_fault, give_back),
		cmocka_unit_test_teardown(
			test_buffers_in_use_when_requests_may_be_larger_grow_without_a_fault,
			give_back),
		cmocka_unit_test_teardown(test_what_is_in_a_buffer_stays_as_it_grows, give_back),
		cmocka_unit_test_teardown(test_a_spare_is_given_to_one_only, give_back),
		cmocka_unit_test_teardown(test_small_and_too_large_ones_are_left_alone, give_back),
		cmocka_unit_test_teardown(test_no_more_are_kept_than_there_is_room_for, give_back),
	};

	return cmocka_run_group_tests(tests, warm_up, NULL);
}
