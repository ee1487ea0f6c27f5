/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recompression of idle pages: what it promises to those who read and write meanwhile. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "store_helper.h"
#include "store/recompress.h"

#define PAGES 512u

static void fill(unsigned char *data, enum data_kind kind)
{
	struct rng rng = { 1 };

	for (size_t i = 0; i < PAGES; i++)
		data_fill(&rng, kind, data + i * PAGE, PAGE);
}

static unsigned char *new_data(enum data_kind kind)
{
	unsigned char *data = malloc(PAGES * PAGE);

	assert_non_null(data);
	fill(data, kind);
	return data;
}

static void pages_get_smaller_and_read_the_same(void **state)
{
	struct store *store = store_of(PAGES * PAGE, STORE_NO_LIMIT);
	unsigned char *data = new_data(DATA_TEXT);
	struct ramzswap_stats before, after;
	uint64_t won = 0;

	must_write(store, data, PAGES * PAGE, 0);
	before = stats_of(store);
	assert_int_equal(store_recompress(store, &won, NULL), 0);
	after = stats_of(store);
	assert_true(won > before.compr_data_size / 50);
	assert_int_equal(before.compr_data_size - after.compr_data_size, won);
	assert_int_equal(after.recompress_bytes, won);
	assert_true(after.pages_recompressed > PAGES / 2);
	must_read(store, data, PAGES * PAGE, 0);
	free(data);
	store_done(store);
}

static void nothing_is_tried_twice(void **state)
{
	struct store *store = store_of(PAGES * PAGE, STORE_NO_LIMIT);
	unsigned char *data = new_data(DATA_TEXT);
	uint64_t won, pages;

	must_write(store, data, PAGES * PAGE, 0);
	assert_int_equal(store_recompress(store, &won, NULL), 0);
	pages = stats_of(store).pages_recompressed;
	assert_int_equal(store_recompress(store, &won, NULL), 0);
	assert_int_equal(won, 0);
	assert_int_equal(stats_of(store).pages_recompressed, pages);
	free(data);
	store_done(store);
}

static void pages_that_gain_nothing_stay_as_they_are(void **state)
{
	struct store *store = store_of(PAGES * PAGE, STORE_NO_LIMIT);
	unsigned char *data = new_data(DATA_RANDOM);
	uint64_t won = 1;

	must_write(store, data, PAGES * PAGE, 0);
	assert_int_equal(store_recompress(store, &won, NULL), 0);
	assert_int_equal(won, 0);
	assert_int_equal(stats_of(store).pages_expand, PAGES);
	must_read(store, data, PAGES * PAGE, 0);
	free(data);
	store_done(store);
}

/* Steps of the background until the pages are recompressed, or for so many seconds. */
static void work_for(struct store *store, unsigned int seconds, uint64_t pages)
{
	time_t end = time(NULL) + (time_t)seconds;

	while (time(NULL) < end && stats_of(store).pages_recompressed < pages) {
		unsigned int ms = store_work(store);

		usleep((ms < 20 ? ms : 20) * 1000);
	}
}

static struct store *idle_store(void)
{
	struct store_config config = {
		.size = PAGES * PAGE,
		.memlimit = STORE_NO_LIMIT,
		.recompress_seconds = 1,
		.recompress_percent = 100,
	};
	struct store *store;

	assert_int_equal(store_create(&store, &config), 0);
	return store;
}

static void idle_pages_are_found_by_themselves(void **state)
{
	struct store *store = idle_store();
	unsigned char *data = new_data(DATA_TEXT);

	must_write(store, data, PAGES * PAGE, 0);
	work_for(store, 120, PAGES / 2);
	assert_true(stats_of(store).pages_recompressed >= PAGES / 2);
	must_read(store, data, PAGES * PAGE, 0);
	free(data);
	store_done(store);
}

static struct store *read_meanwhile;
static unsigned int tried;

/* A codec that wins nothing, and is interrupted by a request while it tries. */
static int compress_while_a_page_is_read(enum codec_effort effort, void *workspace,
					 const void *page, void *out)
{
	unsigned char read[PAGE];

	(void)effort, (void)workspace;
	tried++;
	assert_int_equal(store_read(read_meanwhile, read, PAGE, 0), 0);
	memcpy(out, page, PAGE);
	return CODEC_PAGE_SIZE;
}

static void the_background_stops_when_a_request_comes(void **state)
{
	const struct codec interrupted = { .name = "interrupted",
					   .compress = compress_while_a_page_is_read };
	struct store_config config = {
		.size = PAGES * PAGE,
		.memlimit = STORE_NO_LIMIT,
		.idle_codec = &interrupted,
		.recompress_seconds = 1,
		.recompress_percent = 100,
	};
	unsigned char *data = new_data(DATA_TEXT);

	assert_int_equal(store_create(&read_meanwhile, &config), 0);
	must_write(read_meanwhile, data, PAGES * PAGE, 0);
	atomic_fetch_add(&read_meanwhile->age, 100);
	tried = 0;
	/* The first one sees the write, and leaves it at that. */
	for (unsigned int step = 0; step < 10 && tried == 0; step++)
		(void)recompress_step(read_meanwhile);
	assert_int_equal(tried, 1);
	must_read(read_meanwhile, data, PAGES * PAGE, 0);
	free(data);
	store_done(read_meanwhile);
}

static void young_pages_are_left_alone(void **state)
{
	struct store *store = store_of(PAGES * PAGE, STORE_NO_LIMIT);
	unsigned char *data = new_data(DATA_TEXT);

	must_write(store, data, PAGES * PAGE, 0);
	work_for(store, 2, 1);
	assert_int_equal(stats_of(store).pages_recompressed, 0);
	free(data);
	store_done(store);
}

struct race {
	struct store *store;
	atomic_bool stop;
};

static void *recompress_again_and_again(void *arg)
{
	struct race *race = arg;
	uint64_t won;

	while (!atomic_load(&race->stop))
		(void)store_recompress(race->store, &won, NULL);
	return NULL;
}

static void a_page_written_meanwhile_keeps_what_was_written(void **state)
{
	struct race race = { .store = store_of(PAGES * PAGE, STORE_NO_LIMIT) };
	unsigned char *data = new_data(DATA_TEXT);
	struct rng rng = { 7 };
	pthread_t thread;

	must_write(race.store, data, PAGES * PAGE, 0);
	assert_int_equal(pthread_create(&thread, NULL, recompress_again_and_again, &race), 0);
	/* Nor is it a race before the other has begun. */
	for (unsigned int i = 0;
	     i < 200 * test_scale() || stats_of(race.store).pages_recompressed == 0; i++) {
		uint64_t page = rng_below(&rng, 16);

		data_fill(&rng, DATA_TEXT, data + page * PAGE, PAGE);
		must_write(race.store, data + page * PAGE, PAGE, page * PAGE);
		must_read(race.store, data + page * PAGE, PAGE, page * PAGE);
	}
	atomic_store(&race.stop, true);
	pthread_join(thread, NULL);
	must_read(race.store, data, PAGES * PAGE, 0);
	assert_true(stats_of(race.store).pages_recompressed > 0);
	free(data);
	store_done(race.store);
}

/* While a page is encoded it is written with one word, whose bits say nothing of that. */
static struct {
	struct store *store;
	uint64_t word;
	unsigned int written;
	bool gains;
} meddler;

static int meddle(enum codec_effort effort, void *workspace, const void *page, void *out)
{
	uint64_t words[PAGE / sizeof(uint64_t)];
	int len = codecs[0]->compress(effort, workspace, page, out);

	if (effort == CODEC_FAST || !meddler.store)
		return len;
	for (size_t i = 0; i < PAGE / sizeof(uint64_t); i++)
		words[i] = meddler.word;
	must_write(meddler.store, words, PAGE, 0);
	meddler.written++;
	return meddler.gains ? len : (int)CODEC_BOUND_MAX;
}

static void a_page_written_meanwhile_with_any_one_word_keeps_it(void **state)
{
	struct codec codec = *codecs[0];
	struct store_config config = { .size = 16 * PAGE,
				       .memlimit = STORE_NO_LIMIT,
				       .codec = &codec };
	struct rng rng = { 12 };

	codec.compress = meddle;
	assert_int_equal(store_create(&meddler.store, &config), 0);
	for (unsigned int bit = 0; bit < 58; bit++) {
		for (int gains = 0; gains < 2; gains++) {
			unsigned char page[PAGE];
			uint64_t words[PAGE / sizeof(uint64_t)], bytes;

			meddler.word = UINT64_C(1) << bit | 1;
			meddler.gains = gains;
			meddler.written = 0;
			data_fill(&rng, DATA_TEXT, page, PAGE);
			must_write(meddler.store, page, PAGE, 0);
			assert_int_equal(store_recompress(meddler.store, &bytes, NULL), 0);
			assert_int_equal(meddler.written, 1);
			for (size_t i = 0; i < PAGE / sizeof(uint64_t); i++)
				words[i] = meddler.word;
			must_read(meddler.store, words, PAGE, 0);
			must_be_sound(meddler.store);
		}
	}
	store_done(meddler.store);
	meddler.store = NULL;
}

static void an_interrupt_ends_it_early(void **state)
{
	struct store *store = store_of(PAGES * PAGE, STORE_NO_LIMIT);
	unsigned char *data = new_data(DATA_TEXT);
	uint64_t won = 1;

	must_write(store, data, PAGES * PAGE, 0);
	store_interrupt(store);
	assert_int_equal(store_recompress(store, &won, NULL), 0);
	assert_int_equal(won, 0);
	free(data);
	store_done(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_get_smaller_and_read_the_same),
		cmocka_unit_test(nothing_is_tried_twice),
		cmocka_unit_test(pages_that_gain_nothing_stay_as_they_are),
		cmocka_unit_test(idle_pages_are_found_by_themselves),
		cmocka_unit_test(the_background_stops_when_a_request_comes),
		cmocka_unit_test(young_pages_are_left_alone),
		cmocka_unit_test(a_page_written_meanwhile_keeps_what_was_written),
		cmocka_unit_test(a_page_written_meanwhile_with_any_one_word_keeps_it),
		cmocka_unit_test(an_interrupt_ends_it_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
