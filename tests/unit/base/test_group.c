/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The limits of control groups, of a made-up root. */
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

#include "base/group.h"

#define MIB (UINT64_C(1) << 20)

static char root[] = "/tmp/ramzswap-group.XXXXXX";

static int make_root(void **state)
{
	strcpy(root + strlen(root) - 6, "XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

/* Writes a file below the root, with the folders above it. */
static void put(const char *path, const char *text)
{
	char whole[PATH_MAX];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	for (char *at = whole + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		(void)mkdir(whole, 0700);
		*at = '/';
	}
	file = fopen(whole, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void without_groups_there_is_no_limit(void **state)
{
	assert_true(group_memory_limit(root) == GROUP_NO_LIMIT);
}

static void the_group_of_the_process_limits_it(void **state)
{
	put("/proc/self/cgroup", "0::/a.slice/b.service\n");
	put("/sys/fs/cgroup/a.slice/b.service/memory.max", "209715200\n");
	put("/sys/fs/cgroup/a.slice/b.service/memory.high", "max\n");
	assert_int_equal(group_memory_limit(root), 200 * MIB);
	put("/sys/fs/cgroup/a.slice/b.service/memory.high", "104857600\n");
	assert_int_equal(group_memory_limit(root), 100 * MIB);
}

static void a_group_above_limits_it_too(void **state)
{
	put("/proc/self/cgroup", "0::/a.slice/b.service/c\n");
	put("/sys/fs/cgroup/a.slice/b.service/c/memory.max", "max\n");
	put("/sys/fs/cgroup/a.slice/memory.max", "52428800\n");
	assert_int_equal(group_memory_limit(root), 50 * MIB);
}

static void the_root_of_a_container_limits_it(void **state)
{
	put("/proc/self/cgroup", "0::/\n");
	put("/sys/fs/cgroup/memory.max", "73400320\n");
	assert_int_equal(group_memory_limit(root), 70 * MIB);
}

static void version_1_limits_it(void **state)
{
	put("/proc/self/cgroup", "5:cpu,cpuacct:/x\n4:hugetlb,memory:/docker/y\n0::/\n");
	put("/sys/fs/cgroup/memory/docker/y/memory.limit_in_bytes", "9223372036854771712\n");
	assert_true(group_memory_limit(root) == GROUP_NO_LIMIT);
	put("/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "31457280\n");
	assert_int_equal(group_memory_limit(root), 30 * MIB);
}

static void what_is_no_number_limits_nothing(void **state)
{
	put("/proc/self/cgroup", "0\n0:\n0::\n0::x\n::/\n0::/a\n");
	put("/sys/fs/cgroup/a/memory.max", "");
	put("/sys/fs/cgroup/a/memory.high", "many\n");
	assert_true(group_memory_limit(root) == GROUP_NO_LIMIT);
}

static void what_a_group_has_left_is_its_room(void **state)
{
	struct group_memory memory;

	put("/proc/self/cgroup", "0::/a\n");
	put("/sys/fs/cgroup/a/memory.max", "209715200\n");
	put("/sys/fs/cgroup/a/memory.current", "104857600\n");
	group_memory_look(root, &memory);
	assert_int_equal(memory.limit, 200 * MIB);
	assert_int_equal(memory.room, 100 * MIB);
	/* What is kept of files is given up first. */
	put("/sys/fs/cgroup/a/memory.stat", "anon 1\nfile 31457280\ninactive_anon 7\n"
					    "inactive_file 10485760\nactive_file 20971520\n");
	group_memory_look(root, &memory);
	assert_int_equal(memory.room, 130 * MIB);
	put("/sys/fs/cgroup/a/memory.current", "309715200\n");
	put("/sys/fs/cgroup/a/memory.stat", "anon 1\n");
	group_memory_look(root, &memory);
	assert_int_equal(memory.room, 0);
}

static void the_group_above_may_have_less_left(void **state)
{
	struct group_memory memory;

	put("/proc/self/cgroup", "4:memory:/a/b\n");
	put("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "209715200\n");
	put("/sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "10485760\n");
	put("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "419430400\n");
	put("/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "367001600\n");
	put("/sys/fs/cgroup/memory/a/memory.stat", "cache 1\ntotal_inactive_file 1048576\n");
	group_memory_look(root, &memory);
	assert_int_equal(memory.limit, 200 * MIB);
	assert_int_equal(memory.room, 51 * MIB);
}

static void a_limit_whose_use_is_not_known_is_all_room(void **state)
{
	struct group_memory memory;

	put("/proc/self/cgroup", "0::/\n");
	put("/sys/fs/cgroup/memory.max", "209715200\n");
	group_memory_look(root, &memory);
	assert_int_equal(memory.room, 200 * MIB);
	put("/sys/fs/cgroup/memory.max", "max\n");
	group_memory_look(root, &memory);
	assert_true(memory.room == GROUP_NO_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_groups_there_is_no_limit, make_root,
						remove_root),
		cmocka_unit_test_setup_teardown(the_group_of_the_process_limits_it, make_root,
						remove_root),
		cmocka_unit_test_setup_teardown(a_group_above_limits_it_too, make_root,
						remove_root),
		cmocka_unit_test_setup_teardown(the_root_of_a_container_limits_it, make_root,
						remove_root),
		cmocka_unit_test_setup_teardown(version_1_limits_it, make_root, remove_root),
		cmocka_unit_test_setup_teardown(what_is_no_number_limits_nothing, make_root,
						remove_root),
		cmocka_unit_test_setup_teardown(what_a_group_has_left_is_its_room, make_root,
						remove_root),
		cmocka_unit_test_setup_teardown(the_group_above_may_have_less_left, make_root,
						remove_root),
		cmocka_unit_test_setup_teardown(a_limit_whose_use_is_not_known_is_all_room,
						make_root, remove_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
