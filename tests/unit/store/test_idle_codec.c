/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two codecs in one disk: one for what is written, one for what has been idle. */
#include "store_backing_helper.h"

#define PAGES 512u

static const struct codec *zstd;

static int find_zstd(void **state)
{
	zstd = codec_find("zstd");
	return 0;
}

static struct store *two_codecs(uint64_t size, struct backing *behind)
{
	struct store_config config = {
		.size = size,
		.memlimit = STORE_NO_LIMIT,
		.idle_codec = zstd,
		.backing = behind,
	};
	struct store *made = NULL;

	if (!zstd) {
		print_message("built without zstd\n");
		skip();
	}
	assert_int_equal(store_create(&made, &config), 0);
	return made;
}

static unsigned char *new_data(enum data_kind kind)
{
	unsigned char *data = malloc(PAGES * PAGE);
	struct rng own = { 1 };

	assert_non_null(data);
	for (size_t i = 0; i < PAGES; i++)
		data_fill(&own, kind, data + i * PAGE, PAGE);
	return data;
}

/* Numbers that go up in steps of several sizes, as an index has them. */
static unsigned char *new_numbers(void)
{
	unsigned char *data = malloc(PAGES * PAGE);
	struct rng own = { 1 };
	uint32_t number = 1;

	assert_non_null(data);
	for (size_t at = 0; at < PAGES * PAGE; at += sizeof(number)) {
		number += 1 + (uint32_t)rng_below(&own, 6);
		memcpy(data + at, &number, sizeof(number));
	}
	return data;
}

static void recompress(struct store *disk)
{
	uint64_t won;

	assert_int_equal(store_recompress(disk, &won, NULL), 0);
}

static void what_is_written_and_what_is_idle_differ(void **state)
{
	struct store *disk = two_codecs(PAGES * PAGE, NULL);
	unsigned char *data = new_data(DATA_TEXT);
	uint64_t written;

	must_write(disk, data, PAGES * PAGE, 0);
	assert_int_equal(stats_of(disk).pages_idle_codec, 0);
	written = stats_of(disk).compr_data_size;
	recompress(disk);
	assert_int_equal(stats_of(disk).pages_idle_codec, PAGES);
	assert_true(stats_of(disk).compr_data_size < written * 9 / 10);
	must_read(disk, data, PAGES * PAGE, 0);
	must_write(disk, data, 10 * PAGE, 0);
	assert_int_equal(stats_of(disk).pages_idle_codec, PAGES - 10);
	must_zero(disk, 10 * PAGE, 20 * PAGE);
	assert_int_equal(stats_of(disk).pages_idle_codec, PAGES - 20);
	/* A write that begins inside of a page has to read it first. */
	must_write(disk, data, 100, 40 * PAGE + 50);
	memcpy(data + 40 * PAGE + 50, data, 100);
	must_read(disk, data + 40 * PAGE, PAGE, 40 * PAGE);
	assert_int_equal(stats_of(disk).pages_idle_codec, PAGES - 21);
	free(data);
	store_done(disk);
}

static void a_page_read_often_is_made_for_speed_again(void **state)
{
	struct store *disk = two_codecs(PAGES * PAGE, NULL);
	unsigned char *data = new_data(DATA_TEXT);

	must_write(disk, data, PAGES * PAGE, 0);
	recompress(disk);
	/* Room inside of spans: nothing is taken from the system for this. */
	must_zero(disk, 112 * PAGE, 400 * PAGE);
	must_read(disk, data, 8 * PAGE, 0);
	assert_int_equal(stats_of(disk).pages_returned, 0);
	must_read(disk, data, 4 * PAGE, 0);
	assert_int_equal(stats_of(disk).pages_returned, 4);
	assert_int_equal(stats_of(disk).pages_idle_codec, 400 - 4);
	/* As any other page it is not looked at again... */
	must_read(disk, data, 8 * PAGE, 0);
	must_read(disk, data, 8 * PAGE, 0);
	assert_int_equal(stats_of(disk).pages_returned, 8);
	/* ...until it has been idle. */
	recompress(disk);
	assert_int_equal(stats_of(disk).pages_idle_codec, 400);
	must_read(disk, data, 400 * PAGE, 0);
	assert_int_equal(stats_of(disk).pages_returned, 8);
	free(data);
	store_done(disk);
}

static void a_page_read_now_and_then_stays(void **state)
{
	struct store *disk = two_codecs(PAGES * PAGE, NULL);
	unsigned char *data = new_data(DATA_TEXT);

	must_write(disk, data, PAGES * PAGE, 0);
	recompress(disk);
	must_zero(disk, 112 * PAGE, 400 * PAGE);
	for (unsigned int i = 0; i < 5; i++) {
		must_read(disk, data, 8 * PAGE, 0);
		atomic_fetch_add(&disk->age, 20);
	}
	assert_int_equal(stats_of(disk).pages_returned, 0);
	free(data);
	store_done(disk);
}

static void ascending_numbers_are_raw_until_they_are_idle(void **state)
{
	struct store *disk = two_codecs(PAGES * PAGE, NULL);
	unsigned char *data = new_numbers();

	must_write(disk, data, PAGES * PAGE, 0);
	assert_true(stats_of(disk).pages_expand > PAGES * 9 / 10);
	recompress(disk);
	assert_int_equal(stats_of(disk).pages_expand, 0);
	assert_true(stats_of(disk).compr_data_size < PAGES * PAGE * 3 / 4);
	must_read(disk, data, PAGES * PAGE, 0);
	free(data);
	store_done(disk);
}

static void ascending_numbers_that_are_read_often_are_raw_again(void **state)
{
	struct store *disk = two_codecs(PAGES * PAGE, NULL);
	unsigned char *data = new_numbers();

	must_write(disk, data, PAGES * PAGE, 0);
	recompress(disk);
	assert_int_equal(stats_of(disk).pages_expand, 0);
	must_zero(disk, 112 * PAGE, 400 * PAGE);
	for (unsigned int i = 0; i < 3; i++)
		must_read(disk, data, 8 * PAGE, 0);
	assert_int_equal(stats_of(disk).pages_returned, 8);
	assert_in_range(stats_of(disk).pages_expand, 1, 8);
	assert_int_equal(stats_of(disk).pages_idle_codec, 400 - 8);
	must_read(disk, data, 400 * PAGE, 0);
	free(data);
	store_done(disk);
}

static void a_page_read_often_stays_where_there_is_no_encoder_or_room(void **state)
{
	struct store *disk = two_codecs(PAGES * PAGE, NULL);
	unsigned char *data = new_numbers();
	struct encoder *encoders;

	must_write(disk, data, PAGES * PAGE, 0);
	recompress(disk);
	(void)store_compact(disk, NULL);
	encoders = disk->encoders.top;
	disk->encoders.top = NULL;
	for (unsigned int i = 0; i < 3; i++)
		must_read(disk, data, 8 * PAGE, 0);
	disk->encoders.top = encoders;
	assert_int_equal(stats_of(disk).pages_returned, 0);
	/* What compaction has left is room for some at most, and none is taken for them. */
	for (unsigned int i = 0; i < 3; i++)
		must_read(disk, data, PAGES * PAGE, 0);
	assert_in_range(stats_of(disk).pages_returned, 0, PAGES / 4);
	assert_true(stats_of(disk).pages_idle_codec > PAGES / 2);
	free(data);
	store_done(disk);
}

static void pages_leave_and_return_in_either_codec(void **state)
{
	const struct setup setup = { .disk = PAGES * PAGE, .backing = 16 * MIB };

	begin_test(&setup);
	store_destroy(store);
	store = two_codecs(PAGES * PAGE, backing);
	for (uint64_t i = 0; i < PAGES; i++)
		put(i, 1);
	recompress(store);
	/* Every third does not compress. */
	assert_uint_in_range(stats_of(store).pages_idle_codec, PAGES / 2, PAGES);
	for (uint64_t i = 0; i < PAGES; i += 5)
		put(i, 2);
	(void)write_all_back();
	assert_int_equal(stats_of(store).bd_count, PAGES);
	must_be_sound(store);
	for (uint64_t i = 0; i < PAGES; i++)
		must_have(i, i % 5 == 0 ? 2 : 1);
	/* Read twice: back in memory, and soon for speed. */
	for (unsigned int round = 0; round < 3; round++)
		for (uint64_t i = 0; i < PAGES; i++)
			must_have(i, i % 5 == 0 ? 2 : 1);
	must_be_sound(store);
	/* Most of a segment dies, and cleaning copies the rest of it. */
	for (uint64_t i = 0; i < PAGES; i++)
		if (i % 8 != 0)
			put(i, 3);
	(void)write_all_back();
	drain();
	for (uint64_t i = 0; i < PAGES; i++)
		must_have(i, i % 8 != 0 ? 3 : i % 5 == 0 ? 2 : 1);
	end_test();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_and_what_is_idle_differ),
		cmocka_unit_test(a_page_read_often_is_made_for_speed_again),
		cmocka_unit_test(a_page_read_now_and_then_stays),
		cmocka_unit_test(ascending_numbers_are_raw_until_they_are_idle),
		cmocka_unit_test(ascending_numbers_that_are_read_often_are_raw_again),
		cmocka_unit_test(a_page_read_often_stays_where_there_is_no_encoder_or_room),
		cmocka_unit_test(pages_leave_and_return_in_either_codec),
	};

	return cmocka_run_group_tests(tests, find_zstd, NULL);
}
