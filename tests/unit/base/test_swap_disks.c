/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What swap lies on, by a made-up /sys and /proc. */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/swap_disks.h"
#include "fake_root.h"

#define BLOCK "/sys/devices/virtual/block/"

static struct swap_disks disks;

static int begin(void **state)
{
	memset(&disks, 0, sizeof(disks));
	return fake_root_make(state);
}

/* A link to another path below the root. */
static void link_to(const char *target, const char *path)
{
	char whole[PATH_MAX];

	snprintf(whole, sizeof(whole), "%s%s", fake_root, target);
	assert_int_equal(symlink(whole, fake_root_place(path)), 0);
}

/* A device: its directory in /sys, as virtual/block/nbd0 or virtual/block/nbd0/nbd0p1. */
static void device(const char *directory, const char *number)
{
	char path[PATH_MAX], link[PATH_MAX];

	snprintf(path, sizeof(path), BLOCK "%s/dev", directory);
	fake_root_put(path, number);
	snprintf(path, sizeof(path), BLOCK "%s", directory);
	snprintf(link, sizeof(link), "/sys/dev/block/%s", number);
	link_to(path, link);
	snprintf(link, sizeof(link), "/sys/class/block/%s", strrchr(path, '/') + 1);
	link_to(path, link);
}

/* upper is made of lower. */
static void slave(const char *upper, const char *lower)
{
	char path[PATH_MAX], link[PATH_MAX];

	snprintf(path, sizeof(path), BLOCK "%s", lower);
	snprintf(link, sizeof(link), BLOCK "%s/slaves/%s", upper, strrchr(path, '/') + 1);
	link_to(path, link);
}

static void swaps(const char *areas)
{
	char text[1024];

	snprintf(text, sizeof(text), "Filename\tType\tSize\tUsed\tPriority\n%s", areas);
	fake_root_put("/proc/swaps", text);
}

/* A machine of two nbd disks, one of which has a partition, and another disk. */
static void machine(void)
{
	device("nbd0", "43:0");
	device("nbd1", "43:16");
	device("nbd1/nbd1p2", "43:18");
	fake_root_put(BLOCK "nbd1/nbd1p2/partition", "2\n");
	device("sda", "8:0");
}

static void find(void)
{
	assert_true(swap_disks_find(fake_root, &disks));
}

static void without_swap_there_are_none(void **state)
{
	machine();
	swaps("");
	find();
	assert_int_equal(disks.count, 0);
	assert_false(swap_disks_have_of(&disks, "nbd"));
}

static void where_it_cannot_be_read_nothing_is_said(void **state)
{
	disks.count = 7;
	assert_false(swap_disks_find(fake_root, &disks));
	assert_int_equal(disks.count, 7);
}

static void a_whole_disk_is_itself(void **state)
{
	machine();
	swaps("/dev/nbd0 partition 262140 0 -2\n");
	find();
	assert_int_equal(disks.count, 1);
	assert_true(swap_disks_have(&disks, "nbd0"));
	assert_true(swap_disks_have_of(&disks, "nbd"));
	assert_false(swap_disks_have_of(&disks, "nb"));
	assert_false(swap_disks_have_of(&disks, "ublkb"));
}

static void a_partition_lies_on_its_disk(void **state)
{
	machine();
	swaps("/dev/nbd1p2 partition 262140 0 -2\n");
	find();
	assert_int_equal(disks.count, 1);
	assert_true(swap_disks_have(&disks, "nbd1"));
}

static void a_mapping_lies_on_what_it_is_made_of(void **state)
{
	machine();
	device("dm-0", "254:0");
	slave("dm-0", "nbd1/nbd1p2");
	/* dm-crypt upon LVM. */
	device("dm-1", "254:1");
	slave("dm-1", "dm-0");
	swaps("/dev/dm-1 partition 262140 0 -2\n");
	find();
	assert_int_equal(disks.count, 1);
	assert_true(swap_disks_have(&disks, "nbd1"));
}

static void an_array_lies_on_all_of_its_disks(void **state)
{
	machine();
	device("md127", "9:127");
	slave("md127", "nbd0");
	slave("md127", "sda");
	swaps("/dev/md127 partition 262140 0 -2\n");
	find();
	assert_int_equal(disks.count, 2);
	assert_true(swap_disks_have(&disks, "nbd0"));
	assert_true(swap_disks_have(&disks, "sda"));
}

static void a_file_lies_on_the_disk_of_its_file_system(void **state)
{
	machine();
	fake_root_put("/proc/self/mountinfo",
		      "22 1 8:0 / / rw - ext4 /dev/sda rw\n"
		      "30 22 43:18 / /mnt/my\\040disk rw shared:1 - ext4 /dev/nbd1p2 rw\n"
		      "31 22 43:0 / /mnt/my rw - xfs /dev/nbd0 rw\n");
	swaps("/mnt/my\\040disk/swap file 262140 0 -2\n");
	find();
	assert_int_equal(disks.count, 1);
	assert_true(swap_disks_have(&disks, "nbd1"));
	swaps("/mnt/swap file 262140 0 -2\n");
	find();
	assert_int_equal(disks.count, 1);
	assert_true(swap_disks_have(&disks, "sda"));
}

static void a_mount_over_another_hides_it(void **state)
{
	machine();
	fake_root_put("/proc/self/mountinfo", "22 1 8:0 / /mnt rw - ext4 /dev/sda rw\n"
					      "30 22 43:0 / /mnt rw - ext4 /dev/nbd0 rw\n");
	swaps("/mnt/swap file 262140 0 -2\n");
	find();
	assert_int_equal(disks.count, 1);
	assert_true(swap_disks_have(&disks, "nbd0"));
}

static void a_file_system_with_a_number_of_its_own_lies_on_its_source(void **state)
{
	machine();
	fake_root_put("/proc/self/mountinfo", "30 22 0:41 / /mnt rw - btrfs /dev/nbd0 rw\n");
	swaps("/mnt/swap file 262140 0 -2\n");
	find();
	assert_int_equal(disks.count, 1);
	assert_true(swap_disks_have(&disks, "nbd0"));
}

static void a_loop_device_lies_on_the_disk_of_its_file(void **state)
{
	machine();
	device("loop3", "7:3");
	fake_root_put(BLOCK "loop3/loop/backing_file", "/mnt/image\n");
	fake_root_put("/proc/self/mountinfo", "30 22 43:0 / /mnt rw - ext4 /dev/nbd0 rw\n");
	swaps("/dev/loop3 partition 262140 0 -2\n");
	find();
	assert_int_equal(disks.count, 1);
	assert_true(swap_disks_have(&disks, "nbd0"));
}

static void a_loop_device_may_lie_on_a_device(void **state)
{
	machine();
	device("loop3", "7:3");
	fake_root_put(BLOCK "loop3/loop/backing_file", "/dev/nbd0\n");
	fake_root_put("/proc/self/mountinfo", "30 22 0:5 / /dev rw - devtmpfs udev rw\n");
	swaps("/dev/loop3 partition 262140 0 -2\n");
	find();
	assert_int_equal(disks.count, 1);
	assert_true(swap_disks_have(&disks, "nbd0"));
}

static void zram_lies_on_what_is_behind_it_too(void **state)
{
	machine();
	device("zram0", "253:0");
	fake_root_put(BLOCK "zram0/backing_dev", "/dev/nbd0\n");
	device("zram1", "253:1");
	fake_root_put(BLOCK "zram1/backing_dev", "none\n");
	swaps("/dev/zram0 partition 262140 0 -2\n"
	      "/dev/zram1 partition 262140 0 -3\n");
	find();
	assert_int_equal(disks.count, 3);
	assert_true(swap_disks_have(&disks, "nbd0"));
	assert_true(swap_disks_have(&disks, "zram1"));
}

static void a_device_that_is_gone_goes_by_its_name(void **state)
{
	swaps("/dev/ublkb0\\040(deleted) partition 262140 0 -2\n");
	find();
	assert_int_equal(disks.count, 1);
	assert_true(swap_disks_have(&disks, "ublkb0"));
	assert_true(swap_disks_have_of(&disks, "ublkb"));
}

static void what_lies_upon_itself_comes_to_an_end(void **state)
{
	device("dm-0", "254:0");
	slave("dm-0", "dm-0");
	swaps("/dev/dm-0 partition 262140 0 -2\n");
	find();
	assert_true(disks.more);
	/* It cannot be said that it does not lie there. */
	assert_true(swap_disks_have_of(&disks, "nbd"));
}

static void areas_that_come_and_go_are_a_change_and_pages_are_none(void **state)
{
	uint64_t names = 0;
	int fd;

	swaps("");
	fd = open(fake_root_place("/proc/swaps"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(swap_disks_changed(fd, &names));
	assert_false(swap_disks_changed(fd, &names));
	swaps("/dev/nbd0 partition 262140 0 -2\n");
	assert_true(swap_disks_changed(fd, &names));
	swaps("/dev/nbd0 partition 262140 4711 -2\n");
	assert_false(swap_disks_changed(fd, &names));
	swaps("/dev/nbd1 partition 262140 4711 -2\n");
	assert_true(swap_disks_changed(fd, &names));
	swaps("");
	assert_true(swap_disks_changed(fd, &names));
	close(fd);
	assert_false(swap_disks_changed(-1, &names));
}

int main(void)
{
#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, begin, fake_root_remove)
	const struct CMUnitTest tests[] = {
		IN_ROOT(without_swap_there_are_none),
		IN_ROOT(where_it_cannot_be_read_nothing_is_said),
		IN_ROOT(a_whole_disk_is_itself),
		IN_ROOT(a_partition_lies_on_its_disk),
		IN_ROOT(a_mapping_lies_on_what_it_is_made_of),
		IN_ROOT(an_array_lies_on_all_of_its_disks),
		IN_ROOT(a_file_lies_on_the_disk_of_its_file_system),
		IN_ROOT(a_mount_over_another_hides_it),
		IN_ROOT(a_file_system_with_a_number_of_its_own_lies_on_its_source),
		IN_ROOT(a_loop_device_lies_on_the_disk_of_its_file),
		IN_ROOT(a_loop_device_may_lie_on_a_device),
		IN_ROOT(zram_lies_on_what_is_behind_it_too),
		IN_ROOT(a_device_that_is_gone_goes_by_its_name),
		IN_ROOT(what_lies_upon_itself_comes_to_an_end),
		IN_ROOT(areas_that_come_and_go_are_a_change_and_pages_are_none),
	};

	return cmocka_run_group_tests_name("base swap disks", tests, NULL, NULL);
}
