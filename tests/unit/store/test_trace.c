/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is asked of the pools is recorded, all of it: each object that the record makes it frees
 * once, whatever moved pages in between, and what is left are those of the pages that are stored.
 */
#include "alike.h"
#include "xvmalloc.h"

#define PAGES 1100u
#define HANDLES_MAX 20000u

static struct {
	uint64_t number;
	size_t size; /* 0: freed */
} object[HANDLES_MAX];

static size_t objects;

static size_t find(uint64_t number)
{
	size_t i = objects;

	while (i > 0 && (object[i - 1].number != number || object[i - 1].size == 0))
		i--;
	return i;
}

/* Reads the record; how many objects are there at its end. */
static uint64_t replay(FILE *record, uint64_t *bytes)
{
	char line[100];
	uint64_t left = 0;

	objects = 0;
	*bytes = 0;
	rewind(record);
	while (fgets(line, sizeof(line), record)) {
		unsigned long long number;
		size_t size, at;

		if (sscanf(line, "a %llx %zu", &number, &size) == 2) {
			assert_int_equal(find(number), 0);
			assert_true(objects < HANDLES_MAX);
			object[objects].number = number;
			object[objects++].size = size;
		} else {
			assert_int_equal(sscanf(line, "f %llx", &number), 1);
			at = find(number);
			assert_true(at > 0);
			object[at - 1].size = 0;
		}
	}
	for (size_t i = 0; i < objects; i++) {
		left += object[i].size > 0;
		*bytes += object[i].size;
	}
	return left;
}

static void write_pages(uint32_t version)
{
	unsigned char page[PAGE];

	for (uint64_t i = 0; i < PAGES; i++) {
		alike_page(page, i, version, 1);
		must_write(store, page, PAGE, i * PAGE);
	}
}

static void read_pages(uint32_t version)
{
	unsigned char page[PAGE];

	for (uint64_t i = 0; i < PAGES; i++) {
		alike_page(page, i, version, 1);
		must_read(store, page, PAGE, i * PAGE);
	}
}

static void the_record_is_what_the_pools_hold(void **state)
{
	struct store_config config = {
		.size = PAGES * PAGE,
		.memlimit = STORE_NO_LIMIT,
		.idle_codec = codec_find("zstd"),
		.recompress_seconds = 1,
		.trace = tmpfile(),
	};
	char why[MEDIUM_WHY_MAX] = "";
	uint64_t bytes, held = 0, requested = 0;
	struct xv_stats pools;

	if (!config.idle_codec) {
		print_message("built without zstd\n");
		skip();
	}
	assert_non_null(config.trace);
	fake = fake_medium_new(32 * MIB, 0);
	assert_int_equal(backing_create(&backing, &fake->medium, SEGMENT, true, why, sizeof(why)),
			 0);
	assert_int_equal(backing_start(backing, false), 0);
	config.backing = backing;
	assert_int_equal(store_create(&store, &config), 0);
	write_pages(1);
	write_pages(2);
	recompress_now(store);
	/* Back to the codec for speed as they are read, out to the medium, and back from there. */
	read_pages(2);
	recompress_now(store);
	write_all_back();
	read_pages(2);
	write_pages(3);
	must_zero(store, PAGES / 2 * PAGE, 0);
	(void)store_compact(store, NULL);
	for (uint64_t i = 0; i < store->pools.count; i++) {
		xv_get_stats(pools_get(&store->pools, (unsigned int)i), &pools);
		held += pools.objects;
		requested += pools.requested;
	}
	assert_true(held > 100);
	assert_int_equal(replay(config.trace, &bytes), held);
	assert_true(bytes >= requested);
	end_test();
	fclose(config.trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_record_is_what_the_pools_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
