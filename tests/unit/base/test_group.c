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
#include "fake_root.h"

#define MIB (UINT64_C(1) << 20)

static void without_groups_there_is_no_limit(void **state)
{
	assert_true(group_memory_limit(fake_root) == GROUP_NO_LIMIT);
}

static void the_group_of_the_process_limits_it(void **state)
{
	fake_root_put("/proc/self/cgroup", "0::/a.slice/b.service\n");
	fake_root_put("/sys/fs/cgroup/a.slice/b.service/memory.max", "209715200\n");
	fake_root_put("/sys/fs/cgroup/a.slice/b.service/memory.high", "max\n");
	assert_int_equal(group_memory_limit(fake_root), 200 * MIB);
	fake_root_put("/sys/fs/cgroup/a.slice/b.service/memory.high", "104857600\n");
	assert_int_equal(group_memory_limit(fake_root), 100 * MIB);
}

static void a_group_above_limits_it_too(void **state)
{
	fake_root_put("/proc/self/cgroup", "0::/a.slice/b.service/c\n");
	fake_root_put("/sys/fs/cgroup/a.slice/b.service/c/memory.max", "max\n");
	fake_root_put("/sys/fs/cgroup/a.slice/memory.max", "52428800\n");
	assert_int_equal(group_memory_limit(fake_root), 50 * MIB);
}

static void the_root_of_a_container_limits_it(void **state)
{
	fake_root_put("/proc/self/cgroup", "0::/\n");
	fake_root_put("/sys/fs/cgroup/memory.max", "73400320\n");
	assert_int_equal(group_memory_limit(fake_root), 70 * MIB);
}

static void version_1_limits_it(void **state)
{
	fake_root_put("/proc/self/cgroup", "5:cpu,cpuacct:/x\n4:hugetlb,memory:/docker/y\n0::/\n");
	fake_root_put("/sys/fs/cgroup/memory/docker/y/memory.limit_in_bytes",
		      "9223372036854771712\n");
	assert_true(group_memory_limit(fake_root) == GROUP_NO_LIMIT);
	fake_root_put("/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "31457280\n");
	assert_int_equal(group_memory_limit(fake_root), 30 * MIB);
}

static void what_is_no_number_limits_nothing(void **state)
{
	fake_root_put("/proc/self/cgroup", "0\n0:\n0::\n0::x\n::/\n0::/a\n");
	fake_root_put("/sys/fs/cgroup/a/memory.max", "");
	fake_root_put("/sys/fs/cgroup/a/memory.high", "many\n");
	assert_true(group_memory_limit(fake_root) == GROUP_NO_LIMIT);
}

static void what_a_group_has_left_is_its_room(void **state)
{
	struct group_memory memory;

	fake_root_put("/proc/self/cgroup", "0::/a\n");
	fake_root_put("/sys/fs/cgroup/a/memory.max", "209715200\n");
	fake_root_put("/sys/fs/cgroup/a/memory.current", "104857600\n");
	group_memory_look(fake_root, &memory);
	assert_int_equal(memory.limit, 200 * MIB);
	assert_int_equal(memory.room, 100 * MIB);
	/* What is kept of files is given up first. */
	fake_root_put("/sys/fs/cgroup/a/memory.stat",
		      "anon 1\nfile 31457280\ninactive_anon 7\n"
		      "inactive_file 10485760\nactive_file 20971520\n");
	group_memory_look(fake_root, &memory);
	assert_int_equal(memory.room, 130 * MIB);
	fake_root_put("/sys/fs/cgroup/a/memory.current", "309715200\n");
	fake_root_put("/sys/fs/cgroup/a/memory.stat", "anon 1\n");
	group_memory_look(fake_root, &memory);
	assert_int_equal(memory.room, 0);
}

static void the_group_above_may_have_less_left(void **state)
{
	struct group_memory memory;

	fake_root_put("/proc/self/cgroup", "4:memory:/a/b\n");
	fake_root_put("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "209715200\n");
	fake_root_put("/sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "10485760\n");
	fake_root_put("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "419430400\n");
	fake_root_put("/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "367001600\n");
	fake_root_put("/sys/fs/cgroup/memory/a/memory.stat",
		      "cache 1\ntotal_inactive_file 1048576\n");
	group_memory_look(fake_root, &memory);
	assert_int_equal(memory.limit, 200 * MIB);
	assert_int_equal(memory.room, 51 * MIB);
}

static void a_limit_whose_use_is_not_known_is_all_room(void **state)
{
	struct group_memory memory;

	fake_root_put("/proc/self/cgroup", "0::/\n");
	fake_root_put("/sys/fs/cgroup/memory.max", "209715200\n");
	group_memory_look(fake_root, &memory);
	assert_int_equal(memory.room, 200 * MIB);
	fake_root_put("/sys/fs/cgroup/memory.max", "max\n");
	group_memory_look(fake_root, &memory);
	assert_true(memory.room == GROUP_NO_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_groups_there_is_no_limit, fake_root_make,
						fake_root_remove),
		cmocka_unit_test_setup_teardown(the_group_of_the_process_limits_it, fake_root_make,
						fake_root_remove),
		cmocka_unit_test_setup_teardown(a_group_above_limits_it_too, fake_root_make,
						fake_root_remove),
		cmocka_unit_test_setup_teardown(the_root_of_a_container_limits_it, fake_root_make,
						fake_root_remove),
		cmocka_unit_test_setup_teardown(version_1_limits_it, fake_root_make,
						fake_root_remove),
		cmocka_unit_test_setup_teardown(what_is_no_number_limits_nothing, fake_root_make,
						fake_root_remove),
		cmocka_unit_test_setup_teardown(what_a_group_has_left_is_its_room, fake_root_make,
						fake_root_remove),
		cmocka_unit_test_setup_teardown(the_group_above_may_have_less_left, fake_root_make,
						fake_root_remove),
		cmocka_unit_test_setup_teardown(a_limit_whose_use_is_not_known_is_all_room,
						fake_root_make, fake_root_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
