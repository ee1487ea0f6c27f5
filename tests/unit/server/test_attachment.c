/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of a disk that was attached by hand, and what to do about it. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "server/attachment.h"
#include "server/request_spares.h"

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

/* Of the made-up device nbd0, which somebody has attached. */
static void put(const char *top, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/nbd0/%s", top, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void make_device(char *top)
{
	char path[256];

	assert_non_null(mkdtemp(top));
	snprintf(path, sizeof(path), "%s/nbd0", top);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/nbd0/queue", top);
	assert_int_equal(mkdir(path, 0700), 0);
	put(top, "pid", "77\n");
	put(top, "size", "131072\n");
	put(top, "queue/scheduler", "none\n");
	put(top, "queue/max_sectors_kb", "4096\n");
}

static void remove_device(const char *top)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", top);
	assert_int_equal(system(command), 0);
}

/* Whose buffers are nbdkit's own: nothing can be made beforehand for large requests. */
static void test_requests_that_are_too_large_are_told_once_and_fine_when_limited(void **state)
{
	char top[] = "/tmp/ramzswap-attached.XXXXXX";
	struct attachment attachment;

	make_device(top);
	attachment_init(&attachment, UINT64_C(64) << 20, true, false);
	attachment.sys_block = top;
	assert_true(attachment_look(&attachment, why, sizeof(why)));
	assert_non_null(strstr(why, "requests of 4096 KiB to 1 thread,"));
	assert_int_equal(attachment.verdict, ATTACHMENT_UNSAFE);
	assert_false(attachment_look_again(&attachment, why, sizeof(why)));
	assert_int_equal(attachment.verdict, ATTACHMENT_UNSAFE);
	/* The next look comes at once where the last was not fine. */
	put(top, "queue/max_sectors_kb", "128\n");
	assert_false(attachment_look_again(&attachment, why, sizeof(why)));
	assert_int_equal(attachment.verdict, ATTACHMENT_FINE);
	/* Somebody raises it: told again, if not by the very next look. */
	put(top, "queue/max_sectors_kb", "256\n");
	for (int look = 0; look < 100 && attachment.verdict == ATTACHMENT_FINE; look++)
		attachment_look_again(&attachment, why, sizeof(why));
	assert_int_equal(attachment.verdict, ATTACHMENT_UNSAFE);
	assert_non_null(strstr(why, "256 KiB"));
	remove_device(top);
}

static void test_what_may_come_has_its_buffers_up_to_a_share_of_memory(void **state)
{
	char top[] = "/tmp/ramzswap-attached.XXXXXX";
	struct attachment attachment;
	void *buffer;

	make_device(top);
	put(top, "queue/max_sectors_kb", "1024\n");
	attachment_init(&attachment, UINT64_C(64) << 20, true, true);
	attachment.sys_block = top;
	assert_false(attachment_look(&attachment, why, sizeof(why)));
	assert_int_equal(attachment.verdict, ATTACHMENT_FINE);
	buffer = request_spares_take(NULL, 1 << 20);
	assert_non_null(buffer);
	request_spares_free(buffer);
	/* Whatever the machine has, this is too much. */
	put(top, "queue/max_sectors_kb", "131072\n");
	attachment_expect(&attachment);
	assert_true(attachment_look(&attachment, why, sizeof(why)));
	assert_int_equal(attachment.verdict, ATTACHMENT_UNSAFE);
	remove_device(top);
}

static void *serve(void *end)
{
	pthread_barrier_wait(end);
	return NULL;
}

/* A server that makes a thread for each request has not made all when the first one comes. */
static void test_threads_that_come_after_the_first_look_are_seen_by_the_next(void **state)
{
	char top[] = "/tmp/ramzswap-attached.XXXXXX";
	struct attachment attachment;
	pthread_barrier_t end;
	pthread_t threads[8];

	make_device(top);
	put(top, "queue/max_sectors_kb", "16384\n");
	/* ThreadSanitizer has a thread of its own from the first one on. */
	pthread_barrier_init(&end, NULL, 1);
	assert_int_equal(pthread_create(&threads[0], NULL, serve, &end), 0);
	pthread_join(threads[0], NULL);
	pthread_barrier_destroy(&end);
	attachment_init(&attachment, UINT64_C(64) << 20, true, true);
	attachment.sys_block = top;
	attachment_look(&attachment, why, sizeof(why));
	assert_int_equal(attachment.verdict, ATTACHMENT_FINE);
	pthread_barrier_init(&end, NULL, 9);
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, serve, &end), 0);
	assert_true(attachment_look_again(&attachment, why, sizeof(why)));
	assert_int_equal(attachment.verdict, ATTACHMENT_UNSAFE);
	assert_non_null(strstr(why, "16384 KiB to 8 threads"));
	pthread_barrier_wait(&end);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&end);
	remove_device(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_who_attached_it_is_fine),
		cmocka_unit_test(test_large_requests_that_are_ready_for_are_fine),
		cmocka_unit_test(test_requests_that_do_not_fit_are_told_with_what_to_set),
		cmocka_unit_test(test_a_scheduler_is_told_only_where_it_is_unsafe),
		cmocka_unit_test(test_both_are_told_in_one_line),
		cmocka_unit_test(
			test_requests_that_are_too_large_are_told_once_and_fine_when_limited),
		cmocka_unit_test(test_what_may_come_has_its_buffers_up_to_a_share_of_memory),
		cmocka_unit_test(test_threads_that_come_after_the_first_look_are_seen_by_the_next),
		cmocka_unit_test(test_a_look_where_nobody_has_attached_it_is_fine_and_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
