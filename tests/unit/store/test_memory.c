/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page store keeps to its limit, gives memory back, and stays small where nothing is. */
#include <unistd.h>

#include "store_helper.h"

/* Incompressible bytes that differ from page to page and version to version. */
static void unique_page(void *page, uint64_t number, uint64_t version)
{
	struct rng rng = { number * UINT64_C(0x10001) + version };

	data_fill(&rng, DATA_RANDOM, page, PAGE);
}

/* Writes unique pages from page 0 on until one is refused; returns how many there are. */
static uint64_t fill_up(struct store *store, uint64_t pages)
{
	unsigned char page[PAGE];

	for (uint64_t i = 0; i < pages; i++) {
		int err;

		unique_page(page, i, 0);
		err = store_write(store, page, PAGE, i * PAGE);
		if (err) {
			assert_int_equal(err, -ENOSPC);
			return i;
		}
	}
	fail_msg("the limit was never reached");
	return pages;
}

static void must_hold(struct store *store, uint64_t from, uint64_t to, uint64_t version)
{
	unsigned char page[PAGE];

	for (uint64_t i = from; i < to; i++) {
		unique_page(page, i, version);
		must_read(store, page, PAGE, i * PAGE);
	}
}

static void a_write_past_the_limit_fails_and_leaves_the_old_page(void **state)
{
	const uint64_t limit = 32 * MIB, pages = 16384;
	struct store *store = store_of(pages * PAGE, limit);
	unsigned char small[PAGE], page[PAGE];
	struct rng rng = { 20 };
	uint64_t filled;

	assert_int_equal(stats_of(store).memlimit, limit);
	data_fill(&rng, DATA_TEXT, small, PAGE);
	must_write(store, small, PAGE, (pages - 1) * PAGE);
	filled = fill_up(store, pages);
	/* What the limit allows must be of use: at most an eighth may be lost. */
	assert_true(filled * PAGE >= limit / 8 * 7);
	for (int i = 0; i < 20; i++) {
		unique_page(page, 1000000, (uint64_t)i);
		assert_int_equal(store_write(store, page, PAGE, (pages - 1) * PAGE), -ENOSPC);
		must_read(store, small, PAGE, (pages - 1) * PAGE);
		assert_int_equal(store_write(store, page, PAGE - 10, (pages - 1) * PAGE + 5),
				 -ENOSPC);
		must_read(store, small, PAGE, (pages - 1) * PAGE);
	}
	must_read_zeroes(store, PAGE, filled * PAGE);
	must_hold(store, 0, filled, 0);
	assert_true(stats_of(store).mem_used_total <= limit);
	assert_true(stats_of(store).mem_used_max <= limit);
	store_done(store);
}

static void a_full_store_still_takes_pages_no_larger_than_the_old(void **state)
{
	const uint64_t pages = 4096;
	struct store *store = store_of(pages * PAGE, 6 * MIB);
	uint64_t filled = fill_up(store, pages);
	unsigned char page[PAGE];
	struct rng rng = { 21 };

	for (uint64_t i = 0; i < filled; i++) {
		unique_page(page, i, 1);
		must_write(store, page, PAGE, i * PAGE);
	}
	must_hold(store, 0, filled, 1);
	must_be_sound(store);
	/* Partial writes of raw pages need no more room than the page has. */
	for (uint64_t i = 0; i < filled; i += 3) {
		unique_page(page, i, 1);
		memset(page + 100, 0x3c, 7);
		must_write(store, page + 100, 7, i * PAGE + 100);
		must_read(store, page, PAGE, i * PAGE);
	}
	for (uint64_t i = 0; i < filled; i++) {
		data_fill(&rng, (enum data_kind)(i % DATA_RANDOM), page, PAGE);
		must_write(store, page, PAGE, i * PAGE);
		must_read(store, page, PAGE, i * PAGE);
	}
	assert_true(stats_of(store).mem_used_max <= 6 * MIB);
	store_done(store);
}

static void a_full_store_takes_the_same_page_again(void **state)
{
	const uint64_t pages = 16384;
	struct store *store = store_of(pages * PAGE, 6 * MIB);
	unsigned char page[PAGE];
	uint64_t filled = 0;
	int err;

	do {
		struct rng rng = { filled };

		data_fill(&rng, DATA_STRUCT, page, PAGE);
		err = store_write(store, page, PAGE, filled * PAGE);
	} while (!err && ++filled < pages);
	assert_int_equal(err, -ENOSPC);
	for (int round = 0; round < 2; round++) {
		for (uint64_t i = 0; i < filled; i++) {
			struct rng rng = { i };

			data_fill(&rng, DATA_STRUCT, page, PAGE);
			must_write(store, page, PAGE, i * PAGE);
			must_read(store, page, PAGE, i * PAGE);
		}
	}
	store_done(store);
}

/* Stores something cheap here and there, so that the whole page table is in use. */
static void touch_table(struct store *store, uint64_t pages)
{
	unsigned char ones[PAGE];

	memset(ones, 1, PAGE);
	for (uint64_t i = 5; i < pages; i += 256)
		must_write(store, ones, PAGE, i * PAGE);
}

static void space_freed_by_a_trim_is_usable_at_once(void **state)
{
	const uint64_t pages = 4096;
	struct store *store = store_of(pages * PAGE, 6 * MIB);
	struct rng rng = { 22 };
	unsigned char page[PAGE];
	uint64_t filled;

	touch_table(store, pages);
	filled = fill_up(store, pages);
	for (int round = 0; round < 200; round++) {
		uint64_t count = 1 + rng_below(&rng, 20);
		uint64_t from = rng_below(&rng, filled - count);

		must_zero(store, count * PAGE, from * PAGE);
		must_read_zeroes(store, (uint32_t)count * PAGE, from * PAGE);
		for (uint64_t i = from; i < from + count; i++) {
			unique_page(page, i, 0);
			must_write(store, page, PAGE, i * PAGE);
		}
		unique_page(page, filled + 6, 0);
		assert_int_equal(store_write(store, page, PAGE, pages / 2 * PAGE), -ENOSPC);
	}
	must_hold(store, 0, filled, 0);
	/* The same elsewhere on the disk, page by page. */
	for (uint64_t i = 0; i < filled; i++) {
		must_zero(store, PAGE, i * PAGE);
		unique_page(page, pages - 1 - i, 0);
		must_write(store, page, PAGE, (pages - 1 - i) * PAGE);
	}
	must_hold(store, pages - filled, pages, 0);
	store_done(store);
}

static void a_discarded_cluster_is_usable_anywhere_on_the_disk(void **state)
{
	const uint64_t cluster = 256, pages = 1 << 20;
	struct store *store = store_of(pages * PAGE, 8 * MIB);
	unsigned char page[PAGE];
	uint64_t filled = fill_up(store, pages);

	for (uint64_t from = 0; from + cluster <= filled; from += cluster) {
		/* Somewhere no page was ever stored, the table included. */
		uint64_t to = pages - (from / cluster + 1) * 8192;

		must_zero(store, cluster * PAGE, from * PAGE);
		for (uint64_t i = to; i < to + cluster * 7 / 8; i++) {
			unique_page(page, i, 0);
			must_write(store, page, PAGE, i * PAGE);
		}
		must_hold(store, to, to + cluster * 7 / 8, 0);
	}
	store_done(store);
}

static void a_long_write_that_fails_has_written_the_pages_before_only(void **state)
{
	const uint64_t pages = 2048;
	const uint32_t span = 64;
	struct store *store = store_of(pages * PAGE, 6 * MIB);
	unsigned char *data = malloc(span * PAGE);
	unsigned char page[PAGE];
	uint64_t filled, i;

	touch_table(store, pages);
	filled = fill_up(store, pages);

	/* Room for some of the pages: any number, but in order. */
	must_zero(store, 10 * PAGE, 0);
	for (i = 0; i < span; i++)
		unique_page(data + i * PAGE, 1000 + i, 7);
	assert_int_equal(store_write(store, data, span * PAGE, 1900 * PAGE), -ENOSPC);
	for (i = 0; i < span; i++) {
		assert_int_equal(store_read(store, page, PAGE, (1900 + i) * PAGE), 0);
		if (memcmp(page, data + i * PAGE, PAGE) != 0)
			break;
	}
	assert_uint_in_range(i, 8, 12);
	must_read_zeroes(store, (span - (uint32_t)i) * PAGE, (1900 + i) * PAGE);
	must_hold(store, 10, filled, 0);
	free(data);
	store_done(store);
}

static void the_smallest_limit_holds_something(void **state)
{
	static const uint64_t sizes[] = { 1, PAGE, MIB + 1, GIB, 16 * TIB, STORE_SIZE_MAX };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t size = sizes[i], limit = store_memlimit_min(size);
		struct store *store = store_of(size, limit);
		uint32_t count = size < PAGE ? (uint32_t)size : PAGE;
		unsigned char page[PAGE];

		assert_true(limit <= 16 * MIB);
		unique_page(page, 1, 1);
		must_write(store, page, count, size - count);
		must_read(store, page, count, size - count);
		assert_true(stats_of(store).mem_used_max <= limit);
		store_done(store);
	}
}

static void the_limit_can_change_at_run_time(void **state)
{
	const uint64_t pages = 8192;
	struct store *store = store_of(pages * PAGE, 6 * MIB);
	uint64_t filled = fill_up(store, pages), more, minimum = store_memlimit_min(pages * PAGE);
	unsigned char page[PAGE];

	assert_int_equal(store_set_memlimit(store, minimum - 1), -EINVAL);
	assert_int_equal(store_set_memlimit(store, 0), -EINVAL);
	assert_int_equal(stats_of(store).memlimit, 6 * MIB);
	assert_int_equal(store_set_memlimit(store, 9 * MIB), 0);
	assert_int_equal(stats_of(store).memlimit, 9 * MIB);
	more = fill_up(store, pages);
	assert_uint_in_range(more, filled + 600, filled + 800);

	/* Below what is in use: all stays, nothing new fits until enough is freed. */
	assert_int_equal(store_set_memlimit(store, 3 * MIB), 0);
	must_hold(store, 0, more, 0);
	unique_page(page, 7777, 0);
	assert_int_equal(store_write(store, page, PAGE, 7777 * PAGE), -ENOSPC);
	must_zero(store, (more - 300) * PAGE, 0);
	must_write(store, page, PAGE, 7777 * PAGE);
	must_hold(store, 7777, 7778, 0);
	must_hold(store, more - 300, more, 0);
	assert_int_equal(store_set_memlimit(store, STORE_NO_LIMIT), 0);
	for (uint64_t i = 0; i < pages; i++) {
		unique_page(page, i, 2);
		must_write(store, page, PAGE, i * PAGE);
	}
	must_hold(store, 0, pages, 2);
	store_done(store);
}

static void memory_comes_back_when_everything_is_freed(void **state)
{
	const uint64_t pages = 8192;
	struct store *store = store_of(pages * PAGE, STORE_NO_LIMIT);
	uint64_t start = stats_of(store).mem_used_total;
	unsigned char page[PAGE];

	for (int round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < pages; i++) {
			unique_page(page, i, 0);
			must_write(store, page, PAGE, i * PAGE);
		}
		assert_true(stats_of(store).mem_used_total >= start + pages * PAGE);
		/* A span holds 15 raw pages: the fifteenth part and a little for headers. */
		assert_true(stats_of(store).mem_used_total <= start + pages * PAGE / 100 * 108);
		if (round == 0)
			must_zero(store, pages * PAGE, 0);
		else if (round == 1)
			store_reset(store);
		else
			for (uint64_t i = 0; i < pages; i++)
				must_zero(store, PAGE, ((i * 2741) % pages) * PAGE);
		assert_true(stats_of(store).mem_used_total <= start + 2 * MIB);
		assert_int_equal(stats_of(store).pages_stored, 0);
		assert_int_equal(stats_of(store).compr_data_size, 0);
		must_be_sound(store);
	}
	store_done(store);
}

static void a_reset_forgets_every_page_and_clears_the_counters(void **state)
{
	const uint64_t pages = 1024;
	struct store *store = store_of(pages * PAGE + 77, 8 * MIB);
	unsigned char *data = malloc(pages * PAGE + 77);
	struct rng rng = { 23 };
	struct ramzswap_stats stats;

	data_fill_any(&rng, data, pages * PAGE + 77);
	must_write(store, data, (uint32_t)pages * PAGE + 77, 0);
	must_zero(store, 100 * PAGE, 0);
	store_reset(store);
	must_read_zeroes(store, (uint32_t)pages * PAGE + 77, 0);
	stats = stats_of(store);
	assert_int_equal(stats.disksize, pages * PAGE + 77);
	assert_int_equal(stats.memlimit, 8 * MIB);
	assert_int_equal(stats.pages_stored, 0);
	assert_int_equal(stats.same_pages, 0);
	assert_int_equal(stats.pages_zero, 0);
	assert_int_equal(stats.pages_expand, 0);
	assert_int_equal(stats.orig_data_size, 0);
	assert_int_equal(stats.compr_data_size, 0);
	assert_int_equal(stats.pages_compacted, 0);
	assert_int_equal(stats.notify_free, 0);
	must_write(store, data, (uint32_t)pages * PAGE + 77, 0);
	must_read(store, data, (uint32_t)pages * PAGE + 77, 0);
	free(data);
	store_done(store);
}

/* Pages of all kinds, of which every fourth, at random, is kept. */
struct sparse {
	struct store *store;
	uint64_t pages;
	uint64_t start; /* memory of the empty store */
	unsigned char *data;
	bool *kept;
};

static void make_sparse(struct sparse *sparse, uint64_t pages, uint64_t seed)
{
	struct rng rng = { seed };

	sparse->pages = pages;
	sparse->store = store_of(pages * PAGE, STORE_NO_LIMIT);
	sparse->start = stats_of(sparse->store).mem_used_total;
	sparse->data = malloc(pages * PAGE);
	sparse->kept = calloc(pages, sizeof(bool));
	for (uint64_t i = 0; i < pages; i++) {
		static const enum data_kind kinds[] = { DATA_TEXT, DATA_STRUCT, DATA_MIXED,
							DATA_STRUCT };

		data_fill(&rng, kinds[rng_below(&rng, 4)], sparse->data + i * PAGE, PAGE);
		must_write(sparse->store, sparse->data + i * PAGE, PAGE, i * PAGE);
	}
	for (uint64_t i = 0; i < pages; i++) {
		sparse->kept[i] = rng_below(&rng, 4) == 0;
		if (!sparse->kept[i])
			must_zero(sparse->store, PAGE, i * PAGE);
	}
}

static void end_sparse(struct sparse *sparse)
{
	for (uint64_t i = 0; i < sparse->pages; i++) {
		if (sparse->kept[i])
			must_read(sparse->store, sparse->data + i * PAGE, PAGE, i * PAGE);
		else
			must_read_zeroes(sparse->store, PAGE, i * PAGE);
	}
	free(sparse->data);
	free(sparse->kept);
	store_done(sparse->store);
}

static void compaction_gives_back_what_three_quarters_freed_at_random_held(void **state)
{
	struct sparse sparse;
	uint64_t before, after, freed, payload, goal;

	make_sparse(&sparse, 16384, 24);
	before = stats_of(sparse.store).mem_used_total;
	payload = stats_of(sparse.store).compr_data_size;
	goal = sparse.start + payload * 110 / 100;
	freed = store_compact(sparse.store, NULL);
	after = stats_of(sparse.store).mem_used_total;
	assert_true(after < before);
	assert_int_equal(freed, before - after);
	if (after > goal)
		fail_msg("%llu bytes for payloads of %llu, %llu before",
			 (unsigned long long)(after - sparse.start), (unsigned long long)payload,
			 (unsigned long long)(before - sparse.start));
	assert_int_equal(stats_of(sparse.store).compr_data_size, payload);
	assert_true(stats_of(sparse.store).pages_compacted > 0);
	must_be_sound(sparse.store);
	end_sparse(&sparse);
}

static void the_background_gives_memory_back_unasked(void **state)
{
	struct sparse sparse;
	uint64_t goal, waited = 0;

	make_sparse(&sparse, 16384, 25);
	goal = sparse.start + stats_of(sparse.store).compr_data_size * 110 / 100;
	/* As the owner's thread does, but for the waiting: ten seconds of it. */
	while (waited < 10000 && stats_of(sparse.store).mem_used_total > goal) {
		unsigned int pause = store_work(sparse.store);

		assert_true(pause > 0);
		waited += pause;
	}
	assert_true(stats_of(sparse.store).mem_used_total <= goal);
	must_be_sound(sparse.store);
	end_sparse(&sparse);
}

static void compacting_a_full_or_an_empty_store_is_harmless(void **state)
{
	const uint64_t pages = 4096;
	struct store *store = store_of(pages * PAGE, 6 * MIB);
	uint64_t filled;

	(void)store_compact(store, NULL);
	filled = fill_up(store, pages);
	(void)store_compact(store, NULL);
	must_hold(store, 0, filled, 0);
	for (uint64_t i = 0; i < filled; i += 2)
		must_zero(store, PAGE, i * PAGE);
	(void)store_compact(store, NULL);
	for (uint64_t i = 1; i < filled; i += 2)
		must_hold(store, i, i + 1, 0);
	assert_true(stats_of(store).mem_used_max <= 6 * MIB);
	store_done(store);
}

static void the_reserve_is_kept_ready_and_refilled(void **state)
{
	struct store_config config = { .size = 64 * MIB,
				       .memlimit = STORE_NO_LIMIT,
				       .reserve = 4 * MIB };
	struct store *store = NULL;
	unsigned char page[PAGE];

	assert_int_equal(store_create(&store, &config), 0);
	assert_true(stats_of(store).reserve >= 4 * MIB);
	for (uint64_t from = 0; from < 4096; from += 900) {
		int step = 0;

		/* Kept in whole spans of 64 KiB. */
		while (stats_of(store).reserve_ready + 65536 < 4 * MIB && step++ < 1000)
			(void)store_work(store);
		assert_true(stats_of(store).reserve_ready + 65536 >= 4 * MIB);
		for (uint64_t i = from; i < from + 900; i++) {
			unique_page(page, i, 0);
			must_write(store, page, PAGE, i * PAGE);
		}
	}
	must_hold(store, 0, 4500, 0);
	store_done(store);
}

/* Locked, a store keeps more resident than it has in use. */
static void a_locked_store_of_a_large_disk_keeps_to_its_limit(void **state)
{
	static const uint64_t sizes[] = { 1800 * MIB, 2304 * MIB, 64 * GIB, TIB };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const struct store_config config = {
			.size = sizes[i],
			.memlimit = 8 * MIB,
			.locked = true,
		};
		struct store *store;
		int err = store_create(&store, &config);

		if (err == -EPERM || err == -ENOMEM) {
			print_message("no memory may be locked here: skipped\n");
			return;
		}
		assert_int_equal(err, 0);
		(void)fill_up(store, config.size / PAGE);
		assert_true(stats_of(store).mem_used_max <= config.memlimit);
		store_done(store);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_locked_store_of_a_large_disk_keeps_to_its_limit),
		cmocka_unit_test(a_write_past_the_limit_fails_and_leaves_the_old_page),
		cmocka_unit_test(a_full_store_still_takes_pages_no_larger_than_the_old),
		cmocka_unit_test(a_full_store_takes_the_same_page_again),
		cmocka_unit_test(space_freed_by_a_trim_is_usable_at_once),
		cmocka_unit_test(a_discarded_cluster_is_usable_anywhere_on_the_disk),
		cmocka_unit_test(a_long_write_that_fails_has_written_the_pages_before_only),
		cmocka_unit_test(the_smallest_limit_holds_something),
		cmocka_unit_test(the_limit_can_change_at_run_time),
		cmocka_unit_test(memory_comes_back_when_everything_is_freed),
		cmocka_unit_test(a_reset_forgets_every_page_and_clears_the_counters),
		cmocka_unit_test(compaction_gives_back_what_three_quarters_freed_at_random_held),
		cmocka_unit_test(the_background_gives_memory_back_unasked),
		cmocka_unit_test(compacting_a_full_or_an_empty_store_is_harmless),
		cmocka_unit_test(the_reserve_is_kept_ready_and_refilled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
