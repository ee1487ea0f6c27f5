/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether what is swapped out fits: counted so that what moves meanwhile is not counted twice. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_host.h"
#include "tools/ramzswap/room.h"

static void the_lesser_of_two_looks_counts(void **unused)
{
	struct room_look look = {
		.before = 500, .after = 300, .held_before = 50, .held_after = 90, .used = 400
	};
	struct room room = room_of(&look);

	/* Programs took memory between the two looks, and the guard took slots. */
	assert_int_equal(room.room, 300);
	assert_int_equal(room.used, 350);
	look.before = 200;
	look.held_before = 150;
	room = room_of(&look);
	assert_int_equal(room.room, 200);
	assert_int_equal(room.used, 310);
}

static void other_areas_are_room(void **unused)
{
	const struct room_look look = { .before = 5, .after = 5, .used = 9, .elsewhere = 100 };

	assert_int_equal(room_of(&look).room, 105);
	assert_int_equal(room_of(&look).used, 9);
}

static void the_guard_never_holds_more_than_all(void **unused)
{
	const struct room_look look = { .held_before = 70, .held_after = 70, .used = 60 };

	assert_int_equal(room_of(&look).used, 0);
}

static void memory_the_swap_cache_and_the_guard_are_counted(void **state)
{
	struct fake_host *fake = *state;
	struct room room;

	fake_meminfo(fake, 1000, 200);
	assert_int_equal(room_measure(&fake->host, "/dev/nbd0", FAKE_GUARD, &room), 0);
	assert_int_equal(room.room, 1200 << 10);
	assert_int_equal(room.used, (131072 - 10240) << 10);
	assert_int_equal(room_measure(&fake->host, "/dev/nbd0", 0, &room), 0);
	assert_int_equal(room.used, 131072 << 10);
	/* A guard that is about to end holds none. */
	fake_put(fake, "/proc/102/status", "Name: ramzswap-guard");
	assert_int_equal(room_measure(&fake->host, "/dev/nbd0", FAKE_GUARD, &room), 0);
	assert_int_equal(room.used, 131072 << 10);
}

static void figures_of_terabytes_are_exact(void **state)
{
	struct fake_host *fake = *state;
	struct room room;

	fake_swaps(fake, 4294967296, 2412345678);
	fake_meminfo(fake, 3221225472, 0);
	assert_int_equal(room_measure(&fake->host, "/dev/nbd0", 0, &room), 0);
	assert_int_equal(room.used, UINT64_C(2412345678) << 10);
	assert_int_equal(room.room, UINT64_C(3221225472) << 10);
}

static void a_look_that_failed_is_none(void **state)
{
	struct fake_host *fake = *state;
	struct room room = { 1, 2 };

	assert_int_equal(room_measure(&fake->host, "/dev/nbd1", 0, &room), -ENOENT);
	fake_put(fake, "/proc/meminfo", "nothing");
	assert_int_equal(room_measure(&fake->host, "/dev/nbd0", 0, &room), -EIO);
	fake_meminfo(fake, 1, 1);
	close(fake->host.swaps);
	fake->host.swaps = -1;
	assert_int_equal(room_measure(&fake->host, "/dev/nbd0", 0, &room), -EIO);
	assert_int_equal(room.used, 1);
	assert_int_equal(room.room, 2);
}

#define ON_A_HOST(test) cmocka_unit_test_setup_teardown(test, fake_host_setup, fake_host_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lesser_of_two_looks_counts),
		cmocka_unit_test(other_areas_are_room),
		cmocka_unit_test(the_guard_never_holds_more_than_all),
		ON_A_HOST(memory_the_swap_cache_and_the_guard_are_counted),
		ON_A_HOST(figures_of_terabytes_are_exact),
		ON_A_HOST(a_look_that_failed_is_none),
	};

	return cmocka_run_group_tests_name("tools room", tests, NULL, NULL);
}
