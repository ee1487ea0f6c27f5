/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Promises of allocator/urgent.h, and that what a server cannot do without is done as it says:
 * growth (span.c), replies (reply.c, whose send() takes the place of the C library's here), and
 * direct I/O (medium/file.c).
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <cmocka.h>

#include "medium/medium.h"
#include "span_internal.h"
#include "urgent.h"
#include "zones.h"

#define UNIT_BYTES 65536u
#define BLOCK 4096

static unsigned int urgent_calls;
static bool refuse;

/* Takes the place of the C library's, to see of which class a thread makes itself. */
int sched_setscheduler(pid_t pid, int policy, const struct sched_param *param)
{
	urgent_calls += policy == SCHED_RR;
	if (refuse) {
		errno = EPERM;
		return -1;
	}
	return (int)syscall(SYS_sched_setscheduler, pid, policy, param);
}

static _Atomic uint64_t free_memory, total_memory;

/* So does this, to say how much is free. */
int sysinfo(struct sysinfo *info)
{
	memset(info, 0, sizeof(*info));
	info->mem_unit = 4096;
	info->freeram = free_memory / 4096;
	info->totalram = total_memory / 4096;
	return 0;
}

static void set_class(int policy, int priority)
{
	const struct sched_param param = { .sched_priority = priority };

	assert_int_equal(syscall(SYS_sched_setscheduler, 0, policy, &param), 0);
}

static int begin_each_test(void **state)
{
	refuse = false;
	set_class(SCHED_OTHER, 0);
	urgent_calls = 0;
	free_memory = 0;
	total_memory = UINT64_C(8) << 30;
	/* Else the zones of this machine would have something to spare. */
	zones_look_at("/nonexistent");
	return 0;
}

static void a_thread_is_urgent_and_then_of_its_own_class_again(void **state)
{
	static const int classes[] = { SCHED_OTHER, SCHED_BATCH, SCHED_IDLE };

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		int policy;

		set_class(classes[i], 0);
		policy = urgent_begin();
		assert_int_equal(sched_getscheduler(0), SCHED_RR);
		urgent_end(policy);
		assert_int_equal(sched_getscheduler(0), classes[i]);
	}
}

static void a_thread_of_a_real_time_class_is_left_alone(void **state)
{
	int policy;

	set_class(SCHED_FIFO, 3);
	policy = urgent_begin();
	assert_int_equal(sched_getscheduler(0), SCHED_FIFO);
	urgent_end(policy);
	assert_int_equal(sched_getscheduler(0), SCHED_FIFO);
	assert_true(urgent_is_possible());
	set_class(SCHED_OTHER, 0);
}

static void without_the_privilege_nothing_changes_and_errno_is_kept(void **state)
{
	int policy;

	refuse = true;
	assert_false(urgent_is_possible());
	errno = EAGAIN;
	policy = urgent_begin();
	assert_int_equal(policy, URGENT_LEFT_ALONE);
	urgent_end(policy);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
}

static bool is_urgent_with(uint64_t free_bytes, uint64_t total)
{
	int policy;

	free_memory = free_bytes;
	total_memory = total;
	policy = urgent_begin_if_short();
	urgent_end(policy);
	return policy != URGENT_LEFT_ALONE;
}

static void memory_is_short_below_48_mib_and_a_part_of_all(void **state)
{
	const uint64_t mib = UINT64_C(1) << 20;

	assert_true(is_urgent_with(0, 256 * mib));
	assert_true(is_urgent_with(48 * mib, 256 * mib));
	assert_false(is_urgent_with(49 * mib, 256 * mib));
	assert_true(is_urgent_with(111 * mib, 16384 * mib));
	assert_false(is_urgent_with(112 * mib, 16384 * mib));
}

static int take_a_unit(bool locked)
{
	struct span_source_config config = { .unit = UNIT_BYTES,
					     .units_max = 64,
					     .locked = locked };
	struct span_source *source;
	uint32_t unit;
	int err;

	assert_int_equal(span_source_create(&source, &config), 0);
	err = span_take(source, &unit);
	span_source_destroy(source);
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
	return err;
}

static void skip_unless_the_floor_is_known(void)
{
	if (urgent_floor() > 0)
		return;
	print_message("/proc/sys/vm/min_free_kbytes cannot be read: not tested\n");
	skip();
}

static void below_its_floor_the_kernel_gives_nothing_at_once(void **state)
{
	skip_unless_the_floor_is_known();
	free_memory = (urgent_floor() + UNIT_BYTES + BLOCK - 1) / BLOCK * BLOCK;
	assert_true(urgent_gets_at_once(UNIT_BYTES));
	free_memory -= BLOCK;
	assert_false(urgent_gets_at_once(UNIT_BYTES));
	free_memory = 0;
	assert_false(urgent_gets_at_once(0));
}

/* What programs' pages leave would go to programs again, until neither is left for a request. */
static void the_last_three_quarters_of_a_reserve_are_for_when_the_kernel_gives_nothing(void **state)
{
	struct span_source_config config = { .unit = BLOCK, .units_max = 64, .locked = true };
	struct span_source *source;
	uint32_t unit;

	skip_unless_the_floor_is_known();
	free_memory = total_memory;
	assert_int_equal(span_source_create(&source, &config), 0);
	span_reserve(source, 8);
	if (span_refill(source, 8) == -ENOMEM) {
		span_source_destroy(source);
		print_message("may not lock memory (ulimit -l): not tested\n");
		skip();
	}
	for (int taken = 1; taken <= 10; taken++) {
		assert_int_equal(span_take(source, &unit), 0);
		assert_int_equal(source->ready_count, taken < 3 ? 8 - taken : 5);
	}
	free_memory = 0;
	for (int left = 4; left >= 0; left--) {
		assert_int_equal(span_take(source, &unit), 0);
		assert_int_equal(source->ready_count, left);
	}
	assert_int_equal(span_take(source, &unit), 0);
	span_source_destroy(source);
}

static void *free_some(void *began)
{
	while (!atomic_load((atomic_bool *)began))
		sched_yield();
	free_memory = total_memory;
	return NULL;
}

/* With the class it would keep those from the processor who free some. */
static void locked_memory_that_cannot_grow_at_once_waits_without_the_class(void **state)
{
	atomic_bool began = false;
	pthread_t thread;

	skip_unless_the_floor_is_known();
	assert_int_equal(pthread_create(&thread, NULL, free_some, &began), 0);
	atomic_store(&began, true);
	(void)urgent_await(UNIT_BYTES, 5);
	/* Which may be before the other has come, on a busy machine. */
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(urgent_gets_at_once(UNIT_BYTES));
	assert_int_equal(urgent_calls, 0);
}

static void locked_memory_grows_urgently(void **state)
{
	free_memory = total_memory;
	if (take_a_unit(true) == -ENOMEM) {
		print_message("may not lock 1 MiB of memory (ulimit -l): not tested\n");
		skip();
	}
	assert_int_equal(urgent_calls, 1);
}

/* They are written under a lock that requests want, too. */
static void links_of_locked_memory_are_resident_before_they_are_written(void **state)
{
	struct span_source_config config = { .unit = BLOCK, .units_max = 1u << 14, .locked = true };
	struct span_source *source;
	unsigned char resident;
	uint32_t unit;

	free_memory = total_memory;
	assert_int_equal(span_source_create(&source, &config), 0);
	for (unsigned int taken = 0; taken < 5000; taken++) {
		uintptr_t link = (uintptr_t)&source->next[source->fresh];

		assert_int_equal(
			mincore((void *)(link & ~(uintptr_t)(BLOCK - 1)), BLOCK, &resident), 0);
		assert_true(resident & 1);
		if (span_take(source, &unit) == -ENOMEM && !taken) {
			span_source_destroy(source);
			print_message("may not lock memory (ulimit -l): not tested\n");
			skip();
		}
	}
	span_source_destroy(source);
}

static void memory_that_is_not_locked_does_not_grow_urgently(void **state)
{
	assert_int_equal(take_a_unit(false), 0);
	assert_int_equal(urgent_calls, 0);
}

static void replies_are_sent_urgently_where_memory_is_short(void **state)
{
	char got[32];
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	/* Of a write. */
	assert_int_equal(send(pair[0], "reply", 5, 0), 5);
	assert_int_equal(urgent_calls, 1);
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
	/* Of a read: nothing leaves before the data does. */
	assert_int_equal(send(pair[0], "head", 4, MSG_MORE), 4);
	assert_int_equal(urgent_calls, 1);
	assert_int_equal(send(pair[0], "data", 4, 0), 4);
	assert_int_equal(urgent_calls, 2);
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
	free_memory = total_memory;
	assert_int_equal(send(pair[0], "rest", 4, 0), 4);
	assert_int_equal(urgent_calls, 2);
	assert_int_equal(recv(pair[1], got, sizeof(got), 0), 17);
	close(pair[0]);
	close(pair[1]);
}

static void a_send_that_fails_says_why_and_leaves_the_class_alone(void **state)
{
	errno = 0;
	assert_int_equal(send(-1, "reply", 5, 0), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
}

/* Writes a block and reads it back; how often that was urgent. */
static unsigned int use_medium(bool urgent)
{
	char path[] = "ramzswap-urgent-XXXXXX", why[MEDIUM_WHY_MAX];
	struct medium_config config = {
		.where = path, .size = 1 << 20, .force = true, .urgent = urgent
	};
	struct medium *medium;
	void *block = NULL;

	close(mkstemp(path));
	assert_int_equal(posix_memalign(&block, BLOCK, BLOCK), 0);
	memset(block, 7, BLOCK);
	assert_int_equal(medium_open(&medium, &config, why, sizeof(why)), 0);
	urgent_calls = 0;
	assert_int_equal(medium->ops->write(medium, block, BLOCK, BLOCK), 0);
	assert_int_equal(medium->ops->read(medium, block, BLOCK, BLOCK), 0);
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
	medium->ops->close(medium);
	unlink(path);
	free(block);
	return urgent_calls;
}

static void a_backing_store_behind_swap_is_used_urgently_and_no_other(void **state)
{
	assert_int_equal(use_medium(true), 2);
	assert_int_equal(use_medium(false), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_thread_is_urgent_and_then_of_its_own_class_again,
				       begin_each_test),
		cmocka_unit_test_setup(a_thread_of_a_real_time_class_is_left_alone,
				       begin_each_test),
		cmocka_unit_test_setup(without_the_privilege_nothing_changes_and_errno_is_kept,
				       begin_each_test),
		cmocka_unit_test_setup(below_its_floor_the_kernel_gives_nothing_at_once,
				       begin_each_test),
		cmocka_unit_test_setup(
			the_last_three_quarters_of_a_reserve_are_for_when_the_kernel_gives_nothing,
			begin_each_test),
		cmocka_unit_test_setup(
			locked_memory_that_cannot_grow_at_once_waits_without_the_class,
			begin_each_test),
		cmocka_unit_test_setup(locked_memory_grows_urgently, begin_each_test),
		cmocka_unit_test_setup(links_of_locked_memory_are_resident_before_they_are_written,
				       begin_each_test),
		cmocka_unit_test_setup(memory_that_is_not_locked_does_not_grow_urgently,
				       begin_each_test),
		cmocka_unit_test_setup(replies_are_sent_urgently_where_memory_is_short,
				       begin_each_test),
		cmocka_unit_test_setup(memory_is_short_below_48_mib_and_a_part_of_all,
				       begin_each_test),
		cmocka_unit_test_setup(a_send_that_fails_says_why_and_leaves_the_class_alone,
				       begin_each_test),
		cmocka_unit_test_setup(a_backing_store_behind_swap_is_used_urgently_and_no_other,
				       begin_each_test),
	};

	if (!urgent_is_possible()) {
		print_message("may be of no real-time class (ulimit -r): not tested\n");
		return 77;
	}
	return cmocka_run_group_tests_name("urgent", tests, NULL, NULL);
}
