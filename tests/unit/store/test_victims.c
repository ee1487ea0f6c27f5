/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which pages leave memory: the coldest, those that do not compress before all others. */
#include "store_backing_helper.h"
#include "store/leave.h"
#include "store/victims.h"

/* Enough for some segments; a third does not compress. */
#define PAGES 1200u

static const struct setup roomy = { .disk = 16 * MIB, .backing = 32 * MIB };

/* Fills the disk; of each page's number the age is set by hand. */
static void fill(unsigned int (*age)(uint64_t number))
{
	struct table_ref ref;

	begin_test(&roomy);
	atomic_store(&store->age, 300);
	for (uint64_t i = 0; i < PAGES; i++)
		put(i, 1);
	for (uint64_t at = 0; table_pin_next(&store->table, at, &ref); at = ref.index + 1) {
		for (unsigned int i = 0; i < TABLE_PAGE_ENTRIES; i++) {
			uint64_t number = table_page_number(&ref, &ref.entries[i]);
			uint64_t entry = ref.entries[i];

			if (entry_kind(entry) >= KIND_RAW)
				ref.entries[i] = entry_with_age(entry, 300 - age(number));
		}
		table_unpin(&store->table, &ref);
	}
}

/* The pages in the open segment; marks those that are there in seen. */
static uint32_t chosen(bool seen[PAGES])
{
	uint32_t count = backing_records(backing);

	memset(seen, 0, PAGES * sizeof(*seen));
	for (uint32_t i = 0; i < count; i++)
		seen[backing_record(backing, i)->page] = true;
	return count;
}

static void done(void)
{
	backed_abandon(store);
	end_test();
}

static unsigned int all_alike(uint64_t number)
{
	return 10;
}

static unsigned int one_in_a_hundred_is_old(uint64_t number)
{
	return number % 100 == 0 ? 50 : 10;
}

static void a_sweep_takes_what_is_old_enough_and_nothing_else(void **state)
{
	const struct choice old = { .payload_age = 50, .raw_age = 50 };
	bool seen[PAGES];

	fill(one_in_a_hundred_is_old);
	pthread_mutex_lock(&store->writeback.lock);
	assert_false(sweep(store, &old));
	assert_int_equal(chosen(seen), PAGES / 100);
	for (unsigned int i = 0; i < PAGES; i++)
		assert_int_equal(seen[i], i % 100 == 0);
	/* What is leaving is not taken again. */
	assert_false(sweep(store, &old));
	assert_int_equal(chosen(seen), PAGES / 100);
	pthread_mutex_unlock(&store->writeback.lock);
	done();
}

static void a_sweep_for_raw_pages_takes_no_other(void **state)
{
	const struct choice raw = { .payload_age = AGE_NEVER, .raw_age = 0 };
	bool seen[PAGES];
	uint32_t count;

	fill(all_alike);
	pthread_mutex_lock(&store->writeback.lock);
	/* One segment: it holds fewer than there are. */
	assert_true(sweep(store, &raw));
	count = chosen(seen);
	assert_true(count > 0);
	for (unsigned int i = 0; i < PAGES; i++)
		assert_true(!seen[i] || i % 3 == 0);
	pthread_mutex_unlock(&store->writeback.lock);
	done();
}

static void a_sweep_goes_on_where_the_last_one_ended(void **state)
{
	const struct choice all = { 0, 0 };
	bool seen[PAGES], all_seen[PAGES] = { false };
	unsigned int segments = 0, count = 0;
	bool full;

	fill(all_alike);
	pthread_mutex_lock(&store->writeback.lock);
	do {
		full = sweep(store, &all);
		(void)chosen(seen);
		for (unsigned int i = 0; i < PAGES; i++) {
			assert_false(seen[i] && all_seen[i]);
			all_seen[i] = all_seen[i] || seen[i];
		}
		assert_int_equal(backing_write(backing), 0);
		backed_publish(store);
		segments++;
	} while (full && segments < 1000);
	for (unsigned int i = 0; i < PAGES; i++)
		count += all_seen[i];
	assert_true(segments > 2);
	assert_int_equal(count, PAGES);
	pthread_mutex_unlock(&store->writeback.lock);
	for (unsigned int i = 0; i < PAGES; i++)
		must_have(i, 1);
	end_test();
}

static unsigned int older_to_the_end(uint64_t number)
{
	return (unsigned int)(number / 10);
}

static void the_coldest_come_first_and_those_that_do_not_compress_before_them(void **state)
{
	bool seen[PAGES];
	unsigned int raw = 0, least = PAGES;

	fill(older_to_the_end);
	pthread_mutex_lock(&store->writeback.lock);
	fill_with_coldest(store);
	assert_true(chosen(seen) > 0);
	for (unsigned int i = 0; i < PAGES; i++) {
		if (!seen[i])
			continue;
		raw += i % 3 == 0;
		least = i < least ? i : least;
		assert_int_equal(i % 3, 0);
	}
	/* From the cold end of the disk, not from its beginning. */
	assert_true(raw > 0);
	assert_true(least > PAGES / 2);
	pthread_mutex_unlock(&store->writeback.lock);
	done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sweep_takes_what_is_old_enough_and_nothing_else),
		cmocka_unit_test(a_sweep_for_raw_pages_takes_no_other),
		cmocka_unit_test(a_sweep_goes_on_where_the_last_one_ended),
		cmocka_unit_test(the_coldest_come_first_and_those_that_do_not_compress_before_them),
	};

	return cmocka_run_group_tests_name("store victims", tests, NULL, NULL);
}
