/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What requests may take: counted to the byte, refused past the limit, whoever asks when. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/request_memory.h"

#define MIB (1u << 20)

static void buffers_are_counted_as_they_grow_and_go(void **state)
{
	char *block = request_memory_resize(NULL, 64 << 10);

	assert_non_null(block);
	assert_int_equal(request_memory_bytes(), 64 << 10);
	memset(block, 7, 64 << 10);
	block = request_memory_resize(block, 3 * MIB);
	assert_non_null(block);
	assert_int_equal(request_memory_bytes(), 3 * MIB);
	assert_int_equal(block[65535], 7);
	block = request_memory_resize(block, 100);
	assert_int_equal(block[99], 7);
	request_memory_free(block);
	assert_int_equal(request_memory_bytes(), 0);
	request_memory_free(NULL);
}

static void what_others_allocated_may_be_freed(void **state)
{
	void *small = malloc(10), *large = malloc(2 * MIB);

	large = request_memory_resize(large, 3 * MIB);
	assert_int_equal(request_memory_bytes(), 3 * MIB);
	request_memory_free(small);
	request_memory_free(large);
	request_memory_free(malloc(5 * MIB));
	assert_int_equal(request_memory_bytes(), 0);
}

static void too_large_a_one_is_refused_and_the_old_one_stays(void **state)
{
	char *block = request_memory_resize(NULL, 2 * MIB);

	block[MIB] = 9;
	errno = 0;
	assert_null(request_memory_resize(block, REQUEST_MAX + 1));
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(request_memory_bytes(), 2 * MIB);
	assert_int_equal(block[MIB], 9);
	block = request_memory_resize(block, REQUEST_MAX);
	assert_non_null(block);
	assert_int_equal(block[MIB], 9);
	request_memory_free(block);
	assert_int_equal(request_memory_bytes(), 0);
}

static void large_ones_share_a_limit_that_ordinary_ones_do_not_meet(void **state)
{
	void *large[REQUEST_LARGE_TOTAL / REQUEST_MAX], *ordinary[40], *grown;

	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
		large[i] = request_memory_resize(NULL, REQUEST_MAX);
		assert_non_null(large[i]);
	}
	assert_null(request_memory_resize(NULL, REQUEST_ALWAYS + 1));
	for (int i = 0; i < 40; i++) {
		ordinary[i] = request_memory_resize(NULL, REQUEST_ALWAYS);
		assert_non_null(ordinary[i]);
	}
	assert_int_equal(request_memory_bytes(), REQUEST_LARGE_TOTAL + 40ull * REQUEST_ALWAYS);
	assert_null(request_memory_resize(ordinary[0], REQUEST_ALWAYS + 1));
	/* What one gives back another has. */
	request_memory_free(large[0]);
	grown = request_memory_resize(ordinary[0], REQUEST_MAX);
	assert_non_null(grown);
	request_memory_free(grown);
	for (int i = 1; i < 40; i++)
		request_memory_free(ordinary[i]);
	for (size_t i = 1; i < sizeof(large) / sizeof(large[0]); i++)
		request_memory_free(large[i]);
	assert_int_equal(request_memory_bytes(), 0);
}

/* More than the table has room for: the rest is refused, not forgotten. */
static void so_many_that_they_cannot_be_told_apart_are_refused(void **state)
{
	static void *block[5000];
	unsigned int made = 0;

	while (made < 5000 && (block[made] = request_memory_resize(NULL, 64 << 10)))
		made++;
	assert_uint_in_range(made, 3000, 4999);
	assert_int_equal(request_memory_bytes(), made * (64ull << 10));
	/* In another order than they came. */
	for (unsigned int i = 0; i < made; i++)
		request_memory_free(block[i * 7919ull % made]);
	assert_int_equal(request_memory_bytes(), 0);
}

static atomic_int wrong; /* cmocka's assertions are for the main thread */

static void *grow_and_free(void *opaque)
{
	unsigned int seed = *(unsigned int *)opaque;
	unsigned char *block[8] = { 0 };
	size_t size[8] = { 0 };

	for (int i = 0; i < 300; i++) {
		unsigned int which = (unsigned int)rand_r(&seed) % 8;
		size_t wanted = 1 + (unsigned int)rand_r(&seed) % (5 * MIB);
		unsigned char *made = request_memory_resize(block[which], wanted);

		if (!made) {
			request_memory_free(block[which]);
			block[which] = NULL;
			size[which] = 0;
			continue;
		}
		wrong += size[which] && made[0] != which;
		made[0] = (unsigned char)which;
		block[which] = made;
		size[which] = wanted;
	}
	for (int i = 0; i < 8; i++)
		request_memory_free(block[i]);
	return NULL;
}

static void threads_do_not_disturb_the_count(void **state)
{
	unsigned int seeds[4] = { 1, 2, 3, 4 };
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, grow_and_free, &seeds[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wrong, 0);
	assert_int_equal(request_memory_bytes(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_are_counted_as_they_grow_and_go),
		cmocka_unit_test(what_others_allocated_may_be_freed),
		cmocka_unit_test(too_large_a_one_is_refused_and_the_old_one_stays),
		cmocka_unit_test(large_ones_share_a_limit_that_ordinary_ones_do_not_meet),
		cmocka_unit_test(so_many_that_they_cannot_be_told_apart_are_refused),
		cmocka_unit_test(threads_do_not_disturb_the_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
