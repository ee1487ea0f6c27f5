/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages whose slots the kernel calls free: which are forgotten, and which are not. */
#include <stdatomic.h>
#include <unistd.h>

#include "store_backing_helper.h"

#define PAGES 1500u /* more than a table page covers, and no whole number of words */

static _Atomic uint64_t bits[(PAGES + 63) / 64];

static void set_bit(uint64_t page)
{
	atomic_fetch_or(&bits[page / 64], UINT64_C(1) << (page % 64));
}

static bool bit_is_set(uint64_t page)
{
	return atomic_load(&bits[page / 64]) >> (page % 64) & 1;
}

static unsigned int forget_all(void)
{
	unsigned int pages = 0, some;

	while ((some = store_forget_freed(store)) > 0)
		pages += some;
	return pages;
}

static void start_heeding(uint64_t pages, uint64_t memlimit)
{
	memset((void *)bits, 0, sizeof(bits));
	store = store_of(pages * PAGE, memlimit);
	assert_int_equal(store_heed_freed(store, bits), 0);
}

static void test_a_freed_page_is_forgotten_and_its_bit_cleared(void **state)
{
	struct ramzswap_stats stats;

	start_heeding(PAGES, STORE_NO_LIMIT);
	for (uint64_t i = 0; i < PAGES; i++)
		put(i, 1);
	for (uint64_t i = 0; i < PAGES; i += 3)
		set_bit(i);
	stats = stats_of(store);
	assert_int_equal(stats.pages_stored, PAGES);
	assert_int_equal(stats.stale_pages, PAGES / 3);
	assert_int_equal(forget_all(), PAGES / 3);
	stats = stats_of(store);
	assert_int_equal(stats.pages_stored, PAGES - PAGES / 3);
	assert_int_equal(stats.stale_pages, 0);
	for (uint64_t i = 0; i < PAGES; i++) {
		assert_false(bit_is_set(i));
		if (i % 3 == 0)
			must_read_zeroes(store, PAGE, i * PAGE);
		else
			must_have(i, 1);
	}
	store_done(store);
}

static void test_what_is_written_anew_is_not_forgotten(void **state)
{
	start_heeding(PAGES, STORE_NO_LIMIT);
	for (uint64_t i = 0; i < PAGES; i++)
		put(i, 1);
	for (uint64_t i = 0; i < PAGES; i++)
		set_bit(i);
	for (uint64_t i = 0; i < PAGES; i += 2)
		put(i, 2);
	assert_int_equal(forget_all(), PAGES / 2);
	for (uint64_t i = 0; i < PAGES; i++) {
		if (i % 2 == 0)
			must_have(i, 2);
		else
			must_read_zeroes(store, PAGE, i * PAGE);
	}
	store_done(store);
}

static void test_a_page_written_in_part_is_not_forgotten(void **state)
{
	unsigned char page[PAGE];

	start_heeding(8, STORE_NO_LIMIT);
	make_page(page, 5, 1);
	must_write(store, page, PAGE, 5 * PAGE);
	set_bit(5);
	must_write(store, "new", 3, 5 * PAGE + 1000);
	memcpy(page + 1000, "new", 3);
	assert_int_equal(forget_all(), 0);
	must_read(store, page, PAGE, 5 * PAGE);
	store_done(store);
}

static void test_pages_of_one_word_are_forgotten_too(void **state)
{
	uint64_t page[PAGE / 8];

	start_heeding(8, STORE_NO_LIMIT);
	/* The page of zeroes comes last: where nothing is stored, it is not, either. */
	for (uint64_t i = 4; i-- > 0;) {
		/* 0 and 1 fit into an entry, the others do not. */
		for (size_t j = 0; j < PAGE / 8; j++)
			page[j] = i < 2 ? i : UINT64_C(0x5a5a5a5a5a5a5a00) + i;
		must_write(store, page, PAGE, i * PAGE);
		set_bit(i);
	}
	assert_int_equal(stats_of(store).same_pages, 4);
	assert_int_equal(forget_all(), 4);
	assert_int_equal(stats_of(store).same_pages, 0);
	store_done(store);
}

static void test_bits_of_pages_that_are_not_stored_are_cleared(void **state)
{
	start_heeding(PAGES, STORE_NO_LIMIT);
	put(700, 1);
	set_bit(0);   /* of a table page that there is not */
	set_bit(701); /* of one that there is */
	set_bit(PAGES - 1);
	assert_int_equal(stats_of(store).stale_pages, 0);
	assert_int_equal(forget_all(), 0);
	for (uint64_t i = 0; i < PAGES; i++)
		assert_false(bit_is_set(i));
	must_have(700, 1);
	store_done(store);
}

static void test_bits_behind_the_end_of_the_disk_are_nobodys(void **state)
{
	start_heeding(PAGES, STORE_NO_LIMIT);
	for (uint64_t i = 0; i < PAGES; i++)
		put(i, 1);
	for (uint64_t i = PAGES; i < sizeof(bits) * 8; i++)
		set_bit(i);
	assert_int_equal(forget_all(), 0);
	for (uint64_t i = 0; i < PAGES; i++)
		must_have(i, 1);
	store_done(store);
}

/* Its reader may be waiting for a slow disk: who waited for him here would end by the alarm. */
static void test_a_page_that_somebody_holds_is_left_for_the_next_time(void **state)
{
	struct table_ref ref;
	uint64_t content;

	start_heeding(8, STORE_NO_LIMIT);
	put(3, 1);
	put(4, 1);
	set_bit(3);
	set_bit(4);
	assert_int_equal(table_pin(&store->table, 0, false, &ref), 0);
	content = entry_lock(&ref.entries[3]);
	alarm(100);
	assert_int_equal(forget_all(), 1);
	alarm(0);
	assert_true(bit_is_set(3));
	assert_false(bit_is_set(4));
	entry_unlock(&ref.entries[3], content);
	table_unpin(&store->table, &ref);
	assert_int_equal(forget_all(), 1);
	must_read_zeroes(store, 2 * PAGE, 3 * PAGE);
	store_done(store);
}

static void test_nothing_is_forgotten_once_notices_are_not_heeded(void **state)
{
	start_heeding(8, STORE_NO_LIMIT);
	put(3, 1);
	set_bit(3);
	assert_int_equal(store_heed_freed(store, NULL), 0);
	assert_int_equal(forget_all(), 0);
	assert_int_equal(stats_of(store).stale_pages, 0);
	must_have(3, 1);
	store_done(store);
}

static void test_the_background_forgets_without_being_asked(void **state)
{
	double start = seconds_now();

	start_heeding(PAGES, STORE_NO_LIMIT);
	for (uint64_t i = 0; i < PAGES; i++) {
		put(i, 1);
		set_bit(i);
	}
	while (stats_of(store).pages_stored > 0 && seconds_now() - start < 60)
		(void)store_work(store);
	assert_int_equal(stats_of(store).pages_stored, 0);
	store_done(store);
}

/* Or a server that waits for memory would be taken for one that goes on: see oom_call.h. */
static void test_the_background_counts_as_no_request(void **state)
{
	bool under_way = true;
	uint64_t ended, won;

	start_heeding(PAGES, STORE_NO_LIMIT);
	put(1, 1);
	put(2, 1);
	ended = store_count_ended(store, &under_way);
	set_bit(1);
	while (stats_of(store).pages_stored > 1)
		(void)store_work(store);
	assert_int_equal(store_recompress(store, &won, NULL), 0);
	assert_int_equal(store_count_ended(store, &under_way), ended);
	assert_false(under_way);
	store_done(store);
}

static void test_a_full_store_takes_the_room_of_freed_pages(void **state)
{
	unsigned char page[PAGE];
	uint64_t written = 0;
	int err = 0;

	start_heeding(PAGES, 2 * MIB);
	for (; written < PAGES && !err; written += !err) {
		make_page(page, written, 1);
		err = store_write(store, page, PAGE, written * PAGE);
	}
	assert_int_equal(err, -ENOSPC);
	for (uint64_t i = 0; i < written / 2; i++)
		set_bit(i);
	/* Nobody works in the background here: the write itself makes room. */
	put(written, 1);
	assert_int_equal(stats_of(store).stale_pages, 0);
	for (uint64_t i = written / 2; i <= written; i++)
		must_have(i, 1);
	store_done(store);
}

static void test_the_bits_count_as_memory_of_the_disk(void **state)
{
	uint64_t before;

	store = store_of(PAGES * PAGE, STORE_NO_LIMIT);
	before = stats_of(store).mem_used_total;
	assert_int_equal(store_heed_freed(store, bits), 0);
	assert_int_equal(stats_of(store).mem_used_total, before + sizeof(bits));
	/* Another time they are the same ones. */
	assert_int_equal(store_heed_freed(store, NULL), 0);
	assert_int_equal(store_heed_freed(store, bits), 0);
	assert_int_equal(stats_of(store).mem_used_total, before + sizeof(bits));
	store_done(store);
}

static void test_pages_behind_the_pool_are_forgotten(void **state)
{
	const struct setup setup = { .disk = PAGES * PAGE, .backing = 16 * MIB };

	memset((void *)bits, 0, sizeof(bits));
	begin_test(&setup);
	assert_int_equal(store_heed_freed(store, bits), 0);
	for (uint64_t i = 0; i < PAGES; i++)
		put(i, 1);
	write_all_back();
	assert_int_equal(stats_of(store).bd_count, PAGES);
	for (uint64_t i = 0; i < PAGES; i += 2)
		set_bit(i);
	assert_int_equal(forget_all(), PAGES / 2);
	assert_int_equal(stats_of(store).bd_count, PAGES / 2);
	for (uint64_t i = 1; i < PAGES; i += 2)
		must_have(i, 1);
	end_test();
}

static void test_a_page_that_is_on_its_way_out_is_forgotten(void **state)
{
	const struct setup setup = { .disk = PAGES * PAGE, .backing = 16 * MIB };

	memset((void *)bits, 0, sizeof(bits));
	begin_test(&setup);
	assert_int_equal(store_heed_freed(store, bits), 0);
	/* Too few to fill a segment: they wait in it, marked, while they are dropped. */
	put(0, 1);
	put(3, 1);
	drain();
	set_bit(3);
	assert_int_equal(forget_all(), 1);
	write_all_back();
	must_have(0, 1);
	must_read_zeroes(store, PAGE, 3 * PAGE);
	assert_int_equal(stats_of(store).bd_count, 1);
	end_test();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_freed_page_is_forgotten_and_its_bit_cleared),
		cmocka_unit_test(test_what_is_written_anew_is_not_forgotten),
		cmocka_unit_test(test_a_page_written_in_part_is_not_forgotten),
		cmocka_unit_test(test_pages_of_one_word_are_forgotten_too),
		cmocka_unit_test(test_bits_of_pages_that_are_not_stored_are_cleared),
		cmocka_unit_test(test_bits_behind_the_end_of_the_disk_are_nobodys),
		cmocka_unit_test(test_a_page_that_somebody_holds_is_left_for_the_next_time),
		cmocka_unit_test(test_nothing_is_forgotten_once_notices_are_not_heeded),
		cmocka_unit_test(test_the_background_forgets_without_being_asked),
		cmocka_unit_test(test_the_background_counts_as_no_request),
		cmocka_unit_test(test_a_full_store_takes_the_room_of_freed_pages),
		cmocka_unit_test(test_the_bits_count_as_memory_of_the_disk),
		cmocka_unit_test(test_pages_behind_the_pool_are_forgotten),
		cmocka_unit_test(test_a_page_that_is_on_its_way_out_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
