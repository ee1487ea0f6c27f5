/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page table: entries are locks and say what they were made of; table pages come and go. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "span.h"
#include "store/table.h"

/* Of a disk of 4 GiB: 2048 table pages. */
#define PAGES (UINT64_C(1) << 20)

static struct table table;
static struct span_budget budget;

static int make_table(void **state)
{
	span_budget_init(&budget, UINT64_MAX);
	return table_init(&table, PAGES, &budget, false);
}

static int end_table(void **state)
{
	table_fini(&table);
	return 0;
}

static void an_entry_says_what_it_was_made_of(void **state)
{
	uint64_t entry = entry_make(KIND_PAYLOAD, 4095, 0xfedcba98);

	assert_int_equal(entry_kind(entry), KIND_PAYLOAD);
	assert_int_equal(entry_pool(entry), 4095);
	assert_int_equal(entry_handle(entry), 0xfedcba98);
	assert_int_equal(entry_age(entry), 0);
	entry = entry_with_age(entry, 0x1ff + 0x200);
	assert_int_equal(entry_age(entry), 0x1ff);
	assert_int_equal(entry_pool(entry), 4095);
	assert_int_equal(entry_handle(entry), 0xfedcba98);
	assert_false(entry & (ENTRY_LOCK | ENTRY_WAITERS | ENTRY_DENSE | ENTRY_DENSEST |
			      ENTRY_BUSY | ENTRY_LEAVING));

	for (uint32_t length = 1; length <= 4096; length += 1365) {
		entry = entry_make_backed(0x12345678, length);
		assert_int_equal(entry_kind(entry), KIND_BACKED);
		assert_int_equal(entry_length(entry), length);
		assert_int_equal(entry_location(entry), 0x12345678);
		assert_false(entry_has_object(entry));
	}
}

static void only_kinds_with_an_object_have_one(void **state)
{
	assert_false(entry_has_object(entry_make(KIND_EMPTY, 0, 0)));
	assert_false(entry_has_object(entry_make_same(7)));
	assert_true(entry_has_object(entry_make(KIND_SAME_OBJ, 1, 1)));
	assert_true(entry_has_object(entry_make(KIND_RAW, 1, 1)));
	assert_true(entry_has_object(entry_make(KIND_PAYLOAD, 1, 1)));
}

static void a_word_fits_if_it_is_a_number_of_59_bits(void **state)
{
	const int64_t most = (INT64_C(1) << 58) - 1;
	const int64_t fit[] = { 0, 1, -1, most, -most - 1 };
	const int64_t too_large[] = { most + 1, -most - 2, INT64_MAX, INT64_MIN };

	for (size_t i = 0; i < sizeof(fit) / sizeof(*fit); i++) {
		assert_true(entry_word_fits((uint64_t)fit[i]));
		assert_int_equal(entry_word(entry_make_same((uint64_t)fit[i])), (uint64_t)fit[i]);
		assert_int_equal(entry_kind(entry_make_same((uint64_t)fit[i])), KIND_SAME);
	}
	for (size_t i = 0; i < sizeof(too_large) / sizeof(*too_large); i++)
		assert_false(entry_word_fits((uint64_t)too_large[i]));
}

static void a_table_page_is_there_only_if_it_was_made(void **state)
{
	struct table_ref ref;

	assert_int_equal(table_pin(&table, 5, false, &ref), 0);
	assert_null(ref.entries);
	table_unpin(&table, &ref);
	assert_int_equal(table_pin(&table, 5, true, &ref), 0);
	assert_non_null(ref.entries);
	for (unsigned int i = 0; i < TABLE_PAGE_ENTRIES; i++)
		assert_int_equal(ref.entries[i], 0);
	assert_int_equal(table_page_number(&ref, &ref.entries[3]), 5 * TABLE_PAGE_ENTRIES + 3);
	table_unpin(&table, &ref);
	/* Nothing was stored there. */
	assert_int_equal(table.table_pages, 0);
}

static void a_table_page_goes_with_its_last_entry_and_its_last_pin(void **state)
{
	struct table_ref one, other;

	assert_int_equal(table_pin(&table, 9, true, &one), 0);
	one.live_delta = 2;
	table_unpin(&table, &one);
	assert_int_equal(table.table_pages, 1);

	assert_int_equal(table_pin(&table, 9, false, &one), 0);
	assert_int_equal(table_pin(&table, 9, false, &other), 0);
	assert_ptr_equal(one.entries, other.entries);
	one.live_delta = -2;
	table_unpin(&table, &one);
	assert_int_equal(table.table_pages, 1);
	table_unpin(&table, &other);
	assert_int_equal(table.table_pages, 0);
	assert_int_equal(table_pin(&table, 9, false, &one), 0);
	assert_null(one.entries);
}

static void a_walk_meets_each_table_page_once_and_no_other(void **state)
{
	static const uint64_t made[] = { 0, 1, 511, 512, 1500, 2047 };
	const size_t count = sizeof(made) / sizeof(*made);
	struct table_ref ref;
	size_t met = 0;

	assert_false(table_pin_next(&table, 0, &ref));
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(table_pin(&table, made[i], true, &ref), 0);
		ref.live_delta = 1;
		table_unpin(&table, &ref);
	}
	for (uint64_t at = 0; table_pin_next(&table, at, &ref); at = ref.index + 1) {
		assert_true(met < count);
		assert_int_equal(ref.index, made[met++]);
		assert_non_null(ref.entries);
		table_unpin(&table, &ref);
	}
	assert_int_equal(met, count);
	/* From the middle. */
	assert_true(table_pin_next(&table, 513, &ref));
	assert_int_equal(ref.index, 1500);
	table_unpin(&table, &ref);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(table_pin(&table, made[i], false, &ref), 0);
		ref.live_delta = -1;
		table_unpin(&table, &ref);
	}
	assert_false(table_pin_next(&table, 0, &ref));
}

#define THREADS 4
#define TURNS 20000

static table_entry shared;
static uint64_t guarded; /* by it */

static void *count_up(void *opaque)
{
	for (unsigned int i = 0; i < TURNS; i++) {
		uint64_t content = entry_lock(&shared);

		guarded++;
		entry_unlock(&shared, content + (UINT64_C(1) << ENTRY_HANDLE_SHIFT));
	}
	return NULL;
}

static void a_locked_entry_is_one_threads_alone(void **state)
{
	pthread_t thread[THREADS];

	shared = entry_make(KIND_RAW, 3, 0);
	guarded = 0;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, count_up, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(guarded, THREADS * TURNS);
	assert_int_equal(entry_handle(shared), THREADS * TURNS);
	assert_int_equal(entry_kind(shared), KIND_RAW);
	assert_false(shared & (ENTRY_LOCK | ENTRY_WAITERS));
}

static void *lock_once(void *opaque)
{
	entry_unlock(&shared, entry_lock(&shared));
	return NULL;
}

static void who_sleeps_for_an_entry_is_woken(void **state)
{
	uint64_t content;
	pthread_t thread;

	shared = 0;
	content = entry_lock(&shared);
	assert_int_equal(pthread_create(&thread, NULL, lock_once, NULL), 0);
	for (int i = 0; i < 5000 && !(shared & ENTRY_WAITERS); i++)
		usleep(1000);
	assert_true(shared & ENTRY_WAITERS);
	entry_unlock(&shared, content);
	pthread_join(thread, NULL);
	assert_int_equal(shared, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_says_what_it_was_made_of),
		cmocka_unit_test(only_kinds_with_an_object_have_one),
		cmocka_unit_test(a_word_fits_if_it_is_a_number_of_59_bits),
		cmocka_unit_test_setup_teardown(a_table_page_is_there_only_if_it_was_made,
						make_table, end_table),
		cmocka_unit_test_setup_teardown(
			a_table_page_goes_with_its_last_entry_and_its_last_pin, make_table,
			end_table),
		cmocka_unit_test_setup_teardown(a_walk_meets_each_table_page_once_and_no_other,
						make_table, end_table),
		cmocka_unit_test(a_locked_entry_is_one_threads_alone),
		cmocka_unit_test(who_sleeps_for_an_entry_is_woken),
	};

	return cmocka_run_group_tests_name("store table", tests, NULL, NULL);
}
