/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of a disk that was attached by hand, and what to do about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/attachment.h"

static char why[ATTACHMENT_WHY_MAX];

static const struct queue large = {
	.request_bytes = 4 << 20,
	.device = "nbd3",
	.scheduler = "mq-deadline",
	.scheduled = "nbd5",
};
static const struct queue plain = { .request_bytes = 4 << 20, .device = "nbd3" };

static void test_nobody_who_attached_it_is_fine(void **state)
{
	const struct queue none = { 0 };

	assert_int_equal(attachment_judge(&none, 1, true, false, why, sizeof(why)),
			 ATTACHMENT_FINE);
	assert_string_equal(why, "");
}

static void test_large_requests_that_are_ready_for_are_fine(void **state)
{
	assert_int_equal(attachment_judge(&plain, 1, true, true, why, sizeof(why)),
			 ATTACHMENT_FINE);
	assert_string_equal(why, "");
}

static void test_requests_that_do_not_fit_are_told_with_what_to_set(void **state)
{
	assert_int_equal(attachment_judge(&plain, 17, false, false, why, sizeof(why)),
			 ATTACHMENT_UNSAFE);
	assert_non_null(strstr(why, "4096 KiB to 17 threads"));
	assert_non_null(strstr(why, "/sys/block/nbd3/queue/max_sectors_kb"));
	assert_null(strstr(why, "scheduler"));
}

static void test_a_scheduler_is_told_only_where_it_is_unsafe(void **state)
{
	assert_int_equal(attachment_judge(&large, 1, true, false, why, sizeof(why)),
			 ATTACHMENT_FINE);
	assert_int_equal(attachment_judge(&large, 1, true, true, why, sizeof(why)),
			 ATTACHMENT_UNSAFE);
	assert_non_null(strstr(why, "mq-deadline"));
	assert_non_null(strstr(why, "echo none >/sys/block/nbd5/queue/scheduler"));
}

static void test_both_are_told_in_one_line(void **state)
{
	assert_int_equal(attachment_judge(&large, 17, false, true, why, sizeof(why)),
			 ATTACHMENT_UNSAFE);
	assert_non_null(strstr(why, "max_sectors_kb"));
	assert_non_null(strstr(why, "queue/scheduler"));
	assert_null(strchr(why, '\n'));
}

static void test_a_look_where_nobody_has_attached_it_is_fine_and_silent(void **state)
{
	struct attachment attachment;

	/* No nbd device has so odd a size. */
	attachment_init(&attachment, 513, true, true);
	attachment_expect(&attachment);
	assert_int_equal(attachment.verdict, ATTACHMENT_UNKNOWN);
	assert_false(attachment_look(&attachment, why, sizeof(why)));
	assert_int_equal(attachment.verdict, ATTACHMENT_FINE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_who_attached_it_is_fine),
		cmocka_unit_test(test_large_requests_that_are_ready_for_are_fine),
		cmocka_unit_test(test_requests_that_do_not_fit_are_told_with_what_to_set),
		cmocka_unit_test(test_a_scheduler_is_told_only_where_it_is_unsafe),
		cmocka_unit_test(test_both_are_told_in_one_line),
		cmocka_unit_test(test_a_look_where_nobody_has_attached_it_is_fine_and_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
