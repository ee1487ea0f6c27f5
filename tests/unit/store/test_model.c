/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random requests against the page store and against a plain array: both must
 * always agree, also where memory runs short in the middle of a request.
 */
#include "store_helper.h"

struct model {
	struct store *store;
	struct rng rng;
	uint64_t size;
	unsigned char *shadow; /* what the disk must hold */
	unsigned char *buf;    /* as large as the disk */
	bool limited;	       /* requests may fail for want of memory */
	unsigned int failures; /* requests that did */
};

static void model_init(struct model *model, uint64_t size, uint64_t memlimit, uint64_t seed)
{
	memset(model, 0, sizeof(*model));
	model->store = store_of(size, memlimit);
	model->rng.state = seed;
	model->size = size;
	model->limited = memlimit != STORE_NO_LIMIT;
	model->shadow = calloc(1, size);
	model->buf = malloc(size);
	assert_non_null(model->shadow);
	assert_non_null(model->buf);
}

static void model_done(struct model *model)
{
	must_read(model->store, model->shadow, (uint32_t)model->size, 0);
	store_done(model->store);
	free(model->shadow);
	free(model->buf);
}

/* A range as requests have them: mostly some pages, sometimes odd, sometimes long. */
static uint32_t any_range(struct model *model, uint64_t *offset)
{
	struct rng *rng = &model->rng;
	uint64_t count;

	*offset = rng_below(rng, model->size);
	switch (rng_below(rng, 5)) {
	case 0:
	case 1:
		*offset -= *offset % PAGE;
		count = PAGE * (1 + rng_below(rng, 8));
		break;
	case 2:
		count = 1 + rng_below(rng, 64);
		break;
	case 3:
		count = 1 + rng_below(rng, 3 * PAGE);
		break;
	default:
		count = 1 + rng_below(rng, model->size / 4 + 1);
		break;
	}
	if (count > model->size - *offset)
		count = model->size - *offset;
	return (uint32_t)count;
}

/* A request failed: only allowed where memory is short. */
static void accept_failure(struct model *model, const unsigned char *wanted, uint32_t count,
			   uint64_t offset, int err)
{
	assert_true(model->limited);
	model->failures++;
	accept_prefix(model->store, model->shadow, wanted, count, offset, err);
}

static void do_write(struct model *model)
{
	uint64_t offset;
	uint32_t count = any_range(model, &offset);
	int err;

	data_fill_any(&model->rng, model->buf, count);
	err = store_write(model->store, model->buf, count, offset);
	if (err)
		accept_failure(model, model->buf, count, offset, err);
	else
		memcpy(model->shadow + offset, model->buf, count);
}

static void do_zero(struct model *model)
{
	uint64_t offset;
	uint32_t count = any_range(model, &offset);
	int err = store_zero(model->store, count, offset);

	if (err) {
		memset(model->buf, 0, count);
		accept_failure(model, model->buf, count, offset, err);
	} else {
		memset(model->shadow + offset, 0, count);
	}
}

static void do_read(struct model *model)
{
	uint64_t offset;
	uint32_t count = any_range(model, &offset);

	must_read(model->store, model->shadow + offset, count, offset);
}

/* An extent that is called a hole must be zero, and whole pages of zeroes are holes. */
static int compare_extent(void *opaque, uint64_t offset, uint64_t length, bool hole)
{
	struct model *model = opaque;
	uint64_t page;

	assert_true(length <= model->size - offset);
	if (hole) {
		assert_true(data_is_zero(model->shadow + offset, length));
		return 0;
	}
	for (page = offset / PAGE; page * PAGE < offset + length; page++) {
		uint64_t len = model->size - page * PAGE < PAGE ? model->size - page * PAGE : PAGE;

		assert_false(data_is_zero(model->shadow + page * PAGE, len));
	}
	return 0;
}

static void do_extents(struct model *model)
{
	uint64_t offset;
	uint32_t count = any_range(model, &offset);

	assert_int_equal(store_extents(model->store, count, offset, compare_extent, model), 0);
}

/* What the statistics must say of the shadow. */
static void check_counts(struct model *model)
{
	struct ramzswap_stats stats = stats_of(model->store);
	uint64_t stored = 0, same = 0, partial = 0;

	for (uint64_t at = 0; at < model->size; at += PAGE) {
		const unsigned char *page = model->shadow + at;

		if (model->size - at < PAGE) {
			partial = !data_is_zero(page, model->size - at);
			continue;
		}
		if (memcmp(page, page + 8, PAGE - 8) != 0)
			stored++;
		else if (!data_is_zero(page, PAGE))
			same++;
	}
	/* The partial page at the end may count as either. */
	assert_int_equal(stats.pages_stored + stats.same_pages - stats.pages_zero,
			 stored + same + partial);
	assert_uint_in_range(stats.pages_stored, stored, stored + partial);
	assert_int_equal(stats.orig_data_size, stats.pages_stored * PAGE);
	assert_true(stats.compr_data_size <= stats.pages_stored * PAGE);
	assert_int_equal(stats.pages_expand, stats.huge_pages);
	assert_true(stats.mem_used_total >= stats.compr_data_size);
	assert_true(stats.mem_used_total <= stats.mem_used_max);
}

static void check_all(struct model *model)
{
	must_be_sound(model->store);
	check_counts(model);
	must_read(model->store, model->shadow, (uint32_t)model->size, 0);
}

static void step(struct model *model)
{
	switch (rng_below(&model->rng, 40)) {
	default:
		do_write(model);
		break;
	case 0 ... 7:
		do_zero(model);
		break;
	case 8 ... 19:
		do_read(model);
		break;
	case 20 ... 23:
		do_extents(model);
		break;
	case 24:
		(void)store_compact(model->store, NULL);
		break;
	case 25:
	case 26:
		(void)store_work(model->store);
		break;
	}
}

static void run(struct model *model, unsigned int steps)
{
	for (unsigned int i = 0; i < steps; i++) {
		step(model);
		if (i % 8 == 0)
			must_be_sound(model->store);
		if (i % 64 == 0)
			check_all(model);
		if (rng_below(&model->rng, 1000) == 0) {
			store_reset(model->store);
			memset(model->shadow, 0, model->size);
			check_all(model);
		}
	}
	check_all(model);
}

static void random_requests_agree_with_a_plain_array(void **state)
{
	static const uint64_t sizes[] = { 5 * PAGE, 100 * PAGE + 1, 2 * MIB + 12345 };
	uint64_t seed = rng_seed(40);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct model model;

		model_init(&model, sizes[i], STORE_NO_LIMIT, seed + i);
		run(&model, 3000);
		assert_int_equal(model.failures, 0);
		model_done(&model);
	}
}

static void random_requests_agree_where_memory_is_short(void **state)
{
	uint64_t seed = rng_seed(50);
	struct model model;

	model_init(&model, 6 * MIB + 777, 3 * MIB / 2, seed);
	run(&model, 3000);
	assert_true(stats_of(model.store).mem_used_max <= 3 * MIB / 2);
	assert_true(model.failures > 10);
	model_done(&model);
}

static void random_requests_agree_while_the_limit_moves(void **state)
{
	uint64_t seed = rng_seed(60), size = 4 * MIB, minimum = store_memlimit_min(size);
	struct model model;

	model_init(&model, size, 3 * MIB, seed);
	for (int round = 0; round < 40; round++) {
		uint64_t limit = minimum + rng_below(&model.rng, 2 * MIB);

		assert_int_equal(store_set_memlimit(model.store, limit), 0);
		run(&model, 100);
	}
	assert_true(model.failures > 10);
	assert_int_equal(store_set_memlimit(model.store, STORE_NO_LIMIT), 0);
	model.failures = 0;
	run(&model, 200);
	assert_int_equal(model.failures, 0);
	model_done(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_requests_agree_with_a_plain_array),
		cmocka_unit_test(random_requests_agree_where_memory_is_short),
		cmocka_unit_test(random_requests_agree_while_the_limit_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
