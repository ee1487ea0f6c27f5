/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Promises of allocator/xvmalloc.h, and a model test against a plain shadow. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "xv_helper.h"

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
	struct object a = { 0 }, b = { 0 }, c = { 0 };
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
	while (!(err = xv_alloc(small, XV_OBJECT_MAX, 0, &handle))) {
		last = handle;
		count++;
	}
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(count, 2 * (XV_SPAN_SIZE / 4104));
	assert_int_equal(handle, last);
	xv_free(small, last);
	assert_int_equal(xv_alloc(small, XV_OBJECT_MAX, XV_NOGROW, &handle), 0);
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
		/* Where so many spans were enough none was refused. */
		assert_in_range(stats_of(f->pool).spans, refused ? nth : 0, refused ? 200 : nth);
		assert_in_range(refused, nth < 3, 1);
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

struct worker {
	struct xv_pool *pool;
	uint32_t seed;
	const char *failed;
};

/* With wipe, what an object held is nowhere once it is freed, shrunk or moved away from. */
static void test_wiping_pool_overwrites_what_is_freed(void **state)
{
	struct fixture *f = *state;
	struct xv_config config = { .source = f->source, .wipe = true };
	unsigned char *object[3];
	uint32_t handle[3], moved;
	struct xv_pool *pool;

	assert_int_equal(xv_create(&pool, &config), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(xv_alloc(pool, 1001, 0, &handle[i]), 0);
		object[i] = xv_map(pool, handle[i]);
		memset(object[i], 0x5a, 1001);
	}
	xv_shrink(pool, handle[1], 500);
	assert_int_equal(object[1][499], 0x5a);
	assert_null(memchr(object[1] + 500, 0x5a, 501));
	xv_free(pool, handle[1]);
	assert_null(memchr(object[1], 0x5a, 1001));
	assert_int_equal(xv_move(pool, handle[0], &moved), 0);
	assert_memory_equal(xv_map(pool, moved), object[0], 1001);
	xv_free(pool, handle[0]);
	assert_null(memchr(object[0], 0x5a, 1001));
	assert_int_equal(object[2][0], 0x5a);
	assert_int_equal(object[2][1000], 0x5a);
	assert_sound(pool);
	xv_destroy(pool);
}

static void test_empty_pool_forgets_the_spans_it_once_had(void **state)
{
	struct span_source_config config = { .unit = XV_SPAN_SIZE, .units_max = 3000 };
	struct xv_config pool_config = { 0 };
	uint32_t *handles = calloc(3000 * 15, sizeof(*handles));
	uint32_t count = 0;
	struct xv_pool *pool;

	assert_int_equal(span_source_create(&pool_config.source, &config), 0);
	assert_int_equal(xv_create(&pool, &pool_config), 0);
	while (stats_of(pool).spans < 2500)
		for (int i = 0; i < 150; i++)
			assert_int_equal(xv_alloc(pool, XV_OBJECT_MAX, 0, &handles[count++]), 0);
	xv_forget(pool);
	assert_true(stats_of(pool).metadata > 2500 * 8);
	assert_sound(pool);
	while (count > 1)
		xv_free(pool, handles[--count]);
	xv_forget(pool);
	assert_true(stats_of(pool).metadata > 2500 * 8); /* an object is still there */
	xv_free(pool, handles[0]);
	xv_forget(pool);
	assert_true(stats_of(pool).metadata <= 12288);
	assert_sound(pool);
	for (count = 0; count < 300; count++)
		assert_int_equal(xv_alloc(pool, XV_OBJECT_MAX, 0, &handles[count]), 0);
	assert_int_equal(stats_of(pool).spans, 20);
	assert_sound(pool);
	xv_destroy(pool);
	span_source_destroy(pool_config.source);
	free(handles);
}

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

static void test_pools_share_a_source_and_a_budget(void **state)
{
	struct fixture *f = *state;
	struct xv_config config = { .source = f->source };
	struct xv_pool *other;
	struct object a = { 0 }, b = { 0 };

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
		cmocka_unit_test_setup_teardown(test_wiping_pool_overwrites_what_is_freed, set_up,
						tear_down),
		cmocka_unit_test(test_empty_pool_forgets_the_spans_it_once_had),
		pool_test(test_threads_share_a_pool),
		pool_test(test_pools_share_a_source_and_a_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
