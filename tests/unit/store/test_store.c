/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page store gives back what was put in, for every kind of page and every range. */
#include "store_helper.h"

static void never_written_pages_read_as_zeroes(void **state)
{
	struct store *store = store_of(64 * PAGE, STORE_NO_LIMIT);

	must_read_zeroes(store, 64 * PAGE, 0);
	must_read_zeroes(store, 5000, 12345);
	assert_int_equal(stats_of(store).pages_stored, 0);
	assert_int_equal(stats_of(store).same_pages, 0);
	store_done(store);
}

static void fill_word(void *page, uint64_t word)
{
	for (size_t i = 0; i < PAGE; i += sizeof(word))
		memcpy((char *)page + i, &word, sizeof(word));
}

static void same_filled_pages_of_any_word_come_back(void **state)
{
	static const uint64_t special[] = {
		1,
		0xff,
		UINT64_MAX,
		UINT64_C(1) << 63,
		UINT64_C(0x8000000000000001),
		UINT64_C(0x0101010101010101),
		UINT64_C(0xdeadbeef00000000),
		UINT32_MAX,
		UINT64_C(0xffffffff00000000),
		UINT64_C(0x00000000fffffffe),
		INT64_MAX,
		2,
		3,
		4,
		7,
		8,
		UINT64_C(1) << 32,
		UINT64_C(1) << 62,
		UINT64_C(1) << 60,
		UINT64_C(1) << 48,
	};
	const size_t pages = 400;
	struct store *store = store_of(pages * PAGE, STORE_NO_LIMIT);
	struct rng rng = { 1 };
	unsigned char page[PAGE];
	uint64_t words[400];

	for (size_t i = 0; i < pages; i++) {
		/* Every single bit and its complement among them, then any. */
		words[i] = i < 64    ? UINT64_C(1) << i
			   : i < 128 ? ~(UINT64_C(1) << (i - 64))
				     : rng_next(&rng);
		if (i >= 128 && i - 128 < sizeof(special) / sizeof(special[0]))
			words[i] = special[i - 128];
		fill_word(page, words[i]);
		must_write(store, page, PAGE, i * PAGE);
	}
	for (size_t i = 0; i < pages; i++) {
		fill_word(page, words[i]);
		must_read(store, page, PAGE, i * PAGE);
		must_read(store, page + 3, 777, i * PAGE + 3);
	}
	assert_int_equal(stats_of(store).same_pages, pages);
	assert_int_equal(stats_of(store).pages_zero, 0);
	store_done(store);
}

/* Memory that storing pages of these words takes once the first of them is stored. */
static uint64_t memory_of_words(uint64_t pages, bool any_word)
{
	struct store *store = store_of(pages * PAGE, STORE_NO_LIMIT);
	struct rng rng = { 1 };
	unsigned char page[PAGE];
	uint64_t memory = 0;

	for (uint64_t i = 0; i < pages; i++) {
		fill_word(page, any_word ? rng_next(&rng) : 1 + rng_below(&rng, 1 << 30));
		must_write(store, page, PAGE, i * PAGE);
		if (i == 0)
			memory = stats_of(store).mem_used_total;
	}
	memory = stats_of(store).mem_used_total - memory;
	assert_int_equal(stats_of(store).same_pages, pages);
	assert_int_equal(stats_of(store).pages_stored, 0);
	assert_int_equal(stats_of(store).compr_data_size, 0);
	assert_int_equal(stats_of(store).orig_data_size, 0);
	must_zero(store, pages * PAGE, 0);
	assert_int_equal(stats_of(store).same_pages, 0);
	store_done(store);
	return memory;
}

static void same_filled_pages_cost_their_table_entry(void **state)
{
	const uint64_t pages = 20480;

	assert_true(memory_of_words(pages, false) <= 8 * pages + PAGE);
	/* A word has no more bits than an entry: one that needs them all costs an object. */
	assert_true(memory_of_words(pages, true) <= (8 + 8 + 4) * pages + 2 * 65536);
}

static void zero_pages_cost_no_payload_and_are_counted(void **state)
{
	struct store *store = store_of(16 * PAGE, STORE_NO_LIMIT);
	unsigned char zeroes[4 * PAGE] = { 0 };
	unsigned char random[4 * PAGE];
	struct rng rng = { 2 };

	data_fill(&rng, DATA_RANDOM, random, sizeof(random));
	must_write(store, random, sizeof(random), 4 * PAGE);
	must_write(store, zeroes, sizeof(zeroes), 4 * PAGE);
	must_read_zeroes(store, 16 * PAGE, 0);
	assert_int_equal(stats_of(store).pages_stored, 0);
	assert_int_equal(stats_of(store).compr_data_size, 0);
	assert_int_equal(stats_of(store).pages_zero, 4);
	assert_int_equal(stats_of(store).same_pages, 4);
	store_done(store);
}

static void pages_that_differ_from_same_filled_in_one_byte_keep_it(void **state)
{
	static const size_t positions[] = { 0, 1, 7, 8, 9, 2047, 2048, 4087, 4088, 4094, 4095 };
	const size_t count = sizeof(positions) / sizeof(positions[0]);
	struct store *store = store_of(2 * count * PAGE, STORE_NO_LIMIT);
	unsigned char page[PAGE];

	for (size_t i = 0; i < 2 * count; i++) {
		memset(page, i < count ? 0 : 0x5a, PAGE);
		page[positions[i % count]] ^= 0x10;
		must_write(store, page, PAGE, i * PAGE);
	}
	for (size_t i = 0; i < 2 * count; i++) {
		memset(page, i < count ? 0 : 0x5a, PAGE);
		page[positions[i % count]] ^= 0x10;
		must_read(store, page, PAGE, i * PAGE);
	}
	assert_int_equal(stats_of(store).pages_stored, 2 * count);
	assert_int_equal(stats_of(store).same_pages, 0);
	store_done(store);
}

static void incompressible_pages_are_stored_raw(void **state)
{
	struct store *store = store_of(64 * PAGE, STORE_NO_LIMIT);
	unsigned char data[64 * PAGE];
	struct rng rng = { 3 };
	struct ramzswap_stats stats;

	data_fill(&rng, DATA_RANDOM, data, sizeof(data));
	must_write(store, data, sizeof(data), 0);
	must_read(store, data, sizeof(data), 0);
	stats = stats_of(store);
	assert_int_equal(stats.pages_stored, 64);
	assert_int_equal(stats.pages_expand, 64);
	assert_int_equal(stats.huge_pages, 64);
	assert_int_equal(stats.good_compress_pages, 0);
	assert_int_equal(stats.orig_data_size, 64 * PAGE);
	assert_int_equal(stats.compr_data_size, 64 * PAGE);
	store_done(store);
}

static void compressible_pages_take_what_the_codec_makes_of_them(void **state)
{
	const struct codec *codec = codecs[0];
	void *workspace = NULL;
	unsigned char out[CODEC_BOUND_MAX];
	unsigned char page[PAGE];
	struct store *store = store_of(64 * PAGE, STORE_NO_LIMIT);
	struct rng rng = { 4 };
	uint64_t sum = 0;

	assert_int_equal(posix_memalign(&workspace, 64, codec->workspace_size[CODEC_FAST] + 64), 0);
	memset(workspace, 0, codec->workspace_size[CODEC_FAST] + 64);
	for (uint64_t i = 0; i < 64; i++) {
		int len;

		data_fill(&rng, DATA_TEXT, page, PAGE);
		len = codec->compress(CODEC_FAST, workspace, page, out);
		assert_uint_in_range(len, 1, PAGE / 2);
		sum += (uint64_t)len;
		must_write(store, page, PAGE, i * PAGE);
		must_read(store, page, PAGE, i * PAGE);
	}
	assert_int_equal(stats_of(store).pages_stored, 64);
	assert_int_equal(stats_of(store).good_compress_pages, 64);
	assert_int_equal(stats_of(store).pages_expand, 0);
	assert_int_equal(stats_of(store).orig_data_size, 64 * PAGE);
	assert_int_equal(stats_of(store).compr_data_size, sum);
	free(workspace);
	store_done(store);
}

static void what_is_written_is_counted_however_often(void **state)
{
	struct store *store = store_of(64 * PAGE, STORE_NO_LIMIT);
	unsigned char page[PAGE];
	struct rng rng = { 4 };
	uint64_t payload;

	for (int i = 0; i < 3; i++) {
		data_fill(&rng, DATA_TEXT, page, PAGE);
		must_write(store, page, PAGE, PAGE);
	}
	assert_int_equal(stats_of(store).pages_written, 3);
	payload = stats_of(store).payload_written;
	assert_uint_in_range(payload, stats_of(store).compr_data_size + 2, 3 * PAGE / 2);
	/* What repeats a word has no payload. */
	fill_word(page, 7);
	must_write(store, page, PAGE, 2 * PAGE);
	assert_int_equal(stats_of(store).pages_written, 3);
	data_fill(&rng, DATA_RANDOM, page, PAGE);
	must_write(store, page, PAGE, 0);
	assert_int_equal(stats_of(store).pages_written, 4);
	assert_int_equal(stats_of(store).payload_written, payload + PAGE);
	store_done(store);
}

static void requests_that_have_ended_are_counted_and_leave_none_under_way(void **state)
{
	struct store *store = store_of(8 * PAGE, STORE_NO_LIMIT);
	unsigned char page[PAGE] = { 1 };
	bool under_way = true;
	uint64_t before = store_count_ended(store, &under_way);

	assert_false(under_way);
	must_write(store, page, PAGE, 0);
	assert_int_equal(store_count_ended(store, &under_way), before + 1);
	assert_int_equal(store_read(store, page, PAGE, 0), 0);
	assert_int_equal(store_count_ended(store, &under_way), before + 2);
	assert_false(under_way);
	store_done(store);
}

static void pages_of_every_compressibility_come_back(void **state)
{
	const size_t step = 16, pages = PAGE / step + 1;
	struct store *store = store_of(pages * PAGE, STORE_NO_LIMIT);
	unsigned char *data = calloc(pages, PAGE);
	struct rng rng = { 5 };

	for (size_t i = 0; i < pages; i++) {
		data_fill(&rng, DATA_RANDOM, data + i * PAGE, i * step);
		must_write(store, data + i * PAGE, PAGE, i * PAGE);
	}
	must_read(store, data, (uint32_t)(pages * PAGE), 0);
	/* Storing a page raw is always possible: none may take more than that. */
	assert_true(stats_of(store).compr_data_size <= stats_of(store).pages_stored * PAGE);
	free(data);
	store_done(store);
}

static void every_kind_of_page_replaces_every_other(void **state)
{
	struct store *store = store_of(2 * PAGE, STORE_NO_LIMIT);
	unsigned char page[PAGE];
	struct rng rng = { 6 };
	struct ramzswap_stats fresh[DATA_KINDS];

	/* Beside it one that stays: where nothing is stored, zeroes are not, either. */
	data_fill(&rng, DATA_TEXT, page, PAGE);
	must_write(store, page, PAGE, PAGE);
	for (int round = 0; round < 2; round++) {
		for (int from = 0; from < DATA_KINDS; from++) {
			for (int to = 0; to < DATA_KINDS; to++) {
				struct ramzswap_stats stats;

				data_fill(&rng, (enum data_kind)from, page, PAGE);
				must_write(store, page, PAGE, 0);
				rng.state = 100 + (uint64_t)to;
				data_fill(&rng, (enum data_kind)to, page, PAGE);
				must_write(store, page, PAGE, 0);
				must_read(store, page, PAGE, 0);
				must_be_sound(store);
				/* What it replaced must not show in the accounts. */
				stats = stats_of(store);
				if (round == 0 && from == 0)
					fresh[to] = stats;
				assert_int_equal(stats.pages_stored, fresh[to].pages_stored);
				assert_int_equal(stats.same_pages, fresh[to].same_pages);
				assert_int_equal(stats.pages_zero, fresh[to].pages_zero);
				assert_int_equal(stats.pages_expand, fresh[to].pages_expand);
				assert_int_equal(stats.compr_data_size, fresh[to].compr_data_size);
				assert_int_equal(stats.good_compress_pages,
						 fresh[to].good_compress_pages);
			}
		}
	}
	store_done(store);
}

/* Offsets and lengths around the borders of pages and words. */
static const uint32_t edges[] = { 0,	1,    7,    8,	  511,	4088, 4095,
				  4096, 4097, 6000, 8191, 8192, 8193, 12288 };
#define EDGES (sizeof(edges) / sizeof(edges[0]))

static void writes_of_any_offset_and_length_change_just_their_range(void **state)
{
	const size_t size = 7 * PAGE;
	struct store *store = store_of(size, STORE_NO_LIMIT);
	unsigned char *shadow = malloc(size);
	struct rng rng = { 7 };

	data_fill_any(&rng, shadow, size);
	must_write(store, shadow, (uint32_t)size, 0);
	for (size_t i = 0; i < EDGES; i++) {
		for (size_t j = 0; j < EDGES; j++) {
			data_fill_any(&rng, shadow + edges[i], edges[j]);
			must_write(store, shadow + edges[i], edges[j], edges[i]);
			must_read(store, shadow, (uint32_t)size, 0);
		}
		must_be_sound(store);
	}
	free(shadow);
	store_done(store);
}

static void reads_of_any_offset_and_length_give_just_their_range(void **state)
{
	const size_t size = 7 * PAGE;
	struct store *store = store_of(size, STORE_NO_LIMIT);
	unsigned char *shadow = malloc(size);
	struct rng rng = { 8 };

	for (int round = 0; round < 8; round++) {
		data_fill_any(&rng, shadow, size);
		must_write(store, shadow, (uint32_t)size, 0);
		for (size_t i = 0; i < EDGES; i++) {
			for (size_t j = 0; j < EDGES; j++)
				must_read(store, shadow + edges[i], edges[j], edges[i]);
		}
	}
	free(shadow);
	store_done(store);
}

static void zeroing_any_offset_and_length_clears_just_its_range(void **state)
{
	const size_t size = 7 * PAGE;
	struct store *store = store_of(size, STORE_NO_LIMIT);
	unsigned char *shadow = malloc(size);
	struct rng rng = { 9 };

	for (size_t i = 0; i < EDGES; i++) {
		for (size_t j = 0; j < EDGES; j++) {
			data_fill_any(&rng, shadow, size);
			must_write(store, shadow, (uint32_t)size, 0);
			memset(shadow + edges[i], 0, edges[j]);
			must_zero(store, edges[j], edges[i]);
			must_read(store, shadow, (uint32_t)size, 0);
		}
		must_be_sound(store);
	}
	free(shadow);
	store_done(store);
}

static void a_page_zeroed_piece_by_piece_costs_nothing_in_the_end(void **state)
{
	struct store *store = store_of(4 * PAGE, STORE_NO_LIMIT);
	unsigned char page[PAGE];
	struct rng rng = { 10 };

	data_fill(&rng, DATA_RANDOM, page, PAGE);
	must_write(store, page, PAGE, PAGE);
	for (uint64_t done = 0; done < PAGE; done += 100)
		must_zero(store, done + 100 < PAGE ? 100 : PAGE - done, PAGE + done);
	must_read_zeroes(store, 4 * PAGE, 0);
	assert_int_equal(stats_of(store).pages_stored, 0);
	assert_int_equal(stats_of(store).compr_data_size, 0);
	store_done(store);
}

static void requests_of_no_bytes_do_nothing(void **state)
{
	struct store *store = store_of(2 * PAGE, STORE_NO_LIMIT);
	unsigned char byte = 0x77;

	for (uint64_t offset = 0; offset <= 2 * PAGE; offset += PAGE / 2) {
		assert_int_equal(store_write(store, &byte, 0, offset), 0);
		assert_int_equal(store_read(store, &byte, 0, offset), 0);
		assert_int_equal(store_zero(store, 0, offset), 0);
	}
	assert_int_equal(byte, 0x77);
	must_read_zeroes(store, 2 * PAGE, 0);
	store_done(store);
}

static void the_last_page_may_be_a_partial_one(void **state)
{
	static const uint64_t sizes[] = { 1, 8, 100, 4095, 4097, 8191, 3 * 4096 + 511, 999999 };
	struct rng rng = { 11 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const uint64_t size = sizes[i], tail = size % PAGE;
		struct store *store = store_of(size, STORE_NO_LIMIT);
		unsigned char *shadow = malloc(size);

		assert_int_equal(stats_of(store).disksize, size);
		for (int kind = 0; kind < DATA_KINDS; kind++) {
			data_fill(&rng, (enum data_kind)kind, shadow, size);
			must_write(store, shadow, (uint32_t)size, 0);
			must_read(store, shadow, (uint32_t)size, 0);
			data_fill(&rng, DATA_TEXT, shadow + size - tail, tail);
			must_write(store, shadow + size - tail, (uint32_t)tail, size - tail);
			must_read(store, shadow, (uint32_t)size, 0);
			shadow[size - 1] = 0xee;
			must_write(store, shadow + size - 1, 1, size - 1);
			must_read(store, shadow, (uint32_t)size, 0);
		}
		must_zero(store, tail, size - tail);
		memset(shadow + size - tail, 0, tail);
		must_read(store, shadow, (uint32_t)size, 0);
		must_zero(store, size, 0);
		must_read_zeroes(store, (uint32_t)size, 0);
		assert_int_equal(stats_of(store).pages_stored, 0);
		free(shadow);
		store_done(store);
	}
}

static int refuse_extent(void *opaque, uint64_t offset, uint64_t length, bool hole)
{
	fail_msg("an extent of a range outside the disk");
	return 0;
}

static void ranges_outside_the_disk_are_refused(void **state)
{
	static const struct {
		uint64_t offset;
		uint32_t count;
	} bad[] = {
		{ 2 * PAGE + 5, 1 },	  { 2 * PAGE, 6 },   { 0, 2 * PAGE + 6 },
		{ 2 * PAGE + 6, 0 },	  { UINT64_MAX, 1 }, { UINT64_MAX - PAGE + 1, PAGE },
		{ UINT64_C(1) << 63, 8 }, { 3 * PAGE, 1 },   { UINT64_MAX, UINT32_MAX },
	};
	const uint32_t size = 2 * PAGE + 5;
	struct store *store = store_of(size, STORE_NO_LIMIT);
	unsigned char shadow[2 * PAGE + 5], buf[4 * PAGE];
	struct rng rng = { 12 };

	data_fill(&rng, DATA_RANDOM, shadow, size);
	must_write(store, shadow, size, 0);
	memset(buf, 0x11, sizeof(buf));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t offset = bad[i].offset;
		uint32_t count = bad[i].count;

		assert_int_equal(store_write(store, buf, count, offset), -EINVAL);
		assert_int_equal(store_read(store, buf, count, offset), -EINVAL);
		assert_int_equal(store_zero(store, count, offset), -EINVAL);
		assert_int_equal(store_extents(store, count, offset, refuse_extent, NULL), -EINVAL);
	}
	for (size_t i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0x11);
	assert_int_equal(store_zero(store, UINT64_MAX, 1), -EINVAL);
	must_read(store, shadow, size, 0);
	store_done(store);
}

static void bad_configurations_are_refused(void **state)
{
	struct store *const untouched = (struct store *)&untouched;
	struct store *store = untouched;
	struct store_config config = { .size = 0, .memlimit = STORE_NO_LIMIT };

	assert_int_equal(store_create(&store, &config), -EINVAL);
	config.size = STORE_SIZE_MAX + 1;
	assert_int_equal(store_create(&store, &config), -EINVAL);
	config.size = UINT64_MAX;
	assert_int_equal(store_create(&store, &config), -EINVAL);
	config.size = 64 * MIB;
	config.memlimit = 0;
	assert_int_equal(store_create(&store, &config), -EINVAL);
	config.memlimit = store_memlimit_min(config.size) - 1;
	assert_int_equal(store_create(&store, &config), -EINVAL);
	assert_ptr_equal(store, untouched);
	store_destroy(NULL);
}

static void every_codec_of_the_table_serves_a_store(void **state)
{
	unsigned char data[16 * PAGE];
	struct rng rng = { 13 };

	for (size_t i = 0; codecs[i]; i++) {
		struct store_config config = { .size = sizeof(data),
					       .memlimit = STORE_NO_LIMIT,
					       .codec = codecs[i] };
		struct store *store = NULL;

		assert_int_equal(store_create(&store, &config), 0);
		for (int round = 0; round < 20; round++) {
			data_fill_any(&rng, data, sizeof(data));
			must_write(store, data, sizeof(data), 0);
			must_read(store, data, sizeof(data), 0);
			data_fill_any(&rng, data + 1000, 10000);
			must_write(store, data + 1000, 10000, 1000);
			must_read(store, data, sizeof(data), 0);
		}
		store_done(store);
	}
}

static void stores_do_not_share_pages(void **state)
{
	struct store *stores[3];
	unsigned char data[3][8 * PAGE];
	struct rng rng = { 14 };

	for (int i = 0; i < 3; i++) {
		stores[i] = store_of(sizeof(data[i]), STORE_NO_LIMIT);
		data_fill_any(&rng, data[i], sizeof(data[i]));
		must_write(stores[i], data[i], sizeof(data[i]), 0);
	}
	store_done(stores[1]);
	must_read(stores[0], data[0], sizeof(data[0]), 0);
	must_read(stores[2], data[2], sizeof(data[2]), 0);
	store_done(stores[0]);
	store_done(stores[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_written_pages_read_as_zeroes),
		cmocka_unit_test(same_filled_pages_of_any_word_come_back),
		cmocka_unit_test(same_filled_pages_cost_their_table_entry),
		cmocka_unit_test(zero_pages_cost_no_payload_and_are_counted),
		cmocka_unit_test(pages_that_differ_from_same_filled_in_one_byte_keep_it),
		cmocka_unit_test(incompressible_pages_are_stored_raw),
		cmocka_unit_test(compressible_pages_take_what_the_codec_makes_of_them),
		cmocka_unit_test(what_is_written_is_counted_however_often),
		cmocka_unit_test(requests_that_have_ended_are_counted_and_leave_none_under_way),
		cmocka_unit_test(pages_of_every_compressibility_come_back),
		cmocka_unit_test(every_kind_of_page_replaces_every_other),
		cmocka_unit_test(writes_of_any_offset_and_length_change_just_their_range),
		cmocka_unit_test(reads_of_any_offset_and_length_give_just_their_range),
		cmocka_unit_test(zeroing_any_offset_and_length_clears_just_its_range),
		cmocka_unit_test(a_page_zeroed_piece_by_piece_costs_nothing_in_the_end),
		cmocka_unit_test(requests_of_no_bytes_do_nothing),
		cmocka_unit_test(the_last_page_may_be_a_partial_one),
		cmocka_unit_test(ranges_outside_the_disk_are_refused),
		cmocka_unit_test(bad_configurations_are_refused),
		cmocka_unit_test(every_codec_of_the_table_serves_a_store),
		cmocka_unit_test(stores_do_not_share_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
