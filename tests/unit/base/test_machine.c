/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read of /proc/meminfo and /proc/swaps, from files like them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/machine.h"

/* A file descriptor of a file that holds this text. */
static int file_of(const char *text)
{
	int fd = memfd_create("proc", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static const char swaps[] =
	"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
	"/dev/sda2                               partition\t1048572\t\t4\t\t-2\n"
	"/dev/nbd0                               partition\t262140\t\t131072\t\t100\n"
	"/dev/nbd01                              partition\t8\t\t8\t\t99\n";

static void the_area_of_a_device_is_found_by_its_whole_name(void **state)
{
	uint64_t size = 1, used = 2;
	int fd = file_of(swaps);

	assert_true(machine_swap_area(fd, "/dev/nbd0", &size, &used));
	assert_int_equal(size, UINT64_C(262140) << 10);
	assert_int_equal(used, UINT64_C(131072) << 10);
	assert_true(machine_swap_area(fd, "/dev/sda2", &size, &used));
	assert_int_equal(used, 4 << 10);
	close(fd);
}

static void what_nobody_swaps_to_has_none_and_changes_nothing(void **state)
{
	uint64_t size = 1, used = 2;
	int fd = file_of(swaps);

	assert_false(machine_swap_area(fd, "/dev/nbd", &size, &used));
	assert_false(machine_swap_area(fd, "/dev/nbd1", &size, &used));
	assert_false(machine_swap_area(fd, "nbd0", &size, &used));
	assert_false(machine_swap_area(-1, "/dev/nbd0", &size, &used));
	assert_int_equal(size, 1);
	assert_int_equal(used, 2);
	close(fd);
}

static void an_area_whose_device_was_taken_away_is_found_and_has_no_room(void **state)
{
	static const char orphan[] =
		"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
		"/dev/ublkb0\\040(deleted)                partition\t262140\t\t100\t\t100\n"
		"/swap\\040(deleted)                      file\t\t1000\t\t100\t\t-2\n";
	struct machine_swap swap;
	int fd = file_of(orphan), others = file_of(swaps);

	assert_int_equal(machine_swap_orphan(fd, "/dev/ublkb0", &swap), 0);
	assert_int_equal(swap.used, 100 << 10);
	/* A swap file without a name is as good as another. */
	assert_int_equal(swap.elsewhere, 900 << 10);
	assert_int_equal(machine_swap(fd, "/dev/ublkb0", &swap), -ENOENT);
	assert_int_equal(swap.elsewhere, 900 << 10);
	assert_int_equal(machine_swap_orphan(fd, "/dev/ublkb", &swap), -ENOENT);
	assert_int_equal(machine_swap_orphan(others, "/dev/nbd0", &swap), -ENOENT);
	close(fd);
	close(others);
}

static void what_is_free_elsewhere_is_counted(void **state)
{
	struct machine_swap swap = { .size = 1 };
	int fd = file_of(swaps), none = file_of("");

	assert_int_equal(machine_swap(fd, "/dev/nbd0", &swap), 0);
	assert_int_equal(swap.size, UINT64_C(262140) << 10);
	assert_int_equal(swap.used, UINT64_C(131072) << 10);
	assert_int_equal(swap.priority, 100);
	assert_int_equal(swap.elsewhere, (UINT64_C(1048572) - 4) << 10);
	assert_int_equal(machine_swap(fd, "/dev/nbd1", &swap), -ENOENT);
	assert_int_equal(swap.size, 0);
	assert_int_equal(swap.lasting, (UINT64_C(1048572) - 4) << 10);
	assert_true(swap.other_server);
	assert_int_equal(swap.elsewhere, (UINT64_C(1048572) - 4 + 131068) << 10);
	/* A look that failed is none. */
	swap.elsewhere = 7;
	assert_int_equal(machine_swap(none, "/dev/nbd0", &swap), -EIO);
	assert_int_equal(machine_swap(-1, "/dev/nbd0", &swap), -EIO);
	assert_int_equal(swap.elsewhere, 7);
	close(fd);
	close(none);
}

static void what_lasts_is_told_from_what_does_not(void **state)
{
	struct machine_swap swap;
	int fd = file_of("Filename Type Size Used Priority\n/dev/zram0 partition 100 1 5\n"
			 "/dev/ublkb0 partition 10 1 5\n/swap file 1000 10 -2\n");

	assert_int_equal(machine_swap(fd, "/dev/ublkb0", &swap), 0);
	assert_int_equal(swap.elsewhere, 1089 << 10);
	assert_int_equal(swap.lasting, 990 << 10);
	assert_false(swap.other_server);
	assert_int_equal(machine_swap(fd, "/dev/nbd0", &swap), -ENOENT);
	assert_true(swap.other_server);
	close(fd);
}

static void areas_of_terabytes_are_told(void **state)
{
	struct machine_swap swap;
	int fd = file_of("Filename Type Size Used Priority\n"
			 "/dev/nbd0 partition 4294967296 2412345678 5\n");

	assert_int_equal(machine_swap(fd, "/dev/nbd0", &swap), 0);
	assert_int_equal(swap.size, UINT64_C(4294967296) << 10);
	assert_int_equal(swap.used, UINT64_C(2412345678) << 10);
	close(fd);
}

static void swap_on_an_nbd_device_is_seen(void **state)
{
	int with = file_of(swaps), without = file_of("Filename Type\n/dev/zram0 partition 8 0 1\n");

	assert_true(machine_swaps_to_nbd(with));
	assert_false(machine_swaps_to_nbd(without));
	assert_false(machine_swaps_to_nbd(-1));
	close(with);
	close(without);
}

static void a_file_is_read_anew_each_time(void **state)
{
	uint64_t size, used;
	int fd = file_of("");

	assert_false(machine_swap_area(fd, "/dev/nbd0", &size, &used));
	assert_int_equal(pwrite(fd, swaps, sizeof(swaps) - 1, 0), sizeof(swaps) - 1);
	assert_true(machine_swap_area(fd, "/dev/nbd0", &size, &used));
	close(fd);
}

static void memory_is_told_in_bytes(void **state)
{
	struct machine_memory memory;
	int fd = file_of(
		"MemTotal:        1024 kB\nMemFree: 1 kB\nMemAvailable:     512 kB\n"
		"Active(anon):      100 kB\nInactive(anon):     20 kB\nActive(file):   5 kB\n"
		"Inactive(file):  2 kB\nWriteback:   3 kB\n");

	machine_memory(fd, &memory);
	assert_int_equal(memory.total, 1024 << 10);
	assert_int_equal(memory.free, 1 << 10);
	assert_int_equal(memory.available, 512 << 10);
	assert_int_equal(memory.swappable, 120 << 10);
	assert_int_equal(memory.files, 7 << 10);
	assert_int_equal(memory.writeback, 3 << 10);
	close(fd);
}

static void room_is_what_can_be_had_and_what_can_be_swapped_out(void **state)
{
	struct machine_memory memory = {
		.total = 1024 << 10,
		.free = 64 << 10,
		.available = 512 << 10,
		.swappable = 120 << 10,
	};

	assert_int_equal(machine_room(&memory, 8 << 10), 632 << 10);
	assert_int_equal(machine_room(&memory, 0), 632 << 10);
}

/* Below half as much again as it keeps for itself the kernel calls nothing available. */
static void what_is_free_above_the_minimum_can_be_had(void **state)
{
	struct machine_memory memory = {
		.total = 1024 << 10,
		.free = 12 << 10,
		.swappable = 120 << 10,
	};

	assert_int_equal(machine_room(&memory, 8 << 10), 124 << 10);
	assert_int_equal(machine_room(&memory, 12 << 10), 120 << 10);
	assert_int_equal(machine_room(&memory, 16 << 10), 120 << 10);
	/* A minimum that nobody knows may be all of it. */
	assert_int_equal(machine_room(&memory, 0), 120 << 10);
}

static void a_machine_that_is_not_known_has_no_end(void **state)
{
	struct machine_memory memory;

	machine_memory(-1, &memory);
	assert_int_equal(memory.total, 0);
	assert_int_equal(machine_room(&memory, 0), UINT64_MAX);
}

static void what_free_lists_may_hide_follows_the_kernels_bound(void **state)
{
	const uint64_t gib = 1 << 30;
	int none = file_of("0\n"), share = file_of("256\n"), small = file_of("100000\n");

	/* Nothing bounds them by default, and before Linux 5.14. */
	assert_int_equal(machine_lists(none, 1, gib), UINT64_MAX);
	assert_int_equal(machine_lists(-1, 1, gib), UINT64_MAX);
	assert_int_equal(machine_lists(share, 1, gib), gib / 256);
	/* Four batches are allowed to each processor. */
	assert_int_equal(machine_lists(share, 16, gib), gib / 64);
	assert_int_equal(machine_lists(small, 2, gib), gib / 512);
	close(none);
	close(share);
	close(small);
}

static void the_minimum_is_read_anew_each_time(void **state)
{
	int own = machine_minimum_open(), fd = file_of("5120\n");

	assert_int_equal(machine_minimum(fd), UINT64_C(5) << 20);
	assert_int_equal(pwrite(fd, "8192\n", 5, 0), 5);
	assert_int_equal(machine_minimum(fd), UINT64_C(8) << 20);
	assert_int_equal(machine_minimum(-1), 0);
	assert_true(machine_minimum(own) > 0);
	close(own);
	close(fd);
}

static void this_machine_is_known(void **state)
{
	struct machine_memory memory;
	int fd = machine_open(), areas = machine_swaps_open();

	assert_true(fd >= 0);
	assert_true(areas >= 0);
	machine_memory(fd, &memory);
	assert_true(memory.total > 0);
	assert_true(memory.available <= memory.total);
	close(fd);
	close(areas);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_area_of_a_device_is_found_by_its_whole_name),
		cmocka_unit_test(what_nobody_swaps_to_has_none_and_changes_nothing),
		cmocka_unit_test(an_area_whose_device_was_taken_away_is_found_and_has_no_room),
		cmocka_unit_test(what_is_free_elsewhere_is_counted),
		cmocka_unit_test(what_lasts_is_told_from_what_does_not),
		cmocka_unit_test(areas_of_terabytes_are_told),
		cmocka_unit_test(swap_on_an_nbd_device_is_seen),
		cmocka_unit_test(a_file_is_read_anew_each_time),
		cmocka_unit_test(memory_is_told_in_bytes),
		cmocka_unit_test(room_is_what_can_be_had_and_what_can_be_swapped_out),
		cmocka_unit_test(what_is_free_above_the_minimum_can_be_had),
		cmocka_unit_test(a_machine_that_is_not_known_has_no_end),
		cmocka_unit_test(what_free_lists_may_hide_follows_the_kernels_bound),
		cmocka_unit_test(the_minimum_is_read_anew_each_time),
		cmocka_unit_test(this_machine_is_known),
	};

	return cmocka_run_group_tests_name("base machine", tests, NULL, NULL);
}
