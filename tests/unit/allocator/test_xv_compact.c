/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Promises of allocator/xvmalloc.h about compaction, alone and beside threads. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "xv_helper.h"

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
	struct object objects[COUNT], extra = { 0 };
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
	enum { COUNT = 4 * (XV_SPAN_SIZE / 4104) };
	struct object objects[COUNT], more[COUNT];
	int made = 0;

	for (int i = 0; i < COUNT; i++)
		assert_int_equal(make(f->pool, &objects[i], XV_OBJECT_MAX), 0);
	for (int i = 0; i < COUNT; i += 2)
		drop(f->pool, &objects[i]);
	assert_int_not_equal(xv_drain_begin(f->pool, 0), 0);
	atomic_store(&f->budget.limit, atomic_load(&f->budget.used));
	while (made < COUNT && !make(f->pool, &more[made], XV_OBJECT_MAX))
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
	enum { SPANS = 28, FULL = 20, PER_SPAN = XV_SPAN_SIZE / 4104 };
	struct object objects[SPANS * PER_SPAN];
	uint32_t handle;

	for (int i = 0; i < SPANS * PER_SPAN; i++)
		assert_int_equal(make(f->pool, &objects[i], XV_OBJECT_MAX), 0);
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

/* Drains that end half-way, with other work between the moves. */
static void test_random_work_between_moves_agrees_with_a_shadow(void **state)
{
	struct fixture *f = *state;
	enum { SLOTS = 3000, STEPS = 60000 };
	struct object *objects = calloc(SLOTS, sizeof(*objects));
	uint64_t requested = 0, live = 0;
	bool draining = false;

	for (int step = 0; step < STEPS; step++) {
		struct object *object = &objects[random_below(SLOTS)];
		uint32_t moved;

		if (step % 3000 == 0)
			draining = xv_drain_begin(f->pool, random_below(1 << 20)) > 0;
		if (draining && object->handle && xv_draining(f->pool, object->handle)) {
			if (!xv_move(f->pool, object->handle, &moved)) {
				xv_free(f->pool, object->handle);
				object->handle = moved;
			}
			assert_intact(f->pool, object);
		} else if (!object->handle) {
			assert_int_equal(make(f->pool, object, random_size()), 0);
			requested += object->size;
			live++;
		} else if (random_below(3) == 0) {
			requested -= object->size;
			object->size = 1 + random_below(object->size);
			xv_shrink(f->pool, object->handle, object->size);
			requested += object->size;
		} else {
			requested -= object->size;
			live--;
			drop(f->pool, object);
		}
		if (step % 3000 == 2500) {
			xv_drain_end(f->pool);
			draining = false;
		}
		if (step % 500 == 0) {
			assert_sound(f->pool);
			assert_int_equal(stats_of(f->pool).requested, requested);
			assert_int_equal(stats_of(f->pool).objects, live);
		}
	}
	assert_int_not_equal(stats_of(f->pool).objects_moved, 0);
	assert_int_not_equal(stats_of(f->pool).spans_drained, 0);
	for (int i = 0; i < SLOTS; i++)
		if (objects[i].handle)
			drop(f->pool, &objects[i]);
	assert_int_equal(stats_of(f->pool).spans, 0);
	assert_sound(f->pool);
	free(objects);
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

/* Objects with an owner's lock each, as xvmalloc.h wants it of those who compact. */
struct owners {
	struct xv_pool *pool;
	struct owned {
		pthread_mutex_t lock;
		struct object object;
	} * owned;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		pool_test(test_compaction_returns_what_was_freed),
		pool_test(test_nothing_is_allocated_in_a_span_being_drained),
		pool_test(test_free_room_in_draining_spans_is_used_before_enospc),
		pool_test(test_objects_without_room_elsewhere_are_packed_together),
		pool_test(test_random_work_between_moves_agrees_with_a_shadow),
		pool_test(test_goal_keeps_so_much_free),
		pool_test(test_compaction_beside_threads_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
