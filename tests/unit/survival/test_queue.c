/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the queue of an attached device says, and which kernels must have no I/O scheduler on it. */
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

#include "fake_root.h"
#include "survival/queue.h"

#define DISK (UINT64_C(64) << 20)

static void device(const char *name, const char *pid, const char *sectors, const char *kb,
		   const char *scheduler)
{
	char path[128];

	if (pid) {
		snprintf(path, sizeof(path), "/%s/pid", name);
		fake_root_put(path, pid);
	}
	snprintf(path, sizeof(path), "/%s/size", name);
	fake_root_put(path, sectors);
	snprintf(path, sizeof(path), "/%s/queue/max_sectors_kb", name);
	fake_root_put(path, kb);
	snprintf(path, sizeof(path), "/%s/queue/scheduler", name);
	fake_root_put(path, scheduler);
}

static void test_only_attached_devices_of_this_size_count(void **state)
{
	struct queue queue;

	device("nbd0", NULL, "0\n", "4096\n", "[mq-deadline] none\n");
	device("nbd1", "77\n", "2048\n", "4096\n", "[mq-deadline] none\n");
	device("sda", "77\n", "131072\n", "4096\n", "[mq-deadline] none\n");
	queue_look(&queue, fake_root, DISK);
	assert_int_equal(queue.request_bytes, 0);
	assert_string_equal(queue.scheduler, "");

	device("nbd2", "78\n", "131072\n", "128\n", "[none] mq-deadline\n");
	queue_look(&queue, fake_root, DISK);
	assert_int_equal(queue.request_bytes, 128 << 10);
	assert_string_equal(queue.device, "nbd2");
	assert_string_equal(queue.scheduler, "");
}

static void test_the_only_device_of_this_size_is_ours(void **state)
{
	char name[QUEUE_NAME_MAX] = "none";

	assert_false(queue_find(fake_root, 4 * DISK, 0, false, name));
	assert_false(queue_find("/nowhere", DISK, 0, false, name));
	assert_string_equal(name, "none");
	/* Whoever attached it by ioctl has another process by then. */
	assert_true(queue_find(fake_root, DISK, 4711, false, name));
	assert_string_equal(name, "nbd2");
	assert_false(queue_find(fake_root, DISK, 4711, true, name));
	assert_true(queue_find(fake_root, DISK, 78, true, name));
}

static void test_of_several_of_this_size_that_which_our_client_attached_is_ours(void **state)
{
	char name[QUEUE_NAME_MAX] = "none";

	assert_false(queue_find(fake_root, DISK, 0, false, name));
	assert_false(queue_find(fake_root, DISK, 4711, false, name));
	assert_string_equal(name, "none");
	assert_true(queue_find(fake_root, DISK, 79, false, name));
	assert_string_equal(name, "nbd3");
}

static void test_the_largest_request_and_any_scheduler_are_told(void **state)
{
	struct queue queue;

	device("nbd3", "79\n", "131072\n", "4096\n", "none\n");
	device("nbd4", "80\n", "131072\n", "256\n", "mq-deadline kyber [bfq] none\n");
	queue_look(&queue, fake_root, DISK);
	assert_int_equal(queue.request_bytes, 4096 << 10);
	assert_string_equal(queue.device, "nbd3");
	assert_string_equal(queue.scheduler, "bfq");
	assert_string_equal(queue.scheduled, "nbd4");
}

static void test_a_machine_without_block_devices_has_none_attached(void **state)
{
	struct queue queue;

	queue_look(&queue, "/nowhere", DISK);
	assert_int_equal(queue.request_bytes, 0);
	assert_string_equal(queue.scheduler, "");
}

static void test_a_kernel_is_told_by_what_its_driver_has(void **state)
{
	char mended[256], faulty[256];

	fake_root_put("/mended", "0000000000000000 t nbd_send_cmd\t[nbd]\n"
				 "0000000000000000 t nbd_pending_cmd_work\t[nbd]\n");
	fake_root_put("/faulty", "0000000000000000 t nbd_send_cmd\t[nbd]\n");
	snprintf(mended, sizeof(mended), "%s/mended", fake_root);
	snprintf(faulty, sizeof(faulty), "%s/faulty", fake_root);
	assert_false(queue_scheduler_is_unsafe(mended, "7.2.7"));
	assert_true(queue_scheduler_is_unsafe(faulty, "6.12.118+deb13-amd64"));
	assert_true(queue_scheduler_is_unsafe(faulty, "6.6.0"));
	assert_true(queue_scheduler_is_unsafe(faulty, "7.9.1"));
	/* One that was mended by its distribution. */
	assert_false(queue_scheduler_is_unsafe(mended, "6.12.118+deb13-amd64"));
	/* Another task sends there. */
	assert_false(queue_scheduler_is_unsafe(faulty, "6.1.0-56-amd64"));
	assert_false(queue_scheduler_is_unsafe(faulty, "6.5.13"));
	assert_false(queue_scheduler_is_unsafe(faulty, "5.19.0"));
}

static void test_what_cannot_be_read_is_taken_for_faulty(void **state)
{
	assert_true(queue_scheduler_is_unsafe("/nowhere", "6.12.1"));
	assert_true(queue_scheduler_is_unsafe("/nowhere", "x"));
	assert_true(queue_scheduler_is_unsafe("/dev/null", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_attached_devices_of_this_size_count),
		cmocka_unit_test(test_the_only_device_of_this_size_is_ours),
		cmocka_unit_test(test_the_largest_request_and_any_scheduler_are_told),
		cmocka_unit_test(
			test_of_several_of_this_size_that_which_our_client_attached_is_ours),
		cmocka_unit_test(test_a_machine_without_block_devices_has_none_attached),
		cmocka_unit_test(test_a_kernel_is_told_by_what_its_driver_has),
		cmocka_unit_test(test_what_cannot_be_read_is_taken_for_faulty),
	};

	return cmocka_run_group_tests(tests, fake_root_make, fake_root_remove);
}
