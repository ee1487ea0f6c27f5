/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directory of table pages: what threads put into pages of it that come and go all the time
 * is found again, and all that was charged for it comes back.
 */
#include <pthread.h>

#include "span.h"
#include "store/table.h"
#include "store_helper.h"

#define THREADS 4u
#define PLACES 3u
#define ROUNDS 30000u

/* A thread sanitizer leaves a process too few addresses for more. */
#ifdef __SANITIZE_THREAD__
#define DISK (UINT64_C(32) << 40)
#else
#define DISK STORE_SIZE_MAX
#endif

static struct span_budget budget;
static struct table table;
static _Atomic unsigned int errors;

/* A table page of its own for each thread, in a page of the directory that all share. */
static uint64_t index_of(unsigned int place, unsigned int thread)
{
	return (uint64_t)place * 7 * DIRECTORY_PAGE_TALLIES * DIRECTORY_PAGE_ENTRIES + thread;
}

static void put(unsigned int place, unsigned int thread, uint64_t content)
{
	struct table_ref ref;

	if (table_pin(&table, index_of(place, thread), true, &ref)) {
		errors++;
		return;
	}
	if (entry_lock(&ref.entries[thread]) != 0)
		errors++;
	entry_unlock(&ref.entries[thread], content);
	ref.live_delta = 1;
	table_unpin(&table, &ref);
}

static void take(unsigned int place, unsigned int thread, uint64_t content)
{
	uint64_t index = index_of(place, thread);
	struct table_ref ref;

	if (table_next(&table, index, index + 1) != index)
		errors++;
	(void)table_pin(&table, index, false, &ref);
	if (!ref.entries) {
		errors++;
		return;
	}
	if (entry_lock(&ref.entries[thread]) != content)
		errors++;
	entry_unlock(&ref.entries[thread], 0);
	ref.live_delta = -1;
	table_unpin(&table, &ref);
}

static void *come_and_go(void *arg)
{
	unsigned int thread = (unsigned int)(uintptr_t)arg;
	uint64_t content[PLACES] = { 0 };
	struct rng rng = { 300 + thread };

	for (unsigned int i = 0; i < ROUNDS && !errors; i++) {
		unsigned int place = (unsigned int)rng_below(&rng, PLACES);

		if (content[place]) {
			take(place, thread, content[place]);
			content[place] = 0;
		} else {
			content[place] = entry_make_same(i + 1);
			put(place, thread, content[place]);
		}
	}
	for (unsigned int place = 0; place < PLACES; place++)
		if (content[place])
			take(place, thread, content[place]);
	return NULL;
}

static void threads_find_what_they_put_where_pages_come_and_go(void **state)
{
	for (int locked = 0; locked < 2; locked++) {
		pthread_t threads[THREADS];

		span_budget_init(&budget, UINT64_MAX);
		assert_int_equal(table_init(&table, DISK / PAGE, &budget, locked), 0);
		for (uintptr_t i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, (void *)i),
					 0);
		for (unsigned int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(errors, 0);
		assert_int_equal(table.table_pages, 0);
		assert_int_equal(budget.used, 0);
		assert_int_equal(table_next(&table, 0, table.directory_entries),
				 table.directory_entries);
		table_fini(&table);
	}
}

static void a_directory_that_is_refused_memory_charges_nothing(void **state)
{
	struct table_ref ref;

	for (uint64_t limit = 0; limit < 3; limit++) {
		span_budget_init(&budget, limit * PAGE);
		assert_int_equal(table_init(&table, DISK / PAGE, &budget, false), 0);
		assert_int_equal(table_pin(&table, 12345678, true, &ref), -ENOSPC);
		assert_int_equal(budget.used, 0);
		table_fini(&table);
	}
	span_budget_init(&budget, 3 * PAGE);
	assert_int_equal(table_init(&table, DISK / PAGE, &budget, false), 0);
	assert_int_equal(table_pin(&table, 12345678, true, &ref), 0);
	table_unpin(&table, &ref);
	assert_int_equal(budget.used, 0);
	table_fini(&table);
}

static void a_search_ends_where_it_is_told_to(void **state)
{
	static const uint64_t at[] = { 5, 511, 512, 1 << 20, (1 << 20) + 1, (1 << 29) - 1 };
	struct table_ref ref[6];

	if (DISK < STORE_SIZE_MAX) {
		print_message("a thread sanitizer leaves too few addresses for the largest disk\n");
		skip();
	}
	span_budget_init(&budget, UINT64_MAX);
	assert_int_equal(table_init(&table, STORE_SIZE_MAX / PAGE, &budget, false), 0);
	assert_int_equal(table.directory_entries, 1 << 29);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(table_pin(&table, at[i], true, &ref[i]), 0);
	for (size_t i = 0; i < 6; i++) {
		uint64_t before = i ? at[i - 1] + 1 : 0;

		assert_int_equal(table_next(&table, before, 1 << 29), at[i]);
		assert_int_equal(table_next(&table, before, at[i] + 1), at[i]);
		assert_int_equal(table_next(&table, before, at[i]), at[i]);
		assert_int_equal(table_next(&table, at[i], at[i] + 1), at[i]);
		assert_int_equal(table_next(&table, at[i], at[i]), at[i]);
	}
	assert_int_equal(table_next(&table, 513, 600), 600);
	for (size_t i = 0; i < 6; i++)
		table_unpin(&table, &ref[i]);
	assert_int_equal(table_next(&table, 0, 1 << 29), 1 << 29);
	assert_int_equal(budget.used, 0);
	table_fini(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_find_what_they_put_where_pages_come_and_go),
		cmocka_unit_test(a_directory_that_is_refused_memory_charges_nothing),
		cmocka_unit_test(a_search_ends_where_it_is_told_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
