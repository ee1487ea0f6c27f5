/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of a pool share: a pool with a budget of its own, and objects
 * that know what must be in them.
 */
#ifndef RAMZSWAP_XV_HELPER_H
#define RAMZSWAP_XV_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "span.h"
#include "xvmalloc.h"

struct fixture {
	struct span_budget budget;
	struct span_source *source;
	struct xv_pool *pool;
};

static uint64_t random_state = 1;

static inline uint32_t random_below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 32) * bound >> 32);
}

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct span_source_config source = { .unit = XV_SPAN_SIZE, .units_max = 4096 };
	struct xv_config config = { 0 };

	span_budget_init(&f->budget, UINT64_MAX);
	source.budget = &f->budget;
	if (span_source_create(&f->source, &source))
		return -1;
	config.source = f->source;
	if (xv_create(&f->pool, &config))
		return -1;
	random_state = 88172645463325252ull;
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;
	uint64_t left;

	span_fail_after(-1);
	xv_destroy(f->pool);
	span_source_destroy(f->source);
	left = atomic_load(&f->budget.used);
	free(f);
	return left ? -1 : 0;
}

static inline struct xv_stats stats_of(struct xv_pool *pool)
{
	struct xv_stats stats;

	xv_get_stats(pool, &stats);
	assert_int_equal(stats.spans * XV_SPAN_SIZE, stats.used + stats.free);
	return stats;
}

static inline void assert_sound(struct xv_pool *pool)
{
	char why[200] = "";

	if (xv_check(pool, why, sizeof(why)))
		fail_msg("%s", why);
}

/* An object and what must be in it. */
struct object {
	uint32_t handle;
	uint32_t size;
	uint32_t seed;
};

static inline unsigned char expected_byte(const struct object *object, uint32_t at)
{
	return (unsigned char)((object->seed + at) * 2654435761u >> 24);
}

static inline void fill(struct xv_pool *pool, const struct object *object)
{
	unsigned char *bytes = xv_map(pool, object->handle);

	for (uint32_t i = 0; i < object->size; i++)
		bytes[i] = expected_byte(object, i);
}

static inline void assert_intact(struct xv_pool *pool, const struct object *object)
{
	const unsigned char *bytes = xv_map(pool, object->handle);

	assert_int_equal(xv_size(pool, object->handle), object->size);
	for (uint32_t i = 0; i < object->size; i++)
		if (bytes[i] != expected_byte(object, i))
			fail_msg("byte %u of an object of %u changed", i, object->size);
}

/* Mostly like compressed pages, with the extremes mixed in. */
static inline uint32_t random_size(void)
{
	switch (random_below(8)) {
	case 0:
		return 1 + random_below(64);
	case 1:
		return 1 + random_below(XV_OBJECT_MAX);
	case 2:
		return XV_OBJECT_MAX;
	case 3:
		return XV_PAGE_SIZE;
	default:
		return 500 + random_below(1500);
	}
}

static inline int make(struct xv_pool *pool, struct object *object, uint32_t size)
{
	uint32_t handle = XV_NULL;
	int err = xv_alloc(pool, size, 0, &handle);

	if (err) {
		assert_int_equal(handle, XV_NULL);
		return err;
	}
	assert_int_not_equal(handle, XV_NULL);
	object->handle = handle;
	object->size = size;
	object->seed = random_below(UINT32_MAX);
	assert_int_equal((uintptr_t)xv_map(pool, handle) % 4, 0);
	fill(pool, object);
	return 0;
}

static inline void drop(struct xv_pool *pool, struct object *object)
{
	xv_prefetch(pool, object->handle);
	assert_intact(pool, object);
	xv_will_free(pool, object->handle);
	xv_free(pool, object->handle);
	object->handle = XV_NULL;
}

/* One pass as xvmalloc.h describes it.  Returns the number of spans given back. */
static inline uint32_t compact(struct xv_pool *pool, struct object *objects, int count,
			       uint64_t goal)
{
	uint32_t moved;

	if (!xv_drain_begin(pool, goal))
		return 0;
	assert_sound(pool);
	for (int i = 0; i < count; i++) {
		if (!objects[i].handle || !xv_draining(pool, objects[i].handle))
			continue;
		if (xv_move(pool, objects[i].handle, &moved))
			continue;
		assert_intact(pool, &objects[i]);
		xv_free(pool, objects[i].handle);
		objects[i].handle = moved;
		assert_intact(pool, &objects[i]);
	}
	assert_sound(pool);
	return xv_drain_end(pool);
}

#define pool_test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
