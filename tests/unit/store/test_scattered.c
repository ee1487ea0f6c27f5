/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client that writes here and there on a huge disk takes no more than what it has stored, and
 * what it has touched comes back when it trims: a disk cannot be made useless for good.
 */
#include <sys/mman.h>

#include "store/state.h"
#include "store_helper.h"

#define DISK STORE_SIZE_MAX
#define LIMIT (16 * MIB)
#define SLACK (64 * 1024)

static bool lockable(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err;

	assert_ptr_not_equal(memory, MAP_FAILED);
	err = mlock2(memory, bytes, MLOCK_ONFAULT);
	munmap(memory, bytes);
	return err == 0;
}

static struct store *scattered_store(bool locked, uint64_t memlimit)
{
	struct store_config config = {
		.size = DISK, .memlimit = memlimit, .reserve = MIB / 2, .locked = locked
	};
	struct store *store;

	if (locked && !lockable(64 * MIB)) {
		print_message("may not lock 64 MiB of memory (ulimit -l): not tested\n");
		skip();
	}
	assert_int_equal(store_create(&store, &config), 0);
	while (store_refill(store))
		;
	return store;
}

/* The background, until it has nothing more to do. */
static void settle(struct store *store)
{
	for (int i = 0; i < 100; i++)
		(void)store_work(store);
}

/* Writes single pages anywhere until one finds no room, or so many. */
static uint64_t scatter(struct store *store, uint64_t seed, uint64_t most)
{
	struct rng rng = { seed };
	unsigned char page[PAGE];
	uint64_t written = 0;

	while (written < most) {
		data_fill(&rng, DATA_TEXT, page, PAGE);
		if (store_write(store, page, PAGE, rng_below(&rng, DISK / PAGE) * PAGE))
			break;
		written++;
	}
	return written;
}

static void rounds_of_scattered_writes_and_trims(bool locked)
{
	struct store *store = scattered_store(locked, LIMIT);
	uint64_t start = stats_of(store).mem_used_total, first = 0;

	for (uint64_t round = 0; round < 8; round++) {
		uint64_t written = scatter(store, 100 + round, UINT64_MAX);

		if (round == 0)
			first = written;
		/* A directory page, a table page and the payload each. */
		assert_true(written > (LIMIT - start) / (3 * PAGE));
		assert_uint_in_range(written, first - first / 16, first + first / 16);
		must_zero(store, DISK, 0);
		settle(store);
		assert_uint_in_range(stats_of(store).mem_used_total, 0, start + SLACK);
	}
	store_done(store);
}

static void what_a_scattered_client_touched_comes_back(void **state)
{
	rounds_of_scattered_writes_and_trims(false);
}

static void what_a_scattered_client_of_a_locked_store_touched_comes_back(void **state)
{
	rounds_of_scattered_writes_and_trims(true);
}

/* A large pool and table leave as little behind as a small one. */
static void what_a_large_store_held_comes_back(void **state)
{
	static unsigned char data[MIB];
	struct rng rng = { 7 };

	for (int locked = 0; locked < 2; locked++) {
		struct store *store;
		uint64_t start;

		if (locked && !lockable(512 * MIB))
			break;
		store = scattered_store(locked, STORE_NO_LIMIT);
		start = stats_of(store).mem_used_total;
		data_fill(&rng, DATA_RANDOM, data, sizeof(data));
		for (uint64_t at = 0; at < 160 * MIB; at += MIB)
			must_write(store, data, MIB, at);
		assert_true(scatter(store, 5, 20000) == 20000);
		must_zero(store, DISK, 0);
		settle(store);
		assert_uint_in_range(stats_of(store).mem_used_total, 0, start + SLACK);
		/* And it can be used again. */
		must_write(store, data, MIB, TIB);
		must_read(store, data, MIB, TIB);
		store_done(store);
	}
}

static void it_comes_back_while_the_rest_of_the_disk_is_in_use(void **state)
{
	struct store *store = scattered_store(false, LIMIT);
	static unsigned char data[MIB];
	struct rng rng = { 8 };
	uint64_t start;

	data_fill(&rng, DATA_TEXT, data, sizeof(data));
	must_write(store, data, MIB, 512 * TIB);
	settle(store);
	start = stats_of(store).mem_used_total;
	for (uint64_t round = 0; round < 8; round++) {
		(void)scatter(store, 200 + round, UINT64_MAX);
		must_zero(store, 512 * TIB, 0);
		must_zero(store, DISK - 512 * TIB - MIB, 512 * TIB + MIB);
		settle(store);
		assert_uint_in_range(stats_of(store).mem_used_total, 0, start + SLACK);
	}
	must_read(store, data, MIB, 512 * TIB);
	store_done(store);
}

static void a_page_made_zero_piece_by_piece_leaves_no_entry(void **state)
{
	struct store *store = scattered_store(false, LIMIT);
	uint64_t used = stats_of(store).mem_used_total;
	unsigned char page[PAGE];
	struct rng rng = { 9 };
	enum data_kind kinds[] = { DATA_TEXT, DATA_RANDOM };

	for (size_t i = 0; i < 2; i++) {
		uint64_t at = TIB + i * GIB;

		data_fill(&rng, kinds[i], page, PAGE);
		must_write(store, page, PAGE, at);
		must_zero(store, 1000, at);
		assert_int_equal(stats_of(store).pages_stored, 1);
		must_zero(store, PAGE - 1000, at + 1000);
		must_read_zeroes(store, PAGE, at);
		assert_int_equal(stats_of(store).pages_stored, 0);
		assert_int_equal(stats_of(store).pages_zero, 0);
		assert_int_equal(store->table.table_pages, 0);
		settle(store);
		assert_uint_in_range(stats_of(store).mem_used_total, 0, used + SLACK);
	}
	/* Nor does a page of zeroes that was written as such, where others were stored then. */
	must_write(store, page, PAGE, 3 * TIB + PAGE);
	memset(page, 0, PAGE);
	must_write(store, page, PAGE, 3 * TIB);
	assert_int_equal(stats_of(store).pages_zero, 1);
	must_zero(store, PAGE, 3 * TIB + PAGE);
	must_zero(store, 10, 3 * TIB + 5);
	assert_int_equal(stats_of(store).pages_zero, 0);
	assert_int_equal(store->table.table_pages, 0);
	store_done(store);
}

static void zeroes_written_where_nothing_is_stored_cost_nothing(void **state)
{
	struct store *store = scattered_store(false, LIMIT);
	uint64_t used = stats_of(store).mem_used_total;
	static unsigned char zeroes[256 * PAGE];
	unsigned char page[PAGE];
	struct rng rng = { 13 };

	for (uint64_t at = 0; at < 4 * TIB; at += GIB)
		must_write(store, zeroes, sizeof(zeroes), at);
	assert_int_equal(stats_of(store).mem_used_total, used);
	assert_int_equal(stats_of(store).zero_writes, 4096 * 256);
	assert_int_equal(store->table.table_pages, 0);
	/* What is stored there later is found, and zeroes over it are written. */
	data_fill(&rng, DATA_TEXT, page, PAGE);
	must_write(store, page, PAGE, GIB);
	must_read(store, page, PAGE, GIB);
	must_write(store, zeroes, sizeof(zeroes), GIB);
	must_read_zeroes(store, sizeof(zeroes), GIB);
	assert_int_equal(stats_of(store).pages_stored, 0);
	store_done(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_scattered_client_touched_comes_back),
		cmocka_unit_test(what_a_scattered_client_of_a_locked_store_touched_comes_back),
		cmocka_unit_test(what_a_large_store_held_comes_back),
		cmocka_unit_test(it_comes_back_while_the_rest_of_the_disk_is_in_use),
		cmocka_unit_test(a_page_made_zero_piece_by_piece_leaves_no_entry),
		cmocka_unit_test(zeroes_written_where_nothing_is_stored_cost_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
