/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the kernel has lost a disk that it swaps to, by a made-up /sys/block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "fake_root.h"
#include "server/lost_link.h"

#define DISK (UINT64_C(64) << 20)
#define CLIENT 77

static const struct swap_disks none = { 0 };
static const struct swap_disks ours = { .count = 2, .names = { "sda", "nbd3" } };
static const struct swap_disks others = { .count = 1, .names = { "nbd5" } };
static struct lost_link link_of_ours;

/* Two of one size. */
static int make_devices(void **state)
{
	if (fake_root_make(state) != 0)
		return -1;
	fake_root_put("/nbd3/pid", "77\n");
	fake_root_put("/nbd3/size", "131072\n");
	fake_root_put("/nbd5/pid", "78\n");
	fake_root_put("/nbd5/size", "131072\n");
	return 0;
}

static int begin(void **state)
{
	lost_link_init(&link_of_ours, DISK);
	link_of_ours.sys_block = fake_root;
	return 0;
}

static bool look(unsigned int clients, const struct swap_disks *disks)
{
	return lost_link_look(&link_of_ours, clients, CLIENT, disks);
}

static void swap_without_a_client_is_a_lost_link_and_said_once(void **state)
{
	assert_false(look(1, &ours));
	for (int i = 1; i < LOST_LINK_LOOKS; i++)
		assert_false(look(0, &ours));
	assert_true(look(0, &ours));
	assert_string_equal(link_of_ours.device, "nbd3");
	for (int i = 0; i < 3; i++)
		assert_false(look(0, &ours));
}

static void a_device_let_go_after_swapoff_is_no_loss(void **state)
{
	assert_false(look(1, &ours));
	assert_false(look(1, &none));
	for (int i = 0; i < 2 * LOST_LINK_LOOKS; i++)
		assert_false(look(0, &none));
	/* Nor is swap that others have. */
	for (int i = 0; i < 2 * LOST_LINK_LOOKS; i++)
		assert_false(look(0, &others));
}

static void a_link_that_is_lost_before_anybody_looked_is_said(void **state)
{
	for (int i = 1; i < LOST_LINK_LOOKS; i++)
		assert_false(look(0, &ours));
	assert_true(look(0, &ours));
}

static void swap_of_another_server_is_none_of_ours(void **state)
{
	assert_false(look(1, &others));
	for (int i = 0; i < 2 * LOST_LINK_LOOKS; i++)
		assert_false(look(0, &others));
}

static void a_client_that_comes_back_at_once_has_lost_nothing(void **state)
{
	for (int i = 0; i < 4 * LOST_LINK_LOOKS; i++)
		assert_false(look(i % LOST_LINK_LOOKS == 0, &ours));
}

static void a_link_that_is_lost_again_is_said_again(void **state)
{
	for (int round = 0; round < 2; round++) {
		assert_false(look(1, &ours));
		for (int i = 1; i < LOST_LINK_LOOKS; i++)
			assert_false(look(0, &ours));
		assert_true(look(0, &ours));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(swap_without_a_client_is_a_lost_link_and_said_once, begin),
		cmocka_unit_test_setup(a_device_let_go_after_swapoff_is_no_loss, begin),
		cmocka_unit_test_setup(a_link_that_is_lost_before_anybody_looked_is_said, begin),
		cmocka_unit_test_setup(swap_of_another_server_is_none_of_ours, begin),
		cmocka_unit_test_setup(a_client_that_comes_back_at_once_has_lost_nothing, begin),
		cmocka_unit_test_setup(a_link_that_is_lost_again_is_said_again, begin),
	};

	return cmocka_run_group_tests_name("server lost link", tests, make_devices,
					   fake_root_remove);
}
