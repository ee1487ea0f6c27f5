/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Promises of allocator/zones.h, and of urgent.h where zones differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <cmocka.h>

#include "urgent.h"
#include "zones.h"

#define PAGE UINT64_C(4096)
#define MIB (UINT64_C(1) << 20)

/* Of a guest of 256 MB, Linux 6.12: the lower zone keeps 189 of its 3,840 pages. */
#define TWO_ZONES                                                                              \
	"Node 0, zone      DMA\n  pages free     3357\n        min      59\n        managed  " \
	"3840\n"                                                                               \
	"        protection: (0, 189, 189, 189, 189)\n      nr_free_pages 3357\n"              \
	"Node 0, zone    DMA32\n  pages free     40789\n        managed  50556\n"              \
	"        protection: (0, 0, 0, 0, 0)\n"                                                \
	"Node 0, zone   Normal\n        managed  0\n        protection: (0, 0, 0, 0, 0)\n"

/* Its minimum: the lower zone's share of half of it is 29 pages, the other's 394. */
#define MINIMUM (UINT64_C(3399) << 10)

static char directory[] = "ramzswap-zones-XXXXXX";
static uint64_t free_memory;

/* Takes the place of the C library's, to say how much is free. */
int sysinfo(struct sysinfo *info)
{
	memset(info, 0, sizeof(*info));
	info->mem_unit = 1;
	info->freeram = free_memory;
	info->totalram = 256 * MIB;
	return 0;
}

static void put(const char *name, const char *text)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* So many free pages, some of them in larger blocks. */
static void put_free(unsigned int lower, unsigned int upper)
{
	char text[256];

	assert_true(lower >= 14 && upper >= 14);
	snprintf(text, sizeof(text),
		 "Node 0, zone      DMA %6u      1      3      0      0 \n"
		 "Node 0, zone    DMA32 %6u      1      1      1      0 \n",
		 lower - 14, upper - 14);
	put("buddyinfo", text);
}

static int begin_each_test(void **state)
{
	put("zoneinfo", TWO_ZONES);
	put_free(100, 100);
	zones_look_at(directory);
	return 0;
}

static void each_zone_spares_what_is_above_its_share_of_half_and_what_it_keeps(void **state)
{
	static const struct {
		unsigned int lower, upper, spare;
	} cases[] = {
		{ 29 + 189, 394, 0 },	   { 29 + 189 + 31, 394, 31 }, { 29 + 189, 394 + 100, 100 },
		{ 29 + 189 + 31, 20, 31 }, { 20, 394 + 100, 100 },     { 20, 20, 0 },
	};
	uint64_t spare;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_free(cases[i].lower, cases[i].upper);
		assert_true(zones_spare(MINIMUM, &spare));
		/* Shares are rounded down. */
		assert_in_range(spare / PAGE, cases[i].spare, cases[i].spare + 2);
	}
	assert_int_equal(zones_kept(), 189 * PAGE);
}

static void a_larger_minimum_leaves_less_to_spare(void **state)
{
	uint64_t spare, less;

	put_free(1000, 5000);
	assert_true(zones_spare(4 * MIB, &spare));
	assert_true(zones_spare(8 * MIB, &less));
	assert_in_range(spare - less, 2 * MIB - 2 * PAGE, 2 * MIB + 2 * PAGE);
}

/* The sum of both is below what both have to keep. */
static void a_thread_gets_at_once_what_one_zone_has_though_the_other_lacks_more(void **state)
{
	if (urgent_floor() == 0) {
		print_message("/proc/sys/vm/min_free_kbytes cannot be read: not tested\n");
		skip();
	}
	free_memory = 0;
	put_free(3000, 20);
	assert_true(urgent_gets_at_once(64 << 10));
	put_free(20, 20);
	assert_false(urgent_gets_at_once(64 << 10));
}

static void zones_that_are_not_known_spare_nothing_that_is_said(void **state)
{
	uint64_t spare = 7;

	zones_look_at("/nonexistent");
	assert_false(zones_spare(MINIMUM, &spare));
	assert_int_equal(zones_kept(), 0);
	put("zoneinfo", "nothing of the kind\n");
	zones_look_at(directory);
	assert_false(zones_spare(MINIMUM, &spare));
	assert_int_equal(spare, 7);
}

static void more_zones_than_there_is_room_for_are_not_looked_at(void **state)
{
	static char text[40 * 64];
	uint64_t spare = 7;
	size_t len = 0;

	for (int node = 0; node < 40; node++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"Node %d, zone Normal\n managed 1000\n protection: (0)\n",
					node);
	put("zoneinfo", text);
	zones_look_at(directory);
	assert_false(zones_spare(MINIMUM, &spare));
	assert_int_equal(spare, 7);
}

static void zones_of_several_nodes_are_told_apart(void **state)
{
	uint64_t spare;

	put("zoneinfo", "Node 0, zone Normal\n managed 1000\n protection: (0, 0)\n"
			"Node 1, zone Normal\n managed 3000\n protection: (0, 500)\n");
	put("buddyinfo", "Node 0, zone   Normal    150      0\n"
			 "Node 1, zone   Normal      0    400\n");
	zones_look_at(directory);
	/* Half of 800 pages: 100 and 300; the second keeps 500 more, and 800 are free. */
	assert_true(zones_spare(800 * PAGE, &spare));
	assert_int_equal(spare, 50 * PAGE);
}

static int make_directory(void **state)
{
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/zoneinfo", directory);
	unlink(path);
	snprintf(path, sizeof(path), "%s/buddyinfo", directory);
	unlink(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
			each_zone_spares_what_is_above_its_share_of_half_and_what_it_keeps,
			begin_each_test),
		cmocka_unit_test_setup(a_larger_minimum_leaves_less_to_spare, begin_each_test),
		cmocka_unit_test_setup(
			a_thread_gets_at_once_what_one_zone_has_though_the_other_lacks_more,
			begin_each_test),
		cmocka_unit_test_setup(zones_that_are_not_known_spare_nothing_that_is_said,
				       begin_each_test),
		cmocka_unit_test_setup(more_zones_than_there_is_room_for_are_not_looked_at,
				       begin_each_test),
		cmocka_unit_test_setup(zones_of_several_nodes_are_told_apart, begin_each_test),
	};

	return cmocka_run_group_tests_name("zones", tests, make_directory, remove_directory);
}
