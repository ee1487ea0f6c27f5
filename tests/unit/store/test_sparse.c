/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Extents tell holes, and a huge disk costs only what is stored on it. */
#include "store_helper.h"

struct extent {
	uint64_t offset, length;
	bool hole;
};

struct extents {
	struct extent list[4096];
	size_t count;
	size_t stop_after; /* 0 for never */
};

static int collect(void *opaque, uint64_t offset, uint64_t length, bool hole)
{
	struct extents *extents = opaque;
	struct extent *last = extents->count ? &extents->list[extents->count - 1] : NULL;

	assert_true(length > 0);
	if (last)
		assert_int_equal(offset, last->offset + last->length);
	/* Neighbours of one kind count as one: a store need not merge them. */
	if (last && last->hole == hole) {
		last->length += length;
	} else {
		assert_true(extents->count < 4096);
		extents->list[extents->count++] = (struct extent){ offset, length, hole };
	}
	return extents->stop_after && extents->count >= extents->stop_after ? 42 : 0;
}

static void collect_all(struct store *store, struct extents *extents, uint64_t count,
			uint64_t offset)
{
	memset(extents, 0, sizeof(*extents));
	assert_int_equal(store_extents(store, count, offset, collect, extents), 0);
	if (count == 0)
		return;
	assert_true(extents->count > 0);
	assert_int_equal(extents->list[0].offset, offset);
	assert_true(extents->list[extents->count - 1].offset +
			    extents->list[extents->count - 1].length >=
		    offset + count);
}

static void must_be_extent(const struct extents *extents, size_t i, uint64_t offset,
			   uint64_t length, bool hole)
{
	assert_true(i < extents->count);
	assert_int_equal(extents->list[i].offset, offset);
	assert_int_equal(extents->list[i].length, length);
	assert_int_equal(extents->list[i].hole, hole);
}

static void extents_tell_data_from_holes(void **state)
{
	struct store *store = store_of(64 * PAGE + 100, STORE_NO_LIMIT);
	unsigned char data[8 * PAGE];
	struct extents *extents = malloc(sizeof(*extents));
	struct rng rng = { 30 };

	collect_all(store, extents, 64 * PAGE + 100, 0);
	must_be_extent(extents, 0, 0, 64 * PAGE + 100, true);
	data_fill(&rng, DATA_TEXT, data, sizeof(data));
	must_write(store, data, sizeof(data), 10 * PAGE);
	memset(data, 0x31, PAGE);
	must_write(store, data, PAGE, 20 * PAGE);
	must_write(store, data, 1, 30 * PAGE + 17);
	must_write(store, data, 100, 64 * PAGE);
	must_zero(store, 2 * PAGE, 12 * PAGE);
	memset(data, 0, PAGE);
	must_write(store, data, PAGE, 16 * PAGE);
	collect_all(store, extents, 64 * PAGE + 100, 0);
	must_be_extent(extents, 0, 0, 10 * PAGE, true);
	must_be_extent(extents, 1, 10 * PAGE, 2 * PAGE, false);
	must_be_extent(extents, 2, 12 * PAGE, 2 * PAGE, true);
	must_be_extent(extents, 3, 14 * PAGE, 2 * PAGE, false);
	must_be_extent(extents, 4, 16 * PAGE, PAGE, true);
	must_be_extent(extents, 5, 17 * PAGE, PAGE, false);
	must_be_extent(extents, 6, 18 * PAGE, 2 * PAGE, true);
	must_be_extent(extents, 7, 20 * PAGE, PAGE, false);
	must_be_extent(extents, 8, 21 * PAGE, 9 * PAGE, true);
	must_be_extent(extents, 9, 30 * PAGE, PAGE, false);
	must_be_extent(extents, 10, 31 * PAGE, 33 * PAGE, true);
	must_be_extent(extents, 11, 64 * PAGE, 100, false);
	assert_int_equal(extents->count, 12);
	free(extents);
	store_done(store);
}

static void extents_of_any_range_start_and_end_with_it(void **state)
{
	struct store *store = store_of(16 * PAGE, STORE_NO_LIMIT);
	struct extents *extents = malloc(sizeof(*extents));
	unsigned char page[PAGE];
	struct rng rng = { 31 };

	data_fill(&rng, DATA_RANDOM, page, PAGE);
	for (uint64_t i = 0; i < 16; i += 2)
		must_write(store, page, PAGE, i * PAGE);
	for (int round = 0; round < 2000; round++) {
		uint64_t offset = rng_below(&rng, 16 * PAGE);
		uint64_t count = 1 + rng_below(&rng, 16 * PAGE - offset), end = 0;

		collect_all(store, extents, count, offset);
		for (size_t i = 0; i < extents->count; i++) {
			const struct extent *extent = &extents->list[i];

			end = extent->offset + extent->length;
			assert_int_equal(extent->hole, extent->offset / PAGE % 2);
			if (i > 0)
				assert_int_equal(extent->offset % PAGE, 0);
		}
		assert_int_equal(end, offset + count);
	}
	collect_all(store, extents, 0, 5 * PAGE);
	free(extents);
	store_done(store);
}

static void extents_end_early_where_the_caller_has_enough(void **state)
{
	struct store *store = store_of(16 * PAGE, STORE_NO_LIMIT);
	struct extents *extents = calloc(1, sizeof(*extents));

	for (uint64_t i = 0; i < 16; i += 2)
		must_write(store, "x", 1, i * PAGE);
	extents->stop_after = 3;
	assert_int_equal(store_extents(store, 16 * PAGE, 0, collect, extents), 42);
	assert_int_equal(extents->count, 3);
	free(extents);
	store_done(store);
}

/* A line of /proc/self/status in bytes: VmRSS and VmPTE count what is resident. */
static uint64_t proc_bytes(const char *name)
{
	FILE *status = fopen("/proc/self/status", "r");
	unsigned long long kb = 0;
	char line[200];

	assert_non_null(status);
	while (fgets(line, sizeof(line), status)) {
		if (strncmp(line, name, strlen(name)) == 0)
			assert_int_equal(sscanf(line + strlen(name), ": %llu kB", &kb), 1);
	}
	fclose(status);
	return kb * 1024;
}

static uint64_t resident(void)
{
	return proc_bytes("VmRSS") + proc_bytes("VmPTE");
}

/* Sanitizers keep shadow memory of their own: only their absence makes memory tell. */
static bool memory_tells(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return false;
#else
	return true;
#endif
}

/* What others do on this machine does not count. */
static double processor_seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void a_disk_of_16_tib_costs_only_what_is_stored_on_it(void **state)
{
	const uint64_t size = 16 * TIB;
	uint64_t memory = resident();
	double start = processor_seconds();
	struct store *store = store_of(size, STORE_NO_LIMIT);
	struct extents *extents = malloc(sizeof(*extents));
	static const uint64_t at[] = { 0, 5 * GIB + 3 * PAGE, 8 * TIB - PAGE, 16 * TIB - PAGE };
	unsigned char page[PAGE];
	struct rng rng = { 32 };
	size_t data = 0;

	assert_true(processor_seconds() - start < 1.0);
	data_fill(&rng, DATA_RANDOM, page, PAGE);
	for (size_t i = 0; i < 4; i++)
		must_write(store, page, PAGE, at[i]);
	for (size_t i = 0; i < 4; i++)
		must_read(store, page, PAGE, at[i]);
	must_read_zeroes(store, 1 << 20, 3 * TIB);
	assert_true(stats_of(store).mem_used_total < 8 * MIB);

	start = processor_seconds();
	collect_all(store, extents, size, 0);
	assert_int_equal(extents->count, 7);
	for (size_t i = 0; i < extents->count; i++) {
		if (!extents->list[i].hole) {
			assert_int_equal(extents->list[i].offset, at[data++]);
			assert_int_equal(extents->list[i].length, PAGE);
		}
	}
	assert_int_equal(data, 4);
	must_zero(store, size, 0);
	assert_int_equal(stats_of(store).pages_stored, 0);
	collect_all(store, extents, size, 0);
	assert_int_equal(extents->count, 1);
	store_reset(store);
	assert_true(processor_seconds() - start < 5.0);
	if (memory_tells())
		assert_true(resident() < memory + 16 * MIB);
	free(extents);
	store_done(store);
}

static void requests_that_find_nothing_leave_no_memory_behind(void **state)
{
	const uint64_t size = 1 * TIB;
	struct store *store = store_of(size, STORE_NO_LIMIT);
	uint64_t used = stats_of(store).mem_used_total, memory = resident();
	struct extents *extents = malloc(sizeof(*extents));
	unsigned char page[PAGE];

	for (uint64_t offset = 0; offset < size; offset += 64 * MIB) {
		assert_int_equal(store_read(store, page, PAGE, offset), 0);
		must_zero(store, 10, offset + 20 * PAGE + 1);
		must_zero(store, 64 * MIB - PAGE, offset);
		collect_all(store, extents, MIB, offset);
	}
	assert_true(stats_of(store).mem_used_total <= used + MIB);
	if (memory_tells())
		assert_true(resident() < memory + 8 * MIB);
	free(extents);
	store_done(store);
}

static void pages_strewn_over_a_huge_disk_are_found_again(void **state)
{
	const uint64_t size = 16 * TIB, count = 3000;
	struct store *store = store_of(size, STORE_NO_LIMIT);
	uint64_t used = stats_of(store).mem_used_total;
	unsigned char page[PAGE];

	for (uint64_t i = 0; i < count; i++) {
		struct rng rng = { i };
		uint64_t offset = rng_below(&rng, size / PAGE) * PAGE;

		/* Twice: one trim must be enough for the table to go. */
		must_write(store, "an older one", 13, offset);
		data_fill(&rng, DATA_TEXT, page, PAGE);
		must_write(store, page, PAGE, offset);
	}
	for (uint64_t i = 0; i < count; i++) {
		struct rng rng = { i };
		uint64_t offset = rng_below(&rng, size / PAGE) * PAGE;

		data_fill(&rng, DATA_TEXT, page, PAGE);
		must_read(store, page, PAGE, offset);
	}
	/* A table page of 4 KiB, a page of what finds it, and the payload. */
	assert_true(stats_of(store).mem_used_total <= used + count * 3 * PAGE);
	must_be_sound(store);
	for (uint64_t i = 0; i < count; i++) {
		struct rng rng = { i };

		must_zero(store, PAGE, rng_below(&rng, size / PAGE) * PAGE);
	}
	/* Of a large range the table goes with its pages. */
	assert_true(stats_of(store).mem_used_total <= used + count * PAGE + 2 * MIB);
	store_done(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extents_tell_data_from_holes),
		cmocka_unit_test(extents_of_any_range_start_and_end_with_it),
		cmocka_unit_test(extents_end_early_where_the_caller_has_enough),
		cmocka_unit_test(a_disk_of_16_tib_costs_only_what_is_stored_on_it),
		cmocka_unit_test(requests_that_find_nothing_leave_no_memory_behind),
		cmocka_unit_test(pages_strewn_over_a_huge_disk_are_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
