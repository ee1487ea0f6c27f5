/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request in 64 is measured, whatever order they come in. */
#include "store_helper.h"

#define ROUNDS 6400u

static struct histogram_state states[HISTOGRAM_KINDS];

static uint64_t measured(struct store *store, enum histogram_kind kind)
{
	store_get_histograms(store, states);
	return histogram_total(&states[kind]);
}

/* Reads and writes by turns, or by fours, or as much as a count of all would miss. */
static void reads_and_writes_are_measured_in_any_order(void **state)
{
	static const unsigned int every[] = { 2, 4, 8, 64 };
	unsigned char page[PAGE];
	struct rng rng = { 1 };

	data_fill(&rng, DATA_TEXT, page, PAGE);
	for (size_t i = 0; i < sizeof(every) / sizeof(*every); i++) {
		struct store *store = store_of(64 * PAGE, STORE_NO_LIMIT);
		uint64_t writes = 0, reads = 0;

		for (unsigned int j = 0; j < ROUNDS * every[i]; j++) {
			if (j % every[i] == 0) {
				must_write(store, page, PAGE, 0);
				writes++;
			} else {
				assert_int_equal(store_read(store, page, PAGE, 0), 0);
				reads++;
			}
		}
		assert_in_range(measured(store, HISTOGRAM_write_nanoseconds),
				writes / HISTOGRAM_SAMPLE / 2, writes / HISTOGRAM_SAMPLE * 2);
		assert_in_range(measured(store, HISTOGRAM_read_nanoseconds),
				reads / HISTOGRAM_SAMPLE / 2, reads / HISTOGRAM_SAMPLE * 2);
		assert_true(states[HISTOGRAM_read_nanoseconds].sum > 0);
		store_done(store);
	}
}

static void payloads_are_those_that_were_written(void **state)
{
	struct store *store = store_of(4 * MIB, STORE_NO_LIMIT);
	unsigned char *data = malloc(MIB);
	struct rng rng = { 1 };
	struct ramzswap_stats stats;
	double mean, measured_mean;

	for (unsigned int i = 0; i < 1280; i++) {
		data_fill_any(&rng, data, 8 * PAGE);
		must_write(store, data, 8 * PAGE, i % 32 * 8 * PAGE);
	}
	stats = stats_of(store);
	assert_true(measured(store, HISTOGRAM_payload_bytes) > 20);
	mean = (double)stats.payload_written / (double)stats.pages_written;
	measured_mean = (double)states[HISTOGRAM_payload_bytes].sum /
			(double)histogram_total(&states[HISTOGRAM_payload_bytes]);
	assert_true(measured_mean > mean / 2 && measured_mean < mean * 2);

	/* A page that is stored as it is, and one that takes no payload. */
	store_reset(store);
	assert_int_equal(measured(store, HISTOGRAM_payload_bytes), 0);
	data_fill(&rng, DATA_RANDOM, data, PAGE);
	for (unsigned int i = 0; i < ROUNDS; i++)
		must_write(store, data, PAGE, 0);
	memset(data, 7, PAGE);
	for (unsigned int i = 0; i < ROUNDS; i++)
		must_write(store, data, PAGE, 0);
	store_get_histograms(store, states);
	assert_in_range(states[HISTOGRAM_payload_bytes].count[10], 50, 200);
	assert_int_equal(histogram_total(&states[HISTOGRAM_payload_bytes]),
			 states[HISTOGRAM_payload_bytes].count[10]);
	free(data);
	store_done(store);
}

/* Trims, and what the background does, are no reads and no writes. */
static void nothing_else_is_measured(void **state)
{
	struct store *store = store_of(64 * PAGE, STORE_NO_LIMIT);
	uint64_t bytes;

	for (unsigned int i = 0; i < ROUNDS; i++)
		must_zero(store, PAGE, i % 64 * PAGE);
	assert_int_equal(store_recompress(store, &bytes, NULL), 0);
	for (unsigned int kind = 0; kind < HISTOGRAM_KINDS; kind++)
		assert_int_equal(measured(store, kind), 0);
	store_done(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes_are_measured_in_any_order),
		cmocka_unit_test(payloads_are_those_that_were_written),
		cmocka_unit_test(nothing_else_is_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
