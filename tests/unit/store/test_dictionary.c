/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dictionaries of a store: made, used, replaced, damaged, given up. */
#include <unistd.h>

#include "alike.h"

#define PAGES 1100u

static struct store *filled(void)
{
	struct store *disk = alike_store(PAGES, STORE_NO_LIMIT, NULL);

	if (!disk) {
		print_message("built without zstd\n");
		skip();
	}
	alike_fill(disk, 0, PAGES, 1);
	return disk;
}

static void what_idle_pages_have_in_common_is_kept_once(void **state)
{
	struct store *disk = filled();
	struct ramzswap_stats without, with;

	recompress_now(disk);
	without = stats_of(disk);
	assert_int_equal(without.pages_dictionary, 0);
	assert_int_equal(without.dictionary_bytes, 0);
	assert_int_equal(train_now(disk), 0);
	assert_in_range(stats_of(disk).dictionary_bytes, 8 << 10, 2 << 20);
	recompress_now(disk);
	with = stats_of(disk);
	assert_int_equal(with.dictionaries_made, 1);
	assert_in_range(with.pages_dictionary, PAGES * 9 / 10, PAGES);
	assert_true(with.compr_data_size < without.compr_data_size * 2 / 3);
	assert_true(with.dictionary_won > 0);
	alike_must_hold(disk, 0, PAGES, 1);
	store_done(disk);
}

static void pages_with_nothing_in_common_make_none(void **state)
{
	struct store *disk = filled();
	unsigned char page[PAGE] = { 0 };
	struct rng own = { .state = 1 };
	uint64_t used;

	for (uint64_t i = 0; i < PAGES; i++) {
		data_fill(&own, DATA_RANDOM, page, PAGE / 2);
		must_write(disk, page, PAGE, i * PAGE);
	}
	used = stats_of(disk).mem_used_total;
	assert_true(train_now(disk) < 0);
	assert_int_equal(stats_of(disk).dictionary_bytes, 0);
	assert_int_equal(stats_of(disk).dictionaries_made, 0);
	assert_int_equal(stats_of(disk).mem_used_total, used);
	/* Nor is it tried again at once. */
	assert_true(disk->dictionary.retry_ms > 0);
	store_done(disk);
}

static void an_old_one_goes_when_no_page_needs_it(void **state)
{
	struct store *disk = filled();
	uint64_t one;

	assert_int_equal(train_now(disk), 0);
	recompress_now(disk);
	one = stats_of(disk).dictionary_bytes;
	alike_fill(disk, 0, PAGES - 100, 2);
	assert_int_equal(train_now(disk), 0);
	/* Two at most. */
	assert_true(stats_of(disk).pages_dictionary > 0);
	assert_int_equal(train_now(disk), -EAGAIN);
	alike_must_hold(disk, 0, PAGES - 100, 2);
	alike_must_hold(disk, PAGES - 100, PAGES, 1);
	recompress_now(disk);
	assert_true(stats_of(disk).pages_dictionary >= (PAGES - 100) * 9 / 10);
	assert_in_range(stats_of(disk).dictionary_bytes, one / 2, one + one / 2);
	alike_must_hold(disk, 0, PAGES - 100, 2);
	alike_must_hold(disk, PAGES - 100, PAGES, 1);
	/* And so a third can be made. */
	alike_fill(disk, 0, PAGES, 3);
	assert_int_equal(train_now(disk), 0);
	recompress_now(disk);
	alike_must_hold(disk, 0, PAGES, 3);
	assert_int_equal(stats_of(disk).dictionaries_made, 3);
	store_done(disk);
}

static void it_is_wiped_when_all_pages_are_gone(void **state)
{
	struct store *disk = filled();

	assert_int_equal(train_now(disk), 0);
	recompress_now(disk);
	store_reset(disk);
	assert_int_equal(stats_of(disk).pages_dictionary, 0);
	assert_int_equal(stats_of(disk).dictionary_bytes, 0);
	assert_int_equal(stats_of(disk).dictionary_seconds, 0);
	alike_fill(disk, 0, PAGES, 1);
	assert_int_equal(train_now(disk), 0);
	recompress_now(disk);
	must_zero(disk, PAGES * PAGE, 0);
	recompress_now(disk);
	assert_int_equal(stats_of(disk).dictionary_bytes, 0);
	store_done(disk);
}

static void assert_wiped(const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		assert_int_equal(bytes[i], 0);
}

static void no_copy_of_a_page_stays_where_it_was_encoded(void **state)
{
	struct store *disk = filled();
	struct recompression *re = &disk->recompress;

	disk->wipe = true;
	assert_int_equal(train_now(disk), 0);
	recompress_now(disk);
	assert_int_not_equal(stats_of(disk).pages_dictionary, 0);
	assert_wiped(re->page, sizeof(re->page));
	assert_wiped(re->payload, sizeof(re->payload));
	assert_wiped(re->plain, sizeof(re->plain));
	assert_wiped(re->back, sizeof(re->back));
	store_done(disk);
}

/* The page is right or it is an error. */
static unsigned int refused(struct store *disk, uint64_t number)
{
	unsigned char page[PAGE], expected[PAGE];
	int err = store_read(disk, page, PAGE, number * PAGE);

	assert_true(err == 0 || err == -EIO);
	alike_page(expected, number, 1, 1);
	if (!err)
		assert_memory_equal(page, expected, PAGE);
	return err != 0;
}

static void a_flipped_bit_gives_an_error_and_never_another_page(void **state)
{
	struct store *disk = filled();
	struct generation *generation;
	unsigned int errors = 0;

	assert_int_equal(train_now(disk), 0);
	recompress_now(disk);
	generation = &disk->dictionary.generation[disk->dictionary.current];
	for (size_t bit = 0; bit < generation->size * 8; bit += 71) {
		generation->memory[bit / 8] ^= (unsigned char)(1u << bit % 8);
		for (uint64_t i = 0; i < 4; i++)
			errors += refused(disk, (bit + i * 61) % PAGES);
		/* Pages that are read often come away from it. */
		atomic_fetch_add(&disk->age, 20);
		generation->memory[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
	assert_true(errors > 0);
	alike_must_hold(disk, 0, PAGES, 1);
	store_done(disk);
}

static void a_damaged_one_is_not_used_any_more(void **state)
{
	struct store *disk = filled();
	unsigned int errors = 0;

	assert_int_equal(train_now(disk), 0);
	recompress_now(disk);
	disk->dictionary.generation[disk->dictionary.current].memory[9000] ^= 1;
	disk->dictionary.verify_ms = 0;
	alike_fill(disk, 0, 10, 1);
	recompress_now(disk);
	assert_int_equal(stats_of(disk).dictionaries_damaged, 1);
	assert_int_equal(stats_of(disk).dictionary_seconds, 0);
	/* Pages that can be read have come away from it; what cannot says so. */
	recompress_now(disk);
	for (uint64_t i = 0; i < PAGES; i++)
		errors += refused(disk, i);
	assert_int_equal(stats_of(disk).pages_dictionary, errors);
	alike_fill(disk, 0, PAGES, 1);
	recompress_now(disk);
	assert_int_equal(stats_of(disk).dictionary_bytes, 0);
	store_done(disk);
}

static void pages_behind_the_pool_keep_theirs(void **state)
{
	const struct setup setup = { .disk = PAGES * PAGE, .backing = 32 * MIB };

	begin_test(&setup);
	store_destroy(store);
	store = alike_store(PAGES, STORE_NO_LIMIT, backing);
	if (!store) {
		print_message("built without zstd\n");
		store = store_of(PAGE, STORE_NO_LIMIT);
		end_test();
		skip();
	}
	alike_fill(store, 0, PAGES, 1);
	assert_int_equal(train_now(store), 0);
	recompress_now(store);
	(void)write_all_back();
	assert_int_equal(stats_of(store).bd_count, PAGES);
	assert_true(stats_of(store).pages_dictionary > PAGES * 9 / 10);
	must_be_sound(store);
	alike_fill(store, 50, PAGES, 2);
	assert_int_equal(train_now(store), 0);
	recompress_now(store);
	/* The fifty that were not rewritten need the first one, and hold it. */
	alike_must_hold(store, 0, 50, 1);
	alike_must_hold(store, 50, PAGES, 2);
	assert_int_equal(train_now(store), -EAGAIN);
	/* Those come back to memory as they are read, and away from it. */
	drain();
	alike_must_hold(store, 0, 50, 1);
	alike_must_hold(store, 0, 50, 1);
	recompress_now(store);
	assert_int_equal(train_now(store), 0);
	alike_must_hold(store, 0, 50, 1);
	alike_must_hold(store, 50, PAGES, 2);
	end_test();
}

static void without_memory_for_it_there_is_none(void **state)
{
	struct store *disk = alike_store(PAGES, 6 * MIB, NULL);
	unsigned char page[PAGE];
	uint64_t used;

	if (!disk) {
		print_message("built without zstd\n");
		skip();
	}
	for (uint64_t i = 0; i < PAGES; i++) {
		memset(page, 0, PAGE);
		alike_page(page, i, 1, 1);
		memset(page + PAGE / 4, 0, PAGE * 3 / 4);
		must_write(disk, page, PAGE, i * PAGE);
	}
	used = stats_of(disk).mem_used_total;
	assert_int_equal(train_now(disk), -ENOSPC);
	assert_int_equal(stats_of(disk).mem_used_total, used);
	assert_false(disk->dictionary.wanted);
	store_done(disk);
}

static void with_little_memory_for_it_there_is_a_smaller_one(void **state)
{
	const uint64_t pages = 8000;
	struct store *disk = alike_store(pages, STORE_NO_LIMIT, NULL);
	const struct codec_dictionary *codec;
	struct dictionaries *all;
	size_t suits;

	if (!disk) {
		print_message("built without zstd\n");
		skip();
	}
	codec = disk->idle_codec->dictionary;
	all = &disk->dictionary;
	all->size_max = 448 << 10;
	alike_fill(disk, 0, pages, 1);
	suits = dictionary_suits(disk);
	assert_in_range(suits, 113 << 10, 224 << 10);
	/* To make half of it, with a thousand pages; all of it takes half a megabyte more. */
	assert_true(codec->train_size(suits) - codec->train_size(suits / 2) > 400000);
	assert_int_equal(store_set_memlimit(disk, stats_of(disk).mem_used_total +
							  codec->train_size(suits / 2) +
							  1040 * PAGE + suits / 2 + 200000),
			 0);
	assert_int_equal(train_now(disk), 0);
	assert_in_range(all->generation[all->current].size, suits / 4, suits / 2 + 64);
	/* It is not tried again and again for what is as much as it was. */
	pthread_mutex_lock(&disk->recompress.lock);
	all->generation[all->current].born_ms -= 11 * 60 * 1000;
	all->won_lately = all->won_first;
	dictionary_tend(disk, true);
	assert_false(all->wanted);
	pthread_mutex_unlock(&disk->recompress.lock);
	store_done(disk);
}

static void it_is_made_anew_when_it_wins_less(void **state)
{
	struct store *disk = filled();
	struct dictionaries *all = &disk->dictionary;

	assert_int_equal(train_now(disk), 0);
	recompress_now(disk);
	assert_true(all->won_first > 0.3);
	pthread_mutex_lock(&disk->recompress.lock);
	all->won_lately = all->won_first * 0.4;
	dictionary_tend(disk, true);
	/* Not sooner than after a while. */
	assert_false(all->wanted);
	all->generation[all->current].born_ms -= 11 * 60 * 1000;
	dictionary_tend(disk, true);
	assert_true(all->wanted);
	dictionary_tend(disk, false);
	assert_false(all->wanted);
	all->won_lately = all->won_first * 0.9;
	dictionary_tend(disk, true);
	assert_false(all->wanted);
	pthread_mutex_unlock(&disk->recompress.lock);
	store_done(disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_idle_pages_have_in_common_is_kept_once),
		cmocka_unit_test(pages_with_nothing_in_common_make_none),
		cmocka_unit_test(an_old_one_goes_when_no_page_needs_it),
		cmocka_unit_test(it_is_wiped_when_all_pages_are_gone),
		cmocka_unit_test(no_copy_of_a_page_stays_where_it_was_encoded),
		cmocka_unit_test(a_flipped_bit_gives_an_error_and_never_another_page),
		cmocka_unit_test(a_damaged_one_is_not_used_any_more),
		cmocka_unit_test(pages_behind_the_pool_keep_theirs),
		cmocka_unit_test(without_memory_for_it_there_is_none),
		cmocka_unit_test(with_little_memory_for_it_there_is_a_smaller_one),
		cmocka_unit_test(it_is_made_anew_when_it_wins_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
