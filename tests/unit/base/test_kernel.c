/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/kernel.h"

static void swapoff_is_for_kernels_that_mark_lost_pages(void **state)
{
	static const char *const older[] = {
		"5.10.0-28-amd64", "5.15.158", "5.18.19", "4.19.0", "4.20", "5", "", "linux"
	};
	static const char *const newer[] = { "5.19.0", "5.19-rc1", "6.1.0-18-amd64", "6.0.0",
					     "10.2" };

	for (size_t i = 0; i < sizeof(older) / sizeof(*older); i++)
		assert_false(kernel_marks_lost_pages(older[i]));
	for (size_t i = 0; i < sizeof(newer) / sizeof(*newer); i++)
		assert_true(kernel_marks_lost_pages(newer[i]));
}

static void pages_of_zeroes_are_noted_from_linux_6_12_on(void **state)
{
	static const char *const older[] = { "6.1.0-18-amd64", "6.11.10", "5.19", "6", "" };
	static const char *const newer[] = { "6.12.1", "6.12-rc1", "6.13.0", "7.3.4", "10.0.1" };

	for (size_t i = 0; i < sizeof(older) / sizeof(*older); i++)
		assert_false(kernel_notes_zero_pages(older[i]));
	for (size_t i = 0; i < sizeof(newer) / sizeof(*newer); i++)
		assert_true(kernel_notes_zero_pages(newer[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(swapoff_is_for_kernels_that_mark_lost_pages),
		cmocka_unit_test(pages_of_zeroes_are_noted_from_linux_6_12_on),
	};

	return cmocka_run_group_tests_name("guard kernel", tests, NULL, NULL);
}
