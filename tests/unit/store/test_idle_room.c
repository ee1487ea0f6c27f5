/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is done to idle pages needs memory of its own.  It is counted, locked where all is, refused
 * where the limit has no room, and then no page is worse off than before.
 */
#include <sys/mman.h>

#include "alike.h"

#define PAGES 1100u

static struct store *store_with(uint64_t memlimit, bool locked)
{
	struct store_config config = {
		.size = PAGES * PAGE,
		.memlimit = memlimit,
		.idle_codec = codec_find("zstd"),
		.dictionary = 32 << 10,
		.recompress_seconds = 1,
		.locked = locked,
	};
	struct store *made = NULL;

	if (!config.idle_codec) {
		print_message("built without zstd\n");
		skip();
	}
	assert_int_equal(store_create(&made, &config), 0);
	return made;
}

/* From no room at all to room for everything, in steps that end in between. */
static void without_room_pages_stay_as_they_are(void **state)
{
	static const uint64_t rooms[] = { 0, MIB / 4, MIB, 2 * MIB, 4 * MIB, 32 * MIB };
	unsigned int refused = 0, done = 0;

	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		const uint64_t room = rooms[i];
		struct store *disk = store_with(STORE_NO_LIMIT, false);
		uint64_t used, won;
		int trained, err;

		alike_fill(disk, 0, PAGES, 1);
		used = stats_of(disk).mem_used_total;
		assert_int_equal(store_set_memlimit(disk, used + room + MIB / 16), 0);
		trained = train_now(disk);
		assert_true(trained <= 0);
		err = recompress_all(disk, CODEC_MAX, &won, NULL);
		assert_true(err == 0 || err == -ENOSPC || err == -ENOMEM);
		refused += err != 0 || trained != 0;
		done += err == 0 && trained == 0;
		assert_true(stats_of(disk).mem_used_total <= used + room + MIB / 16);
		alike_must_hold(disk, 0, PAGES, 1);
		store_done(disk);
	}
	/* Both were seen. */
	assert_true(refused > 0);
	assert_true(done > 0);
}

static void what_a_locked_store_learns_is_locked(void **state)
{
	struct store *disk = NULL;

	if (mlock2(&disk, 1, MLOCK_ONFAULT) != 0) {
		print_message("no memory may be locked here\n");
		skip();
	}
	munlock(&disk, 1);
	disk = store_with(STORE_NO_LIMIT, true);
	alike_fill(disk, 0, PAGES, 1);
	assert_int_equal(train_now(disk), 0);
	recompress_now(disk);
	assert_true(stats_of(disk).pages_dictionary > PAGES / 2);
	alike_must_hold(disk, 0, PAGES, 1);
	store_reset(disk);
	recompress_now(disk);
	assert_int_equal(stats_of(disk).dictionary_bytes, 0);
	store_done(disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_room_pages_stay_as_they_are),
		cmocka_unit_test(what_a_locked_store_learns_is_locked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
