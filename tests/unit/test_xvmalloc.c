/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Promises of allocator/xvmalloc.h, and a model test against a plain shadow. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
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

static uint32_t random_below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 32) * bound >> 32);
}

static int set_up(void **state)
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

static int tear_down(void **state)
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

static struct xv_stats stats_of(struct xv_pool *pool)
{
	struct xv_stats stats;

	xv_get_stats(pool, &stats);
	assert_int_equal(stats.spans * XV_SPAN_SIZE, stats.used + stats.free + stats.overhead);
	return stats;
}

static void assert_sound(struct xv_pool *pool)
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

static unsigned char expected_byte(const struct object *object, uint32_t at)
{
	return (unsigned char)((object->seed + at) * 2654435761u >> 24);
}

static void fill(struct xv_pool *pool, const struct object *object)
{
	unsigned char *bytes = xv_map(pool, object->handle);

	for (uint32_t i = 0; i < object->size; i++)
		bytes[i] = expected_byte(object, i);
}

static void assert_intact(struct xv_pool *pool, const struct object *object)
{
	const unsigned char *bytes = xv_map(pool, object->handle);

	assert_int_equal(xv_size(pool, object->handle), object->size);
	for (uint32_t i = 0; i < object->size; i++)
		if (bytes[i] != expected_byte(object, i))
			fail_msg("byte %u of an object of %u changed", i, object->size);
}

/* Mostly like compressed pages, with the extremes mixed in. */
static uint32_t random_size(void)
{
	switch (random_below(8)) {
	case 0:
		return 1 + random_below(64);
	case 1:
		return 1 + random_below(XV_OBJECT_MAX);
	case 2:
		return XV_OBJECT_MAX;
	default:
		return 500 + random_below(1500);
	}
}

static int make(struct xv_pool *pool, struct object *object, uint32_t size)
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

static void drop(struct xv_pool *pool, struct object *object)
{
	xv_prefetch(pool, object->handle);
	assert_intact(pool, object);
	xv_will_free(pool, object->handle);
	xv_free(pool, object->handle);
	object->handle = XV_NULL;
}

static void test_bad_arguments_are_refused_and_outputs_untouched(void **state)
{
	struct fixture *f = *state;
	struct span_source_config odd = { .unit = 4096, .units_max = 16 };
	struct xv_config config = { .source = f->source, .spans_max = XV_SPANS_MAX + 1 };
	struct xv_pool *const mark = (void *)&odd;
	struct xv_pool *pool = mark;
	uint32_t handle = 5;

	assert_int_equal(xv_create(&pool, &config), -EINVAL);
	config = (struct xv_config){ 0 };
	assert_int_equal(xv_create(&pool, &config), -EINVAL);
	assert_int_equal(span_source_create(&config.source, &odd), 0);
	assert_int_equal(xv_create(&pool, &config), -EINVAL);
	span_source_destroy(config.source);
	config.source = f->source;
	span_fail_after(0);
	assert_int_equal(xv_create(&pool, &config), -ENOMEM);
	assert_ptr_equal(pool, mark);

	assert_int_equal(xv_alloc(f->pool, 0, 0, &handle), -EINVAL);
	assert_int_equal(xv_alloc(f->pool, XV_OBJECT_MAX + 1, 0, &handle), -EINVAL);
	assert_int_equal(xv_alloc(f->pool, SIZE_MAX, 0, &handle), -EINVAL);
	assert_int_equal(handle, 5);
	xv_free(f->pool, XV_NULL);
	xv_prefetch(f->pool, XV_NULL);
	xv_will_free(f->pool, XV_NULL);
	xv_destroy(NULL);
	assert_sound(f->pool);
}

static void test_every_size_is_kept_exactly(void **state)
{
	struct fixture *f = *state;
	struct object *objects = calloc(XV_OBJECT_MAX + 1, sizeof(*objects));
	uint64_t requested = 0;

	for (uint32_t size = 1; size <= XV_OBJECT_MAX; size++) {
		assert_int_equal(make(f->pool, &objects[size], size), 0);
		requested += size;
	}
	assert_int_equal(stats_of(f->pool).requested, requested);
	assert_int_equal(stats_of(f->pool).objects, XV_OBJECT_MAX);
	assert_sound(f->pool);
	for (uint32_t size = 1; size <= XV_OBJECT_MAX; size++)
		drop(f->pool, &objects[size]);
	assert_int_equal(stats_of(f->pool).spans, 0);
	assert_int_equal(atomic_load(&f->budget.used), 0);
	assert_sound(f->pool);
	free(objects);
}

/* At most 4 bytes of header and 3 of rounding, and no span begun in vain. */
static void test_header_is_four_bytes_and_fill_leaves_no_gaps(void **state)
{
	struct fixture *f = *state;
	struct xv_stats stats;
	uint32_t handle;

	for (int i = 0; i < 20000; i++)
		assert_int_equal(xv_alloc(f->pool, 1024, 0, &handle), 0);
	stats = stats_of(f->pool);
	assert_int_equal(stats.used, 20000 * 1028);
	assert_int_equal(stats.spans, 20000 / (XV_SPAN_SIZE / 1028) + 1);
}

static void test_shrunk_object_keeps_its_start_and_frees_its_end(void **state)
{
	struct fixture *f = *state;
	struct object a, b, c;
	uint32_t handle;

	assert_int_equal(make(f->pool, &a, 4000), 0);
	assert_int_equal(make(f->pool, &b, 100), 0);
	a.size = 1001;
	xv_shrink(f->pool, a.handle, a.size);
	assert_sound(f->pool);
	assert_intact(f->pool, &a);
	assert_intact(f->pool, &b);
	assert_int_equal(stats_of(f->pool).requested, 1101);
	assert_int_equal(make(f->pool, &c, 4000 - 1004 - 4), 0);
	assert_ptr_equal(xv_map(f->pool, c.handle), (char *)xv_map(f->pool, a.handle) + 1008);

	/* Shrinking to the same size, by a byte, and next to a free block. */
	xv_shrink(f->pool, a.handle, a.size);
	xv_shrink(f->pool, a.handle, --a.size);
	assert_intact(f->pool, &a);
	drop(f->pool, &c);
	a.size = 990;
	xv_shrink(f->pool, a.handle, a.size);
	assert_sound(f->pool);
	a.size = 1;
	xv_shrink(f->pool, a.handle, a.size);
	assert_intact(f->pool, &a);
	assert_int_equal(xv_alloc(f->pool, 4000 - 12, 0, &handle), 0);
	assert_sound(f->pool);
}

static void test_nogrow_and_pool_limit_stop_with_enospc(void **state)
{
	struct fixture *f = *state;
	struct xv_config config = { .source = f->source, .spans_max = 2 };
	struct xv_pool *small;
	uint32_t handle = 9, last = 0;
	int err, count = 0;

	assert_int_equal(xv_alloc(f->pool, 10, XV_NOGROW, &handle), -ENOSPC);
	assert_int_equal(handle, 9);
	assert_int_equal(xv_create(&small, &config), 0);
	while (!(err = xv_alloc(small, 4096, 0, &handle))) {
		last = handle;
		count++;
	}
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(count, 2 * (XV_SPAN_SIZE / 4100));
	assert_int_equal(handle, last);
	xv_free(small, last);
	assert_int_equal(xv_alloc(small, 4096, XV_NOGROW, &handle), 0);
	assert_int_equal(stats_of(f->pool).spans, 0);
	assert_sound(small);
	xv_destroy(small);
}

static void test_budget_spent_is_enospc_and_freeing_makes_room(void **state)
{
	struct fixture *f = *state;
	struct object objects[32];
	int n = 0;

	atomic_store(&f->budget.limit, XV_SPAN_SIZE + 100);
	while (n < 32 && !make(f->pool, &objects[n], 4096))
		n++;
	assert_int_equal(n, XV_SPAN_SIZE / 4100);
	drop(f->pool, &objects[7]);
	assert_int_equal(make(f->pool, &objects[7], 4096), 0);
	assert_sound(f->pool);
}

/* Runs the same work with the Nth request for memory refused, for every N. */
static void test_every_refused_span_leaves_the_pool_sound(void **state)
{
	struct fixture *f = *state;

	for (int nth = 0; nth < 12; nth++) {
		struct object objects[200] = { 0 };
		int refused = 0;

		span_fail_after(nth);
		for (int i = 0; i < 200; i++) {
			int err = make(f->pool, &objects[i], random_size());

			assert_true(err == 0 || err == -ENOMEM);
			refused += err == -ENOMEM;
		}
		span_fail_after(-1);
		assert_int_equal(refused, stats_of(f->pool).spans >= (uint64_t)nth);
		assert_sound(f->pool);
		for (int i = 0; i < 200; i++)
			if (objects[i].handle)
				drop(f->pool, &objects[i]);
		assert_int_equal(stats_of(f->pool).spans, 0);
	}
}

static void test_random_work_agrees_with_a_shadow(void **state)
{
	struct fixture *f = *state;
	enum { SLOTS = 3000, STEPS = 60000 };
	struct object *objects = calloc(SLOTS, sizeof(*objects));
	uint64_t requested = 0, live = 0;

	for (int step = 0; step < STEPS; step++) {
		struct object *object = &objects[random_below(SLOTS)];
		/* The load swells and ebbs, so that spans come and go. */
		bool grow = random_below(100) < (step / 10000 % 2 ? 30u : 80u);

		if (!object->handle) {
			if (grow) {
				assert_int_equal(make(f->pool, object, random_size()), 0);
				requested += object->size;
				live++;
			}
		} else if (random_below(4) == 0) {
			requested -= object->size;
			object->size = 1 + random_below(object->size);
			xv_shrink(f->pool, object->handle, object->size);
			requested += object->size;
			assert_intact(f->pool, object);
		} else if (!grow) {
			requested -= object->size;
			live--;
			drop(f->pool, object);
		}
		if (step % 1000 == 0) {
			assert_sound(f->pool);
			assert_int_equal(stats_of(f->pool).requested, requested);
			assert_int_equal(stats_of(f->pool).objects, live);
		}
	}
	for (int i = 0; i < SLOTS; i++)
		if (objects[i].handle)
			drop(f->pool, &objects[i]);
	assert_sound(f->pool);
	assert_int_equal(stats_of(f->pool).spans, 0);
	assert_int_equal(atomic_load(&f->budget.used), 0);
	free(objects);
}

/* One pass as xvmalloc.h describes it.  Returns the number of spans given back. */
static uint32_t compact(struct xv_pool *pool, struct object *objects, int count, uint64_t goal)
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

static void test_compaction_returns_what_was_freed(void **state)
{
	struct fixture *f = *state;
	enum { COUNT = 20000 };
	struct object *objects = calloc(COUNT, sizeof(*objects));
	uint64_t before, after;

	for (int i = 0; i < COUNT; i++)
		assert_int_equal(make(f->pool, &objects[i], 200 + random_below(2000)), 0);
	for (int i = 0; i < COUNT; i++)
		if (random_below(4))
			drop(f->pool, &objects[i]);
	before = stats_of(f->pool).spans;
	for (int pass = 0; pass < 10; pass++)
		if (!compact(f->pool, objects, COUNT, stats_of(f->pool).used / 50))
			break;
	assert_sound(f->pool);
	after = stats_of(f->pool).spans;
	assert_int_equal(stats_of(f->pool).spans_drained, before - after);
	assert_true(stats_of(f->pool).objects_moved > 0);
	assert_true(after * XV_SPAN_SIZE <= stats_of(f->pool).requested * 109 / 100);
	for (int i = 0; i < COUNT; i++)
		if (objects[i].handle)
			drop(f->pool, &objects[i]);
	assert_int_equal(stats_of(f->pool).spans, 0);
	free(objects);
}

static void test_nothing_is_allocated_in_a_span_being_drained(void **state)
{
	struct fixture *f = *state;
	enum { COUNT = 2000 };
	struct object objects[COUNT], extra;
	uint32_t draining = 0;

	for (int i = 0; i < COUNT; i++)
		assert_int_equal(make(f->pool, &objects[i], 1000), 0);
	for (int i = 0; i < COUNT; i++)
		if (i % 3)
			drop(f->pool, &objects[i]);
	assert_int_not_equal(xv_drain_begin(f->pool, 0), 0);
	for (int i = 0; i < COUNT; i += 3)
		draining += xv_draining(f->pool, objects[i].handle);
	assert_int_not_equal(draining, 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(make(f->pool, &extra, random_size()), 0);
		assert_false(xv_draining(f->pool, extra.handle));
	}
	/* Owners go on freeing and shrinking there. */
	for (int i = 0; i < COUNT; i += 6)
		drop(f->pool, &objects[i]);
	for (int i = 3; i < COUNT; i += 6) {
		xv_shrink(f->pool, objects[i].handle, 500);
		objects[i].size = 500;
	}
	assert_sound(f->pool);
	xv_drain_end(f->pool);
	assert_sound(f->pool);
	for (int i = 3; i < COUNT; i += 6) {
		assert_false(xv_draining(f->pool, objects[i].handle));
		drop(f->pool, &objects[i]);
	}
	assert_sound(f->pool);
}

/* A drain must not make a pool seem full: its spans are given up first. */
static void test_free_room_in_draining_spans_is_used_before_enospc(void **state)
{
	struct fixture *f = *state;
	enum { COUNT = 4 * (XV_SPAN_SIZE / 4100) };
	struct object objects[COUNT], more[COUNT];
	int made = 0;

	for (int i = 0; i < COUNT; i++)
		assert_int_equal(make(f->pool, &objects[i], 4096), 0);
	for (int i = 0; i < COUNT; i += 2)
		drop(f->pool, &objects[i]);
	assert_int_not_equal(xv_drain_begin(f->pool, 0), 0);
	atomic_store(&f->budget.limit, atomic_load(&f->budget.used));
	while (made < COUNT && !make(f->pool, &more[made], 4096))
		made++;
	assert_int_equal(made, COUNT / 2);
	assert_int_equal(stats_of(f->pool).spans, 4);
	assert_sound(f->pool);
	assert_int_equal(xv_drain_end(f->pool), 0);
	for (int i = 0; i < COUNT; i++) {
		if (i % 2)
			drop(f->pool, &objects[i]);
		else
			drop(f->pool, &more[i / 2]);
	}
	assert_sound(f->pool);
}

/*
 * Each of 28 spans holds one large object, and 20 are filled up with others until
 * no gap is large enough for it.  All 8 sparse spans are picked, and what is in
 * them fits nowhere else: one must be given up, to take in the others.
 */
static void test_objects_without_room_elsewhere_are_packed_together(void **state)
{
	struct fixture *f = *state;
	enum { SPANS = 28, FULL = 20, PER_SPAN = XV_SPAN_SIZE / 4100 };
	struct object objects[SPANS * PER_SPAN];
	uint32_t handle;

	for (int i = 0; i < SPANS * PER_SPAN; i++)
		assert_int_equal(make(f->pool, &objects[i], 4096), 0);
	for (int i = 0; i < SPANS * PER_SPAN; i++)
		if (i % PER_SPAN)
			drop(f->pool, &objects[i]);
	for (int i = 0; i < FULL * 14; i++)
		assert_int_equal(xv_alloc(f->pool, 4092, XV_NOGROW, &handle), 0);
	assert_int_equal(stats_of(f->pool).spans, SPANS);
	assert_int_equal(compact(f->pool, objects, SPANS * PER_SPAN, 0), SPANS - FULL - 1);
	assert_int_equal(stats_of(f->pool).spans, FULL + 1);
	assert_sound(f->pool);
	for (int i = 0; i < SPANS * PER_SPAN; i += PER_SPAN)
		drop(f->pool, &objects[i]);
}

static void test_goal_keeps_so_much_free(void **state)
{
	struct fixture *f = *state;
	enum { COUNT = 4000 };
	struct object *objects = calloc(COUNT, sizeof(*objects));
	uint64_t goal = 20 * XV_SPAN_SIZE;

	for (int i = 0; i < COUNT; i++)
		assert_int_equal(make(f->pool, &objects[i], 1500), 0);
	for (int i = 0; i < COUNT; i += 2)
		drop(f->pool, &objects[i]);
	assert_int_equal(xv_drain_begin(f->pool, UINT64_MAX), 0);
	xv_drain_end(f->pool);
	assert_int_not_equal(compact(f->pool, objects, COUNT, goal), 0);
	assert_true(stats_of(f->pool).free >= goal);
	free(objects);
}

struct worker {
	struct xv_pool *pool;
	uint32_t seed;
	const char *failed;
};

static void *churn(void *data)
{
	struct worker *worker = data;
	struct xv_pool *pool = worker->pool;
	uint32_t handles[64] = { 0 };
	uint32_t seed = worker->seed;

	for (int step = 0; step < 20000; step++) {
		uint32_t slot, size;

		seed = seed * 1664525 + 1013904223;
		slot = seed >> 26;
		size = 1 + (seed >> 8) % XV_OBJECT_MAX;
		if (handles[slot]) {
			unsigned char *bytes = xv_map(pool, handles[slot]);
			size_t last = xv_size(pool, handles[slot]) - 1;

			if (bytes[0] != (unsigned char)worker->seed ||
			    bytes[last] != (unsigned char)worker->seed)
				worker->failed = "an object changed";
			xv_free(pool, handles[slot]);
			handles[slot] = XV_NULL;
			continue;
		}
		if (xv_alloc(pool, size, 0, &handles[slot]))
			worker->failed = "no memory";
		else
			memset(xv_map(pool, handles[slot]), (int)worker->seed, size);
	}
	for (int i = 0; i < 64; i++)
		xv_free(pool, handles[i]);
	return NULL;
}

static void test_threads_share_a_pool(void **state)
{
	struct fixture *f = *state;
	struct worker workers[4];
	pthread_t threads[4];
	uint32_t handle = 3;

	for (uint32_t i = 0; i < 4; i++) {
		workers[i] = (struct worker){ .pool = f->pool, .seed = i + 1 };
		assert_int_equal(pthread_create(&threads[i], NULL, churn, &workers[i]), 0);
	}
	for (int i = 0; i < 50; i++) {
		struct xv_stats stats;
		int err = xv_alloc(f->pool, 100, XV_TRY, &handle);

		assert_true(err == 0 || err == -EBUSY);
		if (!err)
			xv_free(f->pool, handle);
		xv_get_stats(f->pool, &stats);
		assert_sound(f->pool);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		if (workers[i].failed)
			fail_msg("%s", workers[i].failed);
	}
	assert_sound(f->pool);
	assert_int_equal(stats_of(f->pool).objects, 0);
	assert_int_equal(stats_of(f->pool).spans, 0);
}

/* Objects with an owner's lock each, as xvmalloc.h wants it of those who compact. */
struct owners {
	struct xv_pool *pool;
	struct owned {
		pthread_mutex_t lock;
		struct object object;
	} *owned;
	uint32_t count;
	atomic_uint_least32_t working;
	atomic_uint_least32_t seed;
	const char *_Atomic failed;
};

static bool intact(struct xv_pool *pool, const struct object *object)
{
	const unsigned char *bytes = xv_map(pool, object->handle);

	if (xv_size(pool, object->handle) != object->size)
		return false;
	for (uint32_t i = 0; i < object->size; i++)
		if (bytes[i] != expected_byte(object, i))
			return false;
	return true;
}

/* Replaces, shrinks and drops objects at random; mostly drops in the second half. */
static void *own(void *data)
{
	enum { STEPS = 30000 };
	struct owners *owners = data;
	uint32_t seed = atomic_fetch_add(&owners->seed, 7919);

	for (int step = 0; step < STEPS; step++) {
		struct owned *owned;
		struct object made, old;

		seed = seed * 1664525 + 1013904223;
		owned = &owners->owned[(seed >> 8) % owners->count];
		made.size = 1 + (seed >> 7) % 3000;
		made.seed = seed;
		if (step > STEPS / 2 && seed >> 30)
			made.handle = XV_NULL;
		else if (xv_alloc(owners->pool, made.size, 0, &made.handle))
			owners->failed = "no memory";
		else
			fill(owners->pool, &made);

		pthread_mutex_lock(&owned->lock);
		old = owned->object;
		xv_prefetch(owners->pool, old.handle);
		if (old.handle && !intact(owners->pool, &old))
			owners->failed = "an object changed";
		owned->object = made;
		if (old.handle)
			xv_free(owners->pool, old.handle);
		pthread_mutex_unlock(&owned->lock);
	}
	atomic_fetch_sub(&owners->working, 1);
	return NULL;
}

static void compact_owned(struct owners *owners)
{
	if (!xv_drain_begin(owners->pool, 0))
		return;
	for (uint32_t i = 0; i < owners->count; i++) {
		struct owned *owned = &owners->owned[i];
		uint32_t moved;

		pthread_mutex_lock(&owned->lock);
		if (owned->object.handle && xv_draining(owners->pool, owned->object.handle) &&
		    !xv_move(owners->pool, owned->object.handle, &moved)) {
			xv_free(owners->pool, owned->object.handle);
			owned->object.handle = moved;
		}
		pthread_mutex_unlock(&owned->lock);
	}
	xv_drain_end(owners->pool);
}

static void test_compaction_beside_threads_loses_nothing(void **state)
{
	struct fixture *f = *state;
	struct owners owners = { .pool = f->pool, .count = 3000, .working = 3, .seed = 1 };
	pthread_t threads[3];

	owners.owned = calloc(owners.count, sizeof(*owners.owned));
	for (uint32_t i = 0; i < owners.count; i++)
		pthread_mutex_init(&owners.owned[i].lock, NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, own, &owners), 0);
	while (atomic_load(&owners.working)) {
		compact_owned(&owners);
		assert_sound(f->pool);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	if (owners.failed)
		fail_msg("%s", owners.failed);
	assert_int_not_equal(stats_of(f->pool).objects_moved, 0);
	for (uint32_t i = 0; i < owners.count; i++) {
		if (owners.owned[i].object.handle)
			drop(f->pool, &owners.owned[i].object);
		pthread_mutex_destroy(&owners.owned[i].lock);
	}
	assert_int_equal(stats_of(f->pool).spans, 0);
	free(owners.owned);
}

static void test_pools_share_a_source_and_a_budget(void **state)
{
	struct fixture *f = *state;
	struct xv_config config = { .source = f->source };
	struct xv_pool *other;
	struct object a, b;

	assert_int_equal(xv_create(&other, &config), 0);
	assert_int_equal(make(f->pool, &a, 3000), 0);
	assert_int_equal(make(other, &b, 3000), 0);
	assert_int_equal(a.handle, b.handle);
	assert_ptr_not_equal(xv_map(f->pool, a.handle), xv_map(other, b.handle));
	assert_int_equal(atomic_load(&f->budget.used), 2 * XV_SPAN_SIZE);
	assert_intact(f->pool, &a);
	xv_destroy(other);
	assert_int_equal(atomic_load(&f->budget.used), XV_SPAN_SIZE);
	assert_intact(f->pool, &a);
}

#define pool_test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		pool_test(test_bad_arguments_are_refused_and_outputs_untouched),
		pool_test(test_every_size_is_kept_exactly),
		pool_test(test_header_is_four_bytes_and_fill_leaves_no_gaps),
		pool_test(test_shrunk_object_keeps_its_start_and_frees_its_end),
		pool_test(test_nogrow_and_pool_limit_stop_with_enospc),
		pool_test(test_budget_spent_is_enospc_and_freeing_makes_room),
		pool_test(test_every_refused_span_leaves_the_pool_sound),
		pool_test(test_random_work_agrees_with_a_shadow),
		pool_test(test_compaction_returns_what_was_freed),
		pool_test(test_nothing_is_allocated_in_a_span_being_drained),
		pool_test(test_free_room_in_draining_spans_is_used_before_enospc),
		pool_test(test_objects_without_room_elsewhere_are_packed_together),
		pool_test(test_goal_keeps_so_much_free),
		pool_test(test_threads_share_a_pool),
		pool_test(test_compaction_beside_threads_loses_nothing),
		pool_test(test_pools_share_a_source_and_a_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
