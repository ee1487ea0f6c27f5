/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Promises of allocator/span.h. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "span.h"

#define UNIT_BYTES 65536u

/* The thread sanitizer leaves a program fewer addresses. */
#ifdef __SANITIZE_THREAD__
#define HUGE_UNITS (1u << 21)
#else
#define HUGE_UNITS (1u << 24) /* 1 TiB */
#endif

static struct span_source *create(size_t unit, uint32_t units_max, struct span_budget *budget)
{
	struct span_source_config config = { .unit = unit,
					     .units_max = units_max,
					     .budget = budget };
	struct span_source *source = NULL;

	assert_int_equal(span_source_create(&source, &config), 0);
	return source;
}

static struct span_source_stats stats_of(struct span_source *source)
{
	struct span_source_stats stats;

	span_source_get_stats(source, &stats);
	return stats;
}

/* Pages of a range that have memory behind them. */
static size_t resident_pages(void *address, size_t bytes)
{
	size_t pages = bytes / (size_t)sysconf(_SC_PAGESIZE), count = 0;
	unsigned char vector[256];

	assert_true(pages <= sizeof(vector));
	assert_int_equal(mincore(address, bytes, vector), 0);
	for (size_t i = 0; i < pages; i++)
		count += vector[i] & 1;
	return count;
}

static void test_budget_never_passes_its_limit_and_keeps_the_peak(void **state)
{
	struct span_budget budget;

	span_budget_init(&budget, 100);
	assert_int_equal(span_budget_charge(&budget, 60), 0);
	assert_int_equal(span_budget_charge(&budget, 41), -ENOSPC);
	assert_int_equal(atomic_load(&budget.used), 60);
	assert_int_equal(span_budget_charge(&budget, 40), 0);
	span_budget_uncharge(&budget, 90);
	assert_int_equal(atomic_load(&budget.used), 10);
	assert_int_equal(atomic_load(&budget.peak), 100);

	atomic_store(&budget.limit, 5);
	assert_int_equal(span_budget_charge(&budget, 1), -ENOSPC);
	atomic_store(&budget.limit, UINT64_MAX);
	assert_int_equal(span_budget_charge(&budget, UINT64_MAX), -ENOSPC);
	assert_int_equal(span_budget_charge(&budget, UINT64_MAX - 10), 0);
}

static void test_bad_config_is_refused_and_output_untouched(void **state)
{
	struct span_source *const mark = (void *)&state;
	struct span_source *source = mark;
	struct span_source_config bad[] = {
		{ .unit = 1024, .units_max = 1 },
		{ .unit = 3 * UNIT_BYTES, .units_max = 1 },
		{ .unit = 0, .units_max = 1 },
		{ .unit = UNIT_BYTES, .units_max = 0 },
		{ .unit = (size_t)1 << 62, .units_max = 4 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(span_source_create(&source, &bad[i]), -EINVAL);
	assert_ptr_equal(source, mark);
}

static void test_units_are_writable_distinct_and_numbered_from_zero(void **state)
{
	struct span_source *source = create(UNIT_BYTES, 100, NULL);
	uint32_t unit;

	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(span_take(source, &unit), 0);
		assert_int_equal(unit, i);
		memset(span_address(source, unit), (int)i, UNIT_BYTES);
		assert_int_equal(span_unit(source, (char *)span_address(source, unit) + 4097), i);
	}
	assert_int_equal(span_take(source, &unit), -ENOSPC);
	for (uint32_t i = 0; i < 100; i++) {
		unsigned char *bytes = span_address(source, i);

		assert_int_equal(bytes[0], i);
		assert_int_equal(bytes[UNIT_BYTES - 1], i);
	}
	assert_int_equal(stats_of(source).units_peak, 100);
	span_source_destroy(source);
	span_source_destroy(NULL);
}

static void test_given_unit_leaves_memory_and_budget_and_comes_back_first(void **state)
{
	struct span_budget budget;
	struct span_source *source;
	uint32_t unit;

	span_budget_init(&budget, 3 * UNIT_BYTES);
	source = create(UNIT_BYTES, 100, &budget);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(span_take(source, &unit), 0);
	assert_int_equal(span_take(source, &unit), -ENOSPC);
	assert_int_equal(unit, 2);
	memset(span_address(source, 1), 1, UNIT_BYTES);
	assert_int_not_equal(resident_pages(span_address(source, 1), UNIT_BYTES), 0);

	span_give(source, 1);
	assert_int_equal(resident_pages(span_address(source, 1), UNIT_BYTES), 0);
	assert_int_equal(atomic_load(&budget.used), 2 * UNIT_BYTES);
	assert_int_equal(stats_of(source).releases, 1);

	assert_int_equal(span_take(source, &unit), 0);
	assert_int_equal(unit, 1);
	span_source_destroy(source);
	assert_int_equal(atomic_load(&budget.used), 0);
}

static void test_ready_units_are_resident_charged_and_taken_without_commit(void **state)
{
	struct span_budget budget;
	struct span_source *source;
	uint32_t unit;

	span_budget_init(&budget, 6 * UNIT_BYTES);
	source = create(UNIT_BYTES, 100, &budget);
	assert_int_equal(span_take_ready(source, &unit), -EAGAIN);
	span_reserve(source, 5);
	assert_int_equal(stats_of(source).units_ready, 0);
	assert_int_equal(span_refill(source, 3), 2);
	assert_int_equal(span_refill(source, 100), 0);
	assert_int_equal(stats_of(source).units_ready, 5);
	assert_int_equal(atomic_load(&budget.used), 5 * UNIT_BYTES);
	assert_int_equal(span_take_ready(source, &unit), 0);
	assert_int_equal(resident_pages(span_address(source, unit), UNIT_BYTES), 16);
	assert_int_equal(span_take(source, &unit), 0);
	assert_int_equal(stats_of(source).commits_late, 0);

	/* Short by two: the first that comes back stays, with its memory. */
	span_give(source, unit);
	assert_int_equal(stats_of(source).units_ready, 4);
	assert_int_equal(stats_of(source).releases, 0);
	assert_int_equal(span_refill(source, 100), 0);
	assert_int_equal(stats_of(source).units_ready, 5);
	span_reserve(source, 1);
	assert_int_equal(stats_of(source).units_ready, 1);
	assert_int_equal(stats_of(source).releases, 4);
	assert_int_equal(atomic_load(&budget.used), 2 * UNIT_BYTES);

	/* The budget stops the reserve, and what was made ready stays. */
	span_reserve(source, 50);
	assert_int_equal(span_refill(source, 50), -ENOSPC);
	assert_int_equal(stats_of(source).units_ready, 5);
	assert_int_equal(stats_of(source).units_used, 1);
	span_source_destroy(source);
	assert_int_equal(atomic_load(&budget.used), 0);
}

static void test_locked_units_are_released_too(void **state)
{
	struct span_source_config config = { .unit = UNIT_BYTES, .units_max = 64, .locked = true };
	struct span_source *source;
	uint32_t unit;
	int err;

	assert_int_equal(span_source_create(&source, &config), 0);
	err = span_take(source, &unit);
	if (err == -ENOMEM) {
		print_message(
			"may not lock 1 MiB of memory (ulimit -l): locked units not tested\n");
		span_source_destroy(source);
		skip();
	}
	assert_int_equal(err, 0);
	memset(span_address(source, unit), 1, UNIT_BYTES);
	span_give(source, unit);
	assert_int_equal(resident_pages(span_address(source, unit), UNIT_BYTES), 0);
	assert_int_equal(span_take(source, &unit), 0);
	assert_int_equal(*(char *)span_address(source, unit), 0);
	span_source_destroy(source);
}

static void test_units_are_released_under_mlockall(void **state)
{
	struct span_source *source;
	uint32_t unit;

	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) {
		print_message("mlockall refused (ulimit -l): not tested\n");
		skip();
	}
	source = create(UNIT_BYTES, 1u << 20, NULL);
	assert_int_equal(span_take(source, &unit), 0);
	memset(span_address(source, unit), 1, UNIT_BYTES);
	span_give(source, unit);
	assert_int_equal(resident_pages(span_address(source, unit), UNIT_BYTES), 0);
	span_source_destroy(source);
	munlockall();
}

/*
 * Makes madvise refuse MADV_POPULATE_WRITE (Linux 5.14) and MADV_DONTNEED_LOCKED
 * (5.18), as kernels before them do.  For good, so only in a child.
 */
static bool pretend_old_kernel(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_madvise, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 23, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 24, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(filter[0]), .filter = filter };
	char *page;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return false;
	page = span_map_zeroed(4096);
	return page && madvise(page, 4096, 24) && errno == EINVAL &&
	       !madvise(page, 4096, MADV_DONTNEED);
}

static int run_on_old_kernel(bool locked)
{
	struct span_source_config config = { .unit = UNIT_BYTES,
					     .units_max = 64,
					     .locked = locked };
	struct span_source *source;
	unsigned char vector[16];
	uint32_t unit;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	/* Their munlock does nothing, so that locked memory can never be released. */
	if (locked)
		return 77;
#endif
	if (!pretend_old_kernel())
		return 77;
	if (span_source_create(&source, &config))
		return 1;
	if (span_take(source, &unit))
		return locked ? 77 : 2;
	if (mincore(span_address(source, unit), UNIT_BYTES, vector) || !vector[0] || !vector[15])
		return 3;
	memset(span_address(source, unit), 1, UNIT_BYTES);
	span_give(source, unit);
	if (mincore(span_address(source, unit), UNIT_BYTES, vector) || vector[0] || vector[15])
		return 4;
	if (span_take(source, &unit) || *(char *)span_address(source, unit))
		return 5;
	span_source_destroy(source);
	return 0;
}

static void test_old_kernels_release_and_populate_too(void **state)
{
	for (int locked = 0; locked < 2; locked++) {
		pid_t pid = fork();
		int status;

		if (!pid)
			_exit(run_on_old_kernel(locked));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77)
			print_message("seccomp or mlock refused: %s units not tested\n",
				      locked ? "locked" : "unlocked");
		else
			assert_int_equal(WEXITSTATUS(status), 0);
	}
}

static uint64_t resident_bytes(void)
{
	FILE *statm = fopen("/proc/self/statm", "r");
	unsigned long total, resident;

	assert_non_null(statm);
	assert_int_equal(fscanf(statm, "%lu %lu", &total, &resident), 2);
	fclose(statm);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void test_huge_source_costs_nothing_until_used(void **state)
{
	static const struct span_source_config huge[] = {
		{ .unit = 4096, .units_max = 1u << 23 }, /* the table of a 16 TiB disk */
		{ .unit = UNIT_BYTES, .units_max = HUGE_UNITS },
	};

	for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++) {
		uint64_t before = resident_bytes();
		struct span_source *source = create(huge[i].unit, huge[i].units_max, NULL);
		uint32_t unit;

		assert_int_equal(span_take(source, &unit), 0);
		assert_true(stats_of(source).metadata <= 8192);
		assert_true(resident_bytes() - before < 1 << 20);
		span_source_destroy(source);
	}
}

/* Takes units and gives them back until so many numbers have been in use. */
static void use_many(struct span_source *source, uint32_t units)
{
	uint32_t *held = malloc(units * sizeof(*held));

	for (uint32_t i = 0; i < units; i++)
		assert_int_equal(span_take(source, &held[i]), 0);
	/* Low ones first: what stays ready are the highest numbers. */
	for (uint32_t i = units; i-- > 0;)
		span_give(source, held[i]);
	free(held);
}

static void test_source_forgets_what_it_once_had(void **state)
{
	const uint32_t many = 20000, few = 5;
	struct span_source *source = create(4096, 2 * many, NULL);
	bool *seen = calloc(2 * many, sizeof(*seen));
	uint32_t first, unit;

	span_reserve(source, few);
	assert_int_equal(span_take(source, &first), 0);
	use_many(source, many);
	assert_true(stats_of(source).metadata > many * 4);
	span_forget(source);
	assert_true(stats_of(source).metadata > many * 4); /* one is still taken */
	span_give(source, first);
	span_forget(source);
	assert_true(stats_of(source).metadata <= (3 + few) * 4096);
	assert_int_equal(stats_of(source).units_ready, few);

	/* Every number can still be had, each once, the ready ones among them. */
	for (uint32_t i = 0; i < 2 * many; i++) {
		assert_int_equal(span_take(source, &unit), 0);
		assert_false(seen[unit]);
		seen[unit] = true;
		if (i < few)
			assert_int_equal(stats_of(source).units_ready, few - 1 - i);
		span_drop_zeroed(span_address(source, unit), 4096);
	}
	assert_int_equal(span_take(source, &unit), -ENOSPC);
	free(seen);
	span_source_destroy(source);
}

static void test_dropped_array_reads_zero_and_is_not_resident(void **state)
{
	const size_t bytes = 64 * 4096;
	unsigned char *array = span_map_zeroed(bytes);

	assert_non_null(array);
	assert_int_equal(resident_pages(array, bytes), 0);
	memset(array, 7, bytes);
	span_drop_zeroed(array + 100, bytes - 200);
	assert_int_equal(resident_pages(array, bytes), 2);
	assert_int_equal(array[4095], 7);
	assert_int_equal(array[4096], 0);
	assert_int_equal(array[bytes - 4097], 0);
	assert_int_equal(array[bytes - 4096], 7);
	span_unmap(array, bytes);
	span_unmap(NULL, bytes);
}

static void test_each_refused_request_is_reported_and_undone(void **state)
{
	struct span_source_config config = { .unit = UNIT_BYTES, .units_max = 4 };
	struct span_source *source = NULL;
	struct span_budget budget;
	uint32_t unit = 77;

	span_fail_after(0);
	assert_null(span_map_zeroed(4096));
	for (int i = 0; i < 2; i++) {
		span_fail_after(i);
		assert_int_equal(span_source_create(&source, &config), -ENOMEM);
		assert_null(source);
	}
	span_budget_init(&budget, UINT64_MAX);
	source = create(UNIT_BYTES, 4, &budget);
	span_fail_after(0);
	assert_int_equal(span_take(source, &unit), -ENOMEM);
	assert_int_equal(unit, 77);
	assert_int_equal(atomic_load(&budget.used), 0);
	span_reserve(source, 4);
	span_fail_after(2);
	assert_int_equal(span_refill(source, 4), -ENOMEM);
	assert_int_equal(stats_of(source).units_ready, 2);
	assert_int_equal(span_refill(source, 4), 0);
	assert_int_equal(stats_of(source).units_ready, 4);
	span_fail_after(-1);
	span_source_destroy(source);
	assert_int_equal(atomic_load(&budget.used), 0);
}

/* Each thread stamps the units that it holds: a unit given to two would show. */
static void *take_and_give(void *data)
{
	struct span_source *source = data;
	uint64_t stamp = (uint64_t)(uintptr_t)&source;
	uint32_t held[8];

	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 8; i++) {
			if (span_take(source, &held[i]))
				return (void *)1;
			*(uint64_t *)span_address(source, held[i]) = stamp + held[i];
		}
		for (int i = 0; i < 8; i++) {
			if (*(uint64_t *)span_address(source, held[i]) != stamp + held[i])
				return (void *)2;
			span_give(source, held[i]);
		}
		if (span_refill(source, 4) < 0)
			return (void *)3;
		span_forget(source);
	}
	return NULL;
}

static void test_threads_never_share_a_unit(void **state)
{
	struct span_budget budget;
	struct span_source *source;
	pthread_t threads[4];
	void *failed;

	span_budget_init(&budget, 64 * UNIT_BYTES);
	source = create(UNIT_BYTES, 1000, &budget);
	span_reserve(source, 10);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, source), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(stats_of(source).units_used, 0);
	assert_int_equal(atomic_load(&budget.used), stats_of(source).units_ready * UNIT_BYTES);
	span_source_destroy(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budget_never_passes_its_limit_and_keeps_the_peak),
		cmocka_unit_test(test_bad_config_is_refused_and_output_untouched),
		cmocka_unit_test(test_units_are_writable_distinct_and_numbered_from_zero),
		cmocka_unit_test(test_given_unit_leaves_memory_and_budget_and_comes_back_first),
		cmocka_unit_test(test_ready_units_are_resident_charged_and_taken_without_commit),
		cmocka_unit_test(test_locked_units_are_released_too),
		cmocka_unit_test(test_units_are_released_under_mlockall),
		cmocka_unit_test(test_old_kernels_release_and_populate_too),
		cmocka_unit_test(test_huge_source_costs_nothing_until_used),
		cmocka_unit_test(test_source_forgets_what_it_once_had),
		cmocka_unit_test(test_dropped_array_reads_zero_and_is_not_resident),
		cmocka_unit_test(test_each_refused_request_is_reported_and_undone),
		cmocka_unit_test(test_threads_never_share_a_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
