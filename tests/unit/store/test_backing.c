/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page store with a backing store behind its pool: what goes there, and what comes back. */
#include <unistd.h>

#include "store_backing_helper.h"

static void test_a_disk_larger_than_memory_takes_all_its_pages(void **state)
{
	const struct setup setup = { .disk = 32 * MIB, .memlimit = 4 * MIB, .backing = 48 * MIB };
	uint64_t pages = setup.disk / PAGE;
	struct ramzswap_stats stats;

	begin_test(&setup);
	for (uint32_t version = 1; version <= 2; version++) {
		for (uint64_t i = 0; i < pages; i++)
			put(i, version);
		must_be_sound(store);
		for (uint64_t i = 0; i < pages; i++)
			must_have(i, version);
	}
	stats = stats_of(store);
	assert_int_equal(stats.failed_writes, 0);
	assert_int_equal(stats.failed_reads, 0);
	assert_int_equal(stats.pages_stored, pages);
	assert_true(stats.bd_count > pages / 2);
	assert_true(stats.mem_used_max <= 4 * MIB);
	/* And all of it goes again. */
	must_zero(store, setup.disk, 0);
	stats = stats_of(store);
	assert_int_equal(stats.bd_count, 0);
	assert_int_equal(stats.bd_segments_free, stats.bd_segments);
	end_test();
}

static void test_random_requests_agree_with_a_shadow(void **state)
{
	const struct setup setup = { .disk = 8 * MIB, .memlimit = 2 * MIB, .backing = 12 * MIB };
	unsigned int steps = 20000 * test_scale() / 100;
	unsigned char *shadow = calloc(1, setup.disk), *buf = malloc(setup.disk);
	struct ramzswap_stats stats;

	begin_test(&setup);
	rng.state = rng_seed(7);
	for (unsigned int i = 0; i < steps; i++) {
		uint64_t offset = rng_below(&rng, setup.disk);
		uint32_t count = (uint32_t)rng_below(&rng, 6 * PAGE) + 1;

		if (rng_below(&rng, 2) == 0)
			offset -= offset % PAGE;
		if (count > setup.disk - offset)
			count = (uint32_t)(setup.disk - offset);
		switch (rng_below(&rng, 12)) {
		default:
			data_fill_any(&rng, buf, count);
			must_write(store, buf, count, offset);
			memcpy(shadow + offset, buf, count);
			break;
		case 0:
			must_zero(store, count, offset);
			memset(shadow + offset, 0, count);
			break;
		case 1 ... 4:
			must_read(store, shadow + offset, count, offset);
			break;
		case 5:
			(void)store_writeback_work(store);
			break;
		case 6:
			(void)store_work(store);
			break;
		}
		if (i % 4000 == 3999) {
			must_be_sound(store);
			must_read(store, shadow, (uint32_t)setup.disk, 0);
		}
	}
	must_read(store, shadow, (uint32_t)setup.disk, 0);
	stats = stats_of(store);
	assert_int_equal(stats.failed_writes + stats.failed_reads, 0);
	assert_true(stats.bd_writes > 0 && stats.bd_reads > 0);
	end_test();
	free(shadow);
	free(buf);
}

static void test_overwriting_for_long_is_cleaned_up_behind(void **state)
{
	/* What is stored fills the backing store to four fifths: room comes from cleaning alone. */
	const struct setup setup = { .disk = 16 * MIB, .memlimit = 2 * MIB, .backing = 10 * MIB };
	static uint32_t versions[4096];
	uint64_t pages = setup.disk / PAGE;
	struct ramzswap_stats stats;

	begin_test(&setup);
	for (uint64_t i = 0; i < pages; i++)
		put(i, versions[i] = 1);
	for (unsigned int i = 0; i < 30000 * test_scale() / 100; i++) {
		uint64_t page = rng_below(&rng, pages);

		put(page, ++versions[page]);
		if (i % 64 == 0)
			(void)store_writeback_work(store);
	}
	for (uint64_t i = 0; i < pages; i++)
		must_have(i, versions[i]);
	stats = stats_of(store);
	assert_int_equal(stats.failed_writes, 0);
	assert_true(stats.bd_cleaned > 0);
	memset(versions, 0, sizeof(versions));
	end_test();
}

static void test_without_room_anywhere_writes_fail_and_nothing_is_lost(void **state)
{
	const struct setup setup = { .disk = 64 * MIB, .memlimit = 3 * MIB, .backing = 4 * MIB };
	unsigned char page[PAGE];
	uint64_t written = 0;
	struct ramzswap_stats stats;
	int err = 0;

	begin_test(&setup);
	for (; !err; written++) {
		make_page(page, written * 3, 1);
		err = store_write(store, page, PAGE, written * 3 * PAGE);
	}
	written--;
	assert_int_equal(err, -ENOSPC);
	/* Both places are full: pages that do not compress, but for what cleaning needs. */
	assert_true(written * PAGE > 5 * MIB);
	for (uint64_t i = 0; i < written; i++)
		must_have(i * 3, 1);
	/* Freed pages make room again. */
	must_zero(store, 2 * MIB, 0);
	usleep(1100000);
	for (uint64_t i = 0; i < 64; i++)
		put(i * 3, 2);
	stats = stats_of(store);
	assert_int_equal(stats.failed_writes, 1);
	end_test();
}

static void test_pages_that_do_not_compress_leave_first(void **state)
{
	const struct setup setup = { .disk = 16 * MIB, .memlimit = 6 * MIB, .backing = 32 * MIB };
	struct ramzswap_stats stats;
	uint64_t i = 0;

	begin_test(&setup);
	/* Up to the high watermark and over it, the raw ones no older than the others. */
	for (; stats_of(store).mem_used_total < setup.memlimit * 15 / 16; i++)
		put(i, 1);
	drain();
	stats = stats_of(store);
	assert_true(stats.bd_count > 0);
	assert_int_equal(stats.bd_failed_writes, 0);
	/* All that left are raw: pages_expand counts both places. */
	assert_true(stats.bd_bytes >= stats.bd_count * PAGE);
	/* And it ended at the low watermark rather than when all raw pages were gone. */
	assert_true(stats.bd_count < stats.pages_expand);
	end_test();
}

static void age_by(unsigned int ms)
{
	for (unsigned int i = 0; i < ms; i += 20) {
		usleep(20000);
		(void)store_work(store);
	}
}

static void test_the_coldest_pages_leave(void **state)
{
	/* Recompression after a second makes ticks short. */
	const struct setup setup = {
		.disk = 64 * MIB,
		.memlimit = 5 * MIB,
		.backing = 64 * MIB,
		.recompress_seconds = 1,
	};
	unsigned char page[PAGE];
	struct ramzswap_stats before, after;

	begin_test(&setup);
	/* Old pages, among them some that are touched later; then many young ones. */
	for (uint64_t i = 0; i < 1000; i++)
		put(i * 3 + 1, 1);
	age_by(700);
	for (uint64_t i = 0; i < 1000; i += 10)
		must_have(i * 3 + 1, 1);
	for (uint64_t i = 1000; stats_of(store).bd_count == 0; i++) {
		put(i * 3 + 1, 1);
		if (i % 16 == 0)
			(void)store_writeback_work(store);
	}
	before = stats_of(store);
	assert_true(before.bd_count < 900);
	/* What was touched is in memory... */
	for (uint64_t i = 0; i < 1000; i += 10) {
		make_page(page, i * 3 + 1, 1);
		must_read(store, page, PAGE, (i * 3 + 1) * PAGE);
	}
	after = stats_of(store);
	assert_int_equal(after.bd_reads, before.bd_reads);
	/* ...and what left was old. */
	for (uint64_t i = 0; i < 1000; i++)
		must_have(i * 3 + 1, 1);
	after = stats_of(store);
	assert_int_equal(after.bd_reads - before.bd_reads, before.bd_count);
	end_test();
}

static void test_commands_choose_what_leaves(void **state)
{
	const struct setup setup = {
		.disk = 16 * MIB,
		.backing = 32 * MIB,
		.recompress_seconds = 1,
	};
	uint64_t bytes = 0;

	begin_test(&setup);
	for (uint64_t i = 0; i < 300; i++)
		put(i, 1);
	assert_int_equal(store_writeback(store, WRITEBACK_HUGE, 0, &bytes, NULL), 0);
	assert_int_equal(bytes, 100 * PAGE);
	assert_int_equal(stats_of(store).bd_count, 100);
	assert_int_equal(stats_of(store).huge_pages, 100);
	age_by(1300);
	for (uint64_t i = 1; i < 300; i += 6)
		must_have(i, 1);
	assert_int_equal(store_writeback(store, WRITEBACK_IDLE, 1, &bytes, NULL), 0);
	assert_int_equal(stats_of(store).bd_count, 250);
	assert_true(write_all_back() > 0);
	assert_int_equal(stats_of(store).bd_count, 300);
	assert_int_equal(write_all_back(), 0);
	assert_int_equal(store_writeback(store, WRITEBACK_POLICY, 0, &bytes, NULL), 0);
	for (uint64_t i = 0; i < 300; i++)
		must_have(i, 1);
	end_test();
}

/* Lets ticks pass, and the wait between two looks for idle pages. */
static void pass_ticks(unsigned int ticks)
{
	atomic_fetch_add(&store->age, ticks);
	store->writeback.raw_sweep_ms = 0;
	(void)store_writeback_work(store);
}

static void test_idle_pages_that_do_not_compress_leave_without_need(void **state)
{
	const struct setup setup = { .disk = 16 * MIB, .backing = 32 * MIB };

	begin_test(&setup);
	for (uint64_t i = 0; i < 100; i++)
		put(i * 3, 1);
	for (uint64_t i = 0; i < 100; i++)
		put(i * 3 + 1, 1);
	pass_ticks(2);
	assert_int_equal(stats_of(store).bd_count, 0);
	pass_ticks(20);
	drain();
	/* In full segments of fifteen each: the rest waits. */
	assert_int_equal(stats_of(store).bd_count, 90);
	for (uint64_t i = 0; i < 100; i++)
		must_have(i * 3, 1);
	end_test();
}

static void test_of_two_copies_in_a_segment_the_last_counts(void **state)
{
	const struct setup setup = { .disk = 16 * MIB, .backing = 32 * MIB };

	begin_test(&setup);
	for (uint64_t i = 0; i < 10; i++)
		put(i * 3, 1);
	atomic_fetch_add(&store->age, 20);
	for (uint64_t i = 10; i < 30; i++)
		put(i * 3, 1);
	/* Ten pages are old enough and wait in the open segment; some change meanwhile. */
	pass_ticks(0);
	assert_int_equal(backing_records(backing), 10);
	for (uint64_t i = 0; i < 5; i++)
		put(i * 3, 2);
	must_zero(store, PAGE, 6 * 3 * PAGE);
	put(7 * 3 + 1, 1);
	pass_ticks(20);
	assert_true(stats_of(store).bd_count > 0);
	for (uint64_t i = 0; i < 30; i++) {
		if (i == 6)
			must_read_zeroes(store, PAGE, i * 3 * PAGE);
		else
			must_have(i * 3, i < 5 ? 2 : 1);
	}
	(void)write_all_back();
	for (uint64_t i = 0; i < 5; i++)
		must_have(i * 3, 2);
	end_test();
}

static void test_a_page_that_is_read_often_comes_back(void **state)
{
	const struct setup setup = { .disk = 16 * MIB, .backing = 32 * MIB };
	struct ramzswap_stats stats;

	begin_test(&setup);
	for (uint64_t i = 0; i < 30; i++)
		put(i, 1);
	(void)write_all_back();
	(void)store_writeback_work(store);
	must_have(7, 1);
	assert_int_equal(stats_of(store).bd_count, 30);
	must_have(7, 1);
	stats = stats_of(store);
	assert_int_equal(stats.bd_count, 29);
	assert_int_equal(stats.bd_promoted, 1);
	assert_int_equal(stats.bd_reads, 2);
	must_have(7, 1);
	assert_int_equal(stats_of(store).bd_reads, 2);
	end_test();
}

static void test_neighbours_are_read_at_once(void **state)
{
	const struct setup setup = { .disk = 16 * MIB, .backing = 32 * MIB };
	unsigned char wanted[32 * PAGE], page[PAGE];
	unsigned int before;

	begin_test(&setup);
	for (uint64_t i = 0; i < 32; i++) {
		make_page(wanted + i * PAGE, i * 3 + 1, 1);
		must_write(store, wanted + i * PAGE, PAGE, i * PAGE);
	}
	for (uint64_t i = 100; i < 200; i++)
		put(i, 1);
	(void)write_all_back();
	before = fake->reads;
	must_read(store, wanted, 8 * PAGE, 0);
	assert_int_equal(fake->reads - before, 1);
	must_read(store, wanted + 8 * PAGE, 24 * PAGE, 8 * PAGE);
	assert_uint_in_range(fake->reads - before, 2, 3);
	assert_int_equal(stats_of(store).bd_reads, 32);
	/* Some of them in memory, and one, far from all that was read, that cannot be read. */
	make_page(page, 1000, 1);
	must_write(store, page, PAGE, 3 * PAGE);
	memcpy(wanted + 3 * PAGE, page, PAGE);
	must_read(store, wanted, 8 * PAGE, 0);
	fake->read_error = EIO;
	assert_int_equal(store_read(store, page, PAGE, 190 * PAGE), -EIO);
	must_read(store, wanted + 3 * PAGE, PAGE, 3 * PAGE);
	fake->read_error = 0;
	must_read(store, wanted, 32 * PAGE, 0);
	end_test();
}

static void test_a_part_of_a_page_behind_the_pool_is_written(void **state)
{
	const struct setup setup = { .disk = 16 * MIB, .backing = 32 * MIB };
	unsigned char page[PAGE];

	begin_test(&setup);
	for (uint64_t i = 0; i < 30; i++)
		put(i, 1);
	(void)write_all_back();
	for (uint64_t i = 0; i < 30; i++) {
		make_page(page, i, 1);
		memset(page + 100, 0xee, 200);
		must_write(store, page + 100, 200, i * PAGE + 100);
		must_read(store, page, PAGE, i * PAGE);
		memset(page + 1000, 0, 50);
		must_zero(store, 50, i * PAGE + 1000);
		must_read(store, page, PAGE, i * PAGE);
	}
	assert_int_equal(stats_of(store).bd_count, 0);
	end_test();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_disk_larger_than_memory_takes_all_its_pages),
		cmocka_unit_test(test_random_requests_agree_with_a_shadow),
		cmocka_unit_test(test_overwriting_for_long_is_cleaned_up_behind),
		cmocka_unit_test(test_without_room_anywhere_writes_fail_and_nothing_is_lost),
		cmocka_unit_test(test_pages_that_do_not_compress_leave_first),
		cmocka_unit_test(test_the_coldest_pages_leave),
		cmocka_unit_test(test_commands_choose_what_leaves),
		cmocka_unit_test(test_idle_pages_that_do_not_compress_leave_without_need),
		cmocka_unit_test(test_of_two_copies_in_a_segment_the_last_counts),
		cmocka_unit_test(test_a_page_that_is_read_often_comes_back),
		cmocka_unit_test(test_neighbours_are_read_at_once),
		cmocka_unit_test(test_a_part_of_a_page_behind_the_pool_is_written),
	};

	return cmocka_run_group_tests_name("store backing", tests, NULL, NULL);
}
