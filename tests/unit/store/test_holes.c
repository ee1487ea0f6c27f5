/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request for a hole costs by its own size, whatever the disk's, and whatever was ever stored
 * there: counted in instructions, one by one, as a debugger steps.
 */
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_helper.h"

#define HOLES 20u
#define RANGE (4 * GIB) /* the longest that a client can ask for at once */

enum request { TRIM_PAGE, MAP_PAGE, MAP_RANGE };

static int ignore_extent(void *opaque, uint64_t offset, uint64_t length, bool hole)
{
	return 0;
}

static int ask(struct store *store, uint64_t size, enum request request, uint64_t offset)
{
	uint64_t range = size - offset < RANGE ? size - offset : RANGE;

	switch (request) {
	case TRIM_PAGE:
		return store_zero(store, PAGE, offset);
	case MAP_PAGE:
		return store_extents(store, PAGE, offset, ignore_extent, NULL);
	case MAP_RANGE:
		return store_extents(store, range, offset, ignore_extent, NULL);
	}
	return -EINVAL;
}

/* Even pages may be data, odd ones are holes. */
static uint64_t any_page(struct rng *rng, uint64_t size, unsigned int odd)
{
	return (rng_below(rng, size / PAGE / 2) * 2 + odd) * PAGE;
}

static void be_traced(struct store *store, uint64_t size, enum request request)
{
	uint64_t offset[HOLES];
	struct rng rng = { 3 };
	int err = 0;

	for (unsigned int i = 0; i < HOLES; i++)
		offset[i] = any_page(&rng, size, 1);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(77);
	raise(SIGSTOP);
	for (unsigned int i = 0; i < HOLES; i++)
		err |= ask(store, size, request, offset[i]);
	raise(SIGSTOP);
	_exit(err ? 1 : 0);
}

/* Instructions that a request takes. */
static double count(struct store *store, uint64_t size, enum request request)
{
	uint64_t steps = 0;
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		be_traced(store, size, request);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("may not trace a process: not tested\n");
		skip();
	}
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	do {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSTOPPED(status));
		steps++;
	} while (WSTOPSIG(status) == SIGTRAP);
	assert_int_equal(WSTOPSIG(status), SIGSTOP);
	assert_int_equal(ptrace(PTRACE_CONT, child, NULL, NULL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return (double)steps / HOLES;
}

/* A disk with so many pages here and there; some as many that were there once. */
static struct store *used_store(uint64_t size, uint64_t pages, bool trimmed)
{
	struct store *store = store_of(size, STORE_NO_LIMIT);
	unsigned char page[PAGE];
	struct rng rng = { 1 };

	memset(page, 1, PAGE);
	for (uint64_t i = 0; i < pages; i++)
		must_write(store, page, PAGE, any_page(&rng, size, 0));
	if (trimmed)
		must_zero(store, size, 0);
	return store;
}

static void a_request_for_a_hole_costs_by_its_size_not_by_the_disks(void **state)
{
	static const struct {
		uint64_t size, pages;
		bool trimmed;
	} disks[] = {
		{ GIB, 0, false },
		{ GIB, 1000, false },
		{ 16 * TIB, 3000, false },
		{ 16 * TIB, 3000, true },
		{ STORE_SIZE_MAX, 0, false },
		{ STORE_SIZE_MAX, 3000, false },
	};
	static const char *const names[] = { "trim of 4 KiB", "map of 4 KiB", "map of 4 GiB" };
	double first[3];

	for (size_t i = 0; i < sizeof(disks) / sizeof(disks[0]); i++) {
		struct store *store = used_store(disks[i].size, disks[i].pages, disks[i].trimmed);

		for (enum request request = TRIM_PAGE; request <= MAP_RANGE; request++) {
			double steps;

			/* A small disk that is full of pages is no hole. */
			if (request == MAP_RANGE && i == 1)
				break;
			steps = count(store, disks[i].size, request);
			if (i == 0)
				first[request] = steps;
			print_message("%7llu GiB, %4llu pages%s, %s: %.0f instructions\n",
				      (unsigned long long)(disks[i].size / GIB),
				      (unsigned long long)disks[i].pages,
				      disks[i].trimmed ? " once" : "", names[request], steps);
			/* Of a long range, some for each 2 MiB where there may be a page. */
			assert_true(steps <=
				    1.5 * first[request] + (request == MAP_RANGE ? 16 * 2048 : 0));
		}
		store_done(store);
	}
}

/* Nothing else of a map is counted here than what the server does for it. */
static void a_map_of_a_huge_disk_takes_no_time(void **state)
{
	struct store *store = store_of(256 * TIB, STORE_NO_LIMIT);
	const unsigned char byte = 1;
	clock_t start;

	must_write(store, &byte, 1, 256 * TIB - 1);
	start = clock();

	for (uint64_t at = 0; at < 256 * TIB; at += RANGE)
		assert_int_equal(store_extents(store, RANGE, at, ignore_extent, NULL), 0);
	print_message("%.3f s for 256 TiB with a page at its end\n",
		      (double)(clock() - start) / CLOCKS_PER_SEC);
	/* A hundred times of what it takes, and a thousandth of what it took once. */
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5.0);
	store_done(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_for_a_hole_costs_by_its_size_not_by_the_disks),
		cmocka_unit_test(a_map_of_a_huge_disk_takes_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
