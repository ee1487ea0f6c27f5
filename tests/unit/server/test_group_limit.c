/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a disk may have in a control group, by a made-up one. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "codec.h"
#include "fake_root.h"
#include "server/group_limit.h"
#include "store/store.h"

#define MIB (UINT64_C(1) << 20)
#define DISK (1024 * MIB)
#define LEAST (2 * MIB)

static char line[GROUP_LIMIT_LINE_MAX];
static struct group_limit group;
static struct store *store;

static void put(const char *path, uint64_t mib)
{
	char text[32] = "max\n";

	if (mib)
		snprintf(text, sizeof(text), "%llu\n", (unsigned long long)(mib * MIB));
	fake_root_put(path, text);
}

/* A group of so many MiB, of which so many are in use; 0 for no limit. */
static void groups(uint64_t limit, uint64_t used)
{
	put("/sys/fs/cgroup/memory.max", limit);
	put("/sys/fs/cgroup/memory.current", used);
}

static int begin(void **state)
{
	const struct store_config config = {
		.size = DISK,
		.memlimit = STORE_NO_LIMIT,
		.codec = codecs[0],
	};

	if (fake_root_make(state) != 0)
		return -1;
	fake_root_put("/proc/self/cgroup", "0::/\n");
	memset(&group, 0, sizeof(group));
	group.root = fake_root;
	return store_create(&store, &config);
}

static int end(void **state)
{
	store_destroy(store);
	return fake_root_remove(state);
}

static uint64_t limit_of_store(void)
{
	struct ramzswap_stats stats;

	store_get_stats(store, &stats);
	return stats.memlimit;
}

static uint64_t foresee(uint64_t asked)
{
	uint64_t memlimit = 0;

	group_limit_init(&group, DISK, asked, LEAST);
	assert_int_equal(group_limit_foresee(&group, &memlimit, line, sizeof(line)), 0);
	return memlimit;
}

static bool look(uint64_t held)
{
	group.looks_to_skip = 0;
	return group_limit_look(&group, store, held * MIB, line, sizeof(line));
}

static void without_a_limit_all_is_as_it_was_asked_for(void **state)
{
	groups(0, 10);
	assert_true(foresee(UINT64_MAX) == UINT64_MAX);
	assert_string_equal(line, "");
	assert_int_equal(foresee(100 * MIB), 100 * MIB);
	assert_string_equal(line, "");
	assert_int_equal(group_limit_of_groups(&group), 0);
}

static void a_disk_has_what_the_group_leaves_it_but_for_a_margin(void **state)
{
	groups(320, 100);
	/* 320 less 100 less 1/16 of 320. */
	assert_int_equal(foresee(UINT64_MAX), 200 * MIB);
	assert_non_null(strstr(line, "limited to 320 MiB, leaves the disk 200 MiB"));
	assert_int_equal(foresee(220 * MIB), 200 * MIB);
	assert_non_null(strstr(line, "leaves the disk 200 MiB"));
	assert_int_equal(foresee(150 * MIB), 150 * MIB);
	assert_string_equal(line, "");
	assert_int_equal(group_limit_of_groups(&group), 320 * MIB);
}

static void a_group_with_room_for_the_whole_disk_limits_nothing(void **state)
{
	groups(2048, 100);
	assert_true(foresee(UINT64_MAX) == UINT64_MAX);
	assert_string_equal(line, "");
}

static void a_group_without_room_for_the_least_is_refused(void **state)
{
	uint64_t memlimit = 7;

	groups(64, 50);
	group_limit_init(&group, DISK, UINT64_MAX, 20 * MIB);
	assert_int_equal(group_limit_foresee(&group, &memlimit, line, sizeof(line)), -ENOMEM);
	assert_non_null(strstr(line, "raise the limit"));
	assert_int_equal(memlimit, 7);
}

static void the_limit_of_the_store_follows(void **state)
{
	groups(320, 100);
	foresee(UINT64_MAX);
	/* The disk holds 50 of the 150 in use. */
	groups(320, 150);
	assert_false(look(50));
	/* Said already. */
	assert_int_equal(limit_of_store(), 0);
	groups(160, 150);
	assert_true(look(50));
	assert_non_null(strstr(line, "limited to 160 MiB, leaves the disk 50 MiB"));
	assert_int_equal(limit_of_store(), 50 * MIB);
	/* Others in the group end. */
	groups(160, 60);
	assert_false(look(50));
	assert_int_equal(limit_of_store(), 140 * MIB);
	groups(0, 60);
	assert_true(look(50));
	assert_int_equal(limit_of_store(), 0);
	assert_non_null(strstr(line, "all that it may want"));
}

static void never_less_than_the_store_takes(void **state)
{
	groups(320, 100);
	foresee(UINT64_MAX);
	groups(64, 100);
	assert_true(look(1));
	assert_int_equal(limit_of_store(), LEAST);
}

static void who_asks_for_another_limit_gets_it_up_to_the_groups(void **state)
{
	uint64_t limit = 0;

	groups(320, 100);
	foresee(UINT64_MAX);
	assert_int_equal(group_limit_ask(&group, store, 100 * MIB, &limit), 0);
	assert_int_equal(limit_of_store(), 100 * MIB);
	assert_int_equal(group_limit_ask(&group, store, 321 * MIB, &limit), -ENOSPC);
	assert_int_equal(limit, 320 * MIB);
	assert_int_equal(limit_of_store(), 100 * MIB);
	assert_int_equal(group_limit_ask(&group, store, 1, &limit), -EINVAL);
	assert_int_equal(group_limit_ask(&group, store, UINT64_MAX, &limit), 0);
	(void)look(0);
	assert_int_equal(limit_of_store(), 200 * MIB);
}

int main(void)
{
#define IN_GROUP(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		IN_GROUP(without_a_limit_all_is_as_it_was_asked_for),
		IN_GROUP(a_disk_has_what_the_group_leaves_it_but_for_a_margin),
		IN_GROUP(a_group_with_room_for_the_whole_disk_limits_nothing),
		IN_GROUP(a_group_without_room_for_the_least_is_refused),
		IN_GROUP(the_limit_of_the_store_follows),
		IN_GROUP(never_less_than_the_store_takes),
		IN_GROUP(who_asks_for_another_limit_gets_it_up_to_the_groups),
	};

	return cmocka_run_group_tests_name("server group limit", tests, NULL, NULL);
}
