/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The medium in memory that other tests trust: it fails when it is told to, and never lies. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fake_medium.h"

#define BLOCK 512u
#define REQUESTS 200000u

static atomic_bool enough;

/* Failing is switched on and off, as fast as it goes. */
static void *trouble_main(void *arg)
{
	struct fake_medium *fake = arg;

	fake->write_fails = -1;
	while (!atomic_load(&enough)) {
		fake->read_error = fake->write_error = EIO;
		fake->read_error = fake->write_error = 0;
	}
	return NULL;
}

static void what_it_says_was_done_was_done(void **state)
{
	struct fake_medium *fake = fake_medium_new(8 * BLOCK, 0);
	const struct medium_ops *ops = fake->medium.ops;
	_Alignas(BLOCK) unsigned char block[BLOCK], back[BLOCK];
	pthread_t trouble;

	atomic_store(&enough, false);
	assert_int_equal(pthread_create(&trouble, NULL, trouble_main, fake), 0);
	for (unsigned int i = 0; i < REQUESTS; i++) {
		int err;

		memset(block, (int)i, BLOCK);
		err = ops->write(&fake->medium, block, BLOCK, BLOCK);
		if (err)
			assert_int_equal(err, -EIO);
		else
			assert_memory_equal(fake->bytes + BLOCK, block, BLOCK);
		memset(back, (int)~i, BLOCK);
		err = ops->read(&fake->medium, back, BLOCK, BLOCK);
		if (err)
			assert_int_equal(err, -EIO);
		else
			assert_memory_equal(back, fake->bytes + BLOCK, BLOCK);
	}
	atomic_store(&enough, true);
	pthread_join(trouble, NULL);
	fake_medium_free(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says_was_done_was_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
