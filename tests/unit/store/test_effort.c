/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What recompression takes of the machine, and in which order pages have their turn. */
#include <stdlib.h>

#include "base/clock.h"
#include "store/recompress.h"
#include "store/request.h"
#include "store_helper.h"

#define PAGES 512u

/* In place of libc's: a machine that has nothing else to do. */
int getloadavg(double *load, int count)
{
	for (int i = 0; i < count; i++)
		load[i] = 0;
	return count;
}

static struct {
	unsigned int count[CODEC_EFFORTS];
	unsigned int small, dense_late, large_late;
} order;

/* A codec that wins nothing, and sees in which order pages come: their first byte tells. */
static int compress_in_order(enum codec_effort effort, void *workspace, const void *page, void *out)
{
	bool small = *(const unsigned char *)page == 's';

	(void)workspace;
	order.count[effort]++;
	order.dense_late += effort == CODEC_DENSE && order.count[CODEC_MAX] > 0;
	if (effort == CODEC_MAX) {
		order.small += small;
		order.large_late += !small && order.small > 0;
	}
	memcpy(out, page, PAGE);
	return CODEC_PAGE_SIZE;
}

/* Noise and then nothing: with much of it, much may be left to win. */
static void write_small_and_large(struct store *store)
{
	struct rng rng = { 7 };

	for (unsigned int i = 0; i < PAGES; i++) {
		unsigned char page[PAGE];

		data_fill(&rng, DATA_RANDOM, page, PAGE);
		page[0] = i % 2 ? 's' : 'l';
		memset(page + (i % 2 ? 300 : 2500), 0, PAGE - (i % 2 ? 300 : 2500));
		must_write(store, page, PAGE, (uint64_t)i * PAGE);
	}
}

static struct store *store_with(const struct codec *idle_codec, unsigned int percent)
{
	struct store_config config = {
		.size = PAGES * PAGE,
		.memlimit = STORE_NO_LIMIT,
		.idle_codec = idle_codec,
		.recompress_seconds = 1,
		.recompress_percent = percent,
	};
	struct store *store;

	assert_int_equal(store_create(&store, &config), 0);
	return store;
}

/* As if pages had lain there for long, and nobody had asked for any. */
static void let_time_pass(struct store *store)
{
	atomic_fetch_add(&store->age, 100);
	store->recompress.requests_seen = store_requests(store);
	store->recompress.quiet_since = 0;
}

/* A step, whenever the last one was.  How long it is to rest, in milliseconds. */
static unsigned int step(struct store *store)
{
	store->recompress.rest_until = 0;
	return recompress_step(store);
}

static void work_until(struct store *store, unsigned int tried)
{
	for (unsigned int i = 0; i < 100000; i++) {
		(void)step(store);
		if (order.count[CODEC_DENSE] + order.count[CODEC_MAX] >= tried)
			break;
	}
	/* And no more. */
	for (unsigned int i = 0; i < 10; i++)
		(void)step(store);
}

/* All pages are written anew, idle, and nothing was seen of them. */
static void begin(struct store *store)
{
	write_small_and_large(store);
	let_time_pass(store);
	memset(&order, 0, sizeof(order));
}

/* Each page has had both its turns, small ones the second after all others. */
static void assert_order(void)
{
	assert_int_equal(order.count[CODEC_DENSE], PAGES);
	assert_int_equal(order.count[CODEC_MAX], PAGES);
	assert_int_equal(order.small, PAGES / 2);
	assert_int_equal(order.dense_late, 0);
	assert_int_equal(order.large_late, 0);
}

static void what_wins_most_for_its_time_comes_first(void **state)
{
	const struct codec ordered = { .name = "ordered", .compress = compress_in_order };
	struct store *store = store_with(&ordered, 100);
	uint64_t won;

	begin(store);
	assert_int_equal(recompress_all(store, CODEC_MAX, &won, NULL), 0);
	assert_order();
	/* And once is enough. */
	assert_int_equal(recompress_all(store, CODEC_MAX, &won, NULL), 0);
	assert_int_equal(order.count[CODEC_DENSE] + order.count[CODEC_MAX], 2 * PAGES);
	store_done(store);
}

static void and_in_the_background(void **state)
{
	const struct codec ordered = { .name = "ordered", .compress = compress_in_order };
	struct store *store = store_with(&ordered, 100);

	begin(store);
	work_until(store, 2 * PAGES);
	assert_order();
	store_done(store);
}

/* What becomes idle while others take long does not wait for them. */
static void what_becomes_idle_meanwhile_is_encoded_densely_first(void **state)
{
	const struct codec ordered = { .name = "ordered", .compress = compress_in_order };
	struct store *store = store_with(&ordered, 100);

	begin(store);
	while (order.count[CODEC_MAX] == 0)
		(void)step(store);
	begin(store);
	work_until(store, 2 * PAGES);
	assert_int_equal(order.count[CODEC_DENSE], PAGES);
	assert_int_equal(order.dense_late, 0);
	assert_int_equal(order.count[CODEC_MAX], PAGES);
	store_done(store);
}

#define SLOW_NS (4 * 1000 * 1000)

static unsigned int slow_tried;

/* A codec that wins nothing, and takes more time than a turn of the background has. */
static int compress_slowly(enum codec_effort effort, void *workspace, const void *page, void *out)
{
	uint64_t until = clock_thread_ns() + SLOW_NS;

	(void)effort, (void)workspace;
	while (clock_thread_ns() < until)
		;
	slow_tried++;
	memcpy(out, page, PAGE);
	return CODEC_PAGE_SIZE;
}

/* One step, which tries a page.  How long it is to rest, in milliseconds. */
static unsigned int rest_after_a_step(struct store *store)
{
	unsigned int before = slow_tried, rest;

	rest = step(store);
	assert_true(slow_tried > before);
	return rest;
}

/*
 * A program is swapped in by one fault after the other.  The pauses between them, in which no
 * request is under way, are not the background's, whatever share it was given.
 */
static void between_requests_it_takes_a_small_share(void **state)
{
	const struct codec slow = { .name = "slow", .compress = compress_slowly };
	struct store *store = store_with(&slow, 100);
	unsigned char page[PAGE];

	write_small_and_large(store);
	let_time_pass(store);
	assert_int_equal(rest_after_a_step(store), 1);

	let_time_pass(store);
	assert_int_equal(store_read(store, page, PAGE, 0), 0);
	assert_true(rest_after_a_step(store) >= 4 * SLOW_NS / 1000000);
	/* The next fault may be on its way. */
	assert_true(rest_after_a_step(store) >= 4 * SLOW_NS / 1000000);
	store_done(store);
}

static void and_no_more_than_was_set(void **state)
{
	const struct codec slow = { .name = "slow", .compress = compress_slowly };
	struct store *store = store_with(&slow, 10);
	unsigned char page[PAGE];

	write_small_and_large(store);
	let_time_pass(store);
	assert_true(rest_after_a_step(store) >= 9 * SLOW_NS / 1000000);
	let_time_pass(store);
	assert_int_equal(store_read(store, page, PAGE, 0), 0);
	assert_true(rest_after_a_step(store) >= 9 * SLOW_NS / 1000000);
	store_done(store);
}

/* Else a minute of the densest encoding would end it, on an idle machine. */
static void its_own_work_does_not_make_the_machine_busy(void **state)
{
	double own = 0;

	for (unsigned int step = 0; step < 5 * 60 * 10; step++)
		own = recompress_own_load(own, 100, 100 * 1000000);
	assert_true(own > 0.95 && own < 1.01);
	assert_true(recompress_may_take_long(1.2, own, 1));
	assert_false(recompress_may_take_long(1.7, own, 1));
	for (unsigned int step = 0; step < 5 * 60; step++)
		own = recompress_own_load(own, 1000, 0);
	assert_true(own < 0.05);
	assert_false(recompress_may_take_long(1.2, own, 1));
	assert_true(recompress_may_take_long(0.9, own, 2));
	/* Whoever was not asked for an hour knows nothing but the last hour. */
	assert_true(recompress_own_load(1, 3600 * 1000, 0) < 0.01);
	assert_true(recompress_own_load(0.25, 0, 0) == 0.25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_wins_most_for_its_time_comes_first),
		cmocka_unit_test(and_in_the_background),
		cmocka_unit_test(what_becomes_idle_meanwhile_is_encoded_densely_first),
		cmocka_unit_test(between_requests_it_takes_a_small_share),
		cmocka_unit_test(and_no_more_than_was_set),
		cmocka_unit_test(its_own_work_does_not_make_the_machine_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
