/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Promises of allocator/xvmalloc.h about objects that are a page each. */
#include <errno.h>

#include "xv_helper.h"
#include "xv_internal.h"

#define PAGES 200

static void make_pages(struct fixture *f, struct object *objects, int count)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(make(f->pool, &objects[i], XV_PAGE_SIZE), 0);
	assert_sound(f->pool);
}

static void drop_all(struct fixture *f, struct object *objects, int count)
{
	for (int i = 0; i < count; i++)
		if (objects[i].handle)
			drop(f->pool, &objects[i]);
	assert_sound(f->pool);
}

static void sixteen_pages_are_in_a_span(void **state)
{
	struct fixture *f = *state;
	struct object objects[PAGES];
	struct xv_stats stats;

	make_pages(f, objects, PAGES);
	stats = stats_of(f->pool);
	assert_int_equal(stats.requested, PAGES * XV_PAGE_SIZE);
	/* The first has 15, and the last is not full. */
	assert_int_equal(stats.spans, 1 + (PAGES - 15 + 15) / 16);
	drop_all(f, objects, PAGES);
	assert_int_equal(stats_of(f->pool).spans, 0);
}

static void a_page_among_smaller_objects_shares_its_span_with_them(void **state)
{
	struct fixture *f = *state;
	struct object pages[4], others[4][20];

	for (int i = 0; i < 4; i++) {
		make_pages(f, &pages[i], 1);
		for (int j = 0; j < 20; j++)
			assert_int_equal(make(f->pool, &others[i][j], 3000), 0);
		assert_int_equal(stats_of(f->pool).spans, i + 1);
	}
	assert_sound(f->pool);
	for (int i = 0; i < 4; i++) {
		drop_all(f, &pages[i], 1);
		drop_all(f, others[i], 20);
	}
}

static void what_a_page_leaves_is_the_next_ones(void **state)
{
	struct fixture *f = *state;
	struct object objects[PAGES];
	uint64_t spans;

	make_pages(f, objects, PAGES);
	spans = stats_of(f->pool).spans;
	for (int round = 0; round < 50; round++) {
		for (int i = round % 3; i < PAGES; i += 3)
			drop(f->pool, &objects[i]);
		assert_sound(f->pool);
		for (int i = round % 3; i < PAGES; i += 3)
			assert_int_equal(make(f->pool, &objects[i], XV_PAGE_SIZE), 0);
		/* The last page of a span took it along, and another was made. */
		assert_true(stats_of(f->pool).spans <= spans + 1);
	}
	drop_all(f, objects, PAGES);
	assert_int_equal(stats_of(f->pool).spans, 0);
}

static void a_page_can_shrink_to_any_size_and_says_which(void **state)
{
	struct fixture *f = *state;
	struct object objects[PAGES];

	make_pages(f, objects, PAGES);
	for (uint32_t size = XV_PAGE_SIZE; size > 0; size--) {
		struct object *object = &objects[size % PAGES];

		object->size = size;
		xv_shrink(f->pool, object->handle, size);
		assert_intact(f->pool, object);
		if (size % 512 == 1)
			assert_sound(f->pool);
	}
	/* Twice, and to less each time. */
	for (int i = 0; i < PAGES; i++) {
		objects[i].size = 1;
		xv_shrink(f->pool, objects[i].handle, 1);
		assert_intact(f->pool, &objects[i]);
	}
	assert_int_equal(stats_of(f->pool).requested, PAGES);
	drop_all(f, objects, PAGES);
	/* A slot that was shrunk is a whole page's again. */
	make_pages(f, objects, PAGES);
	drop_all(f, objects, PAGES);
}

static void compaction_empties_spans_of_pages(void **state)
{
	struct fixture *f = *state;
	struct object objects[PAGES];

	make_pages(f, objects, PAGES);
	for (int i = 0; i < PAGES; i++)
		if (i % 4)
			drop(f->pool, &objects[i]);
	assert_int_not_equal(compact(f->pool, objects, PAGES, 0), 0);
	assert_sound(f->pool);
	assert_true(stats_of(f->pool).spans <= PAGES / 4 / 15 + 2);
	drop_all(f, objects, PAGES);
}

static void compaction_moves_what_was_shrunk_to_where_it_fits(void **state)
{
	struct fixture *f = *state;
	enum { SMALL = 2000 };
	struct object objects[PAGES], others[SMALL] = { 0 };

	make_pages(f, objects, PAGES);
	for (int i = 0; i < SMALL; i++)
		assert_int_equal(make(f->pool, &others[i], 800), 0);
	for (int i = 0; i < SMALL; i += 2)
		drop(f->pool, &others[i]);
	for (int i = 0; i < PAGES; i++) {
		objects[i].size = 700;
		xv_shrink(f->pool, objects[i].handle, 700);
	}
	while (compact(f->pool, objects, PAGES, 0))
		;
	assert_true(f->pool->spans_paged <= 1);
	assert_sound(f->pool);
	drop_all(f, objects, PAGES);
	drop_all(f, others, SMALL);
}

static void slots_in_draining_spans_are_used_before_enospc(void **state)
{
	struct fixture *f = *state;
	struct object objects[PAGES], more[PAGES];
	int made = 0, dropped = 0;

	make_pages(f, objects, PAGES);
	for (int i = 0; i < PAGES; i += 2, dropped++)
		drop(f->pool, &objects[i]);
	assert_int_not_equal(xv_drain_begin(f->pool, 0), 0);
	assert_sound(f->pool);
	atomic_store(&f->budget.limit, atomic_load(&f->budget.used));
	while (made < PAGES && !make(f->pool, &more[made], XV_PAGE_SIZE))
		made++;
	assert_true(made >= dropped);
	assert_sound(f->pool);
	xv_drain_end(f->pool);
	assert_sound(f->pool);
	drop_all(f, objects, PAGES);
	drop_all(f, more, made);
}

static void only_a_page_in_use_is_plausible(void **state)
{
	struct fixture *f = *state;
	struct object objects[PAGES];
	uint32_t gone;

	make_pages(f, objects, PAGES);
	assert_true(xv_plausible(f->pool, objects[100].handle));
	assert_int_equal((uintptr_t)xv_map(f->pool, objects[100].handle) % XV_PAGE_SIZE, 0);
	assert_false(xv_plausible(f->pool, objects[100].handle + 1));
	gone = objects[100].handle;
	drop(f->pool, &objects[100]);
	assert_false(xv_plausible(f->pool, gone));
	drop_all(f, objects, PAGES);
}

static void what_is_freed_is_wiped(void **state)
{
	struct fixture *f = *state;
	struct xv_config config = { .source = f->source, .wipe = true };
	struct object objects[PAGES];
	const unsigned char *bytes;
	struct xv_pool *wiping;

	assert_int_equal(xv_create(&wiping, &config), 0);
	for (int i = 0; i < PAGES; i++)
		assert_int_equal(make(wiping, &objects[i], XV_PAGE_SIZE), 0);
	bytes = xv_map(wiping, objects[100].handle);
	objects[100].size = 4095;
	xv_shrink(wiping, objects[100].handle, 4095);
	objects[100].size = 1000;
	xv_shrink(wiping, objects[100].handle, 1000);
	assert_intact(wiping, &objects[100]);
	/* But for the size. */
	for (uint32_t i = 1000; i < XV_PAGE_SIZE - 4; i++)
		assert_int_equal(bytes[i], 0);
	drop(wiping, &objects[100]);
	/* But for the links of a free slot. */
	for (uint32_t i = 12; i < XV_PAGE_SIZE - 4; i++)
		assert_int_equal(bytes[i], 0);
	xv_destroy(wiping);
}

/* Each changes one thing of a sound pool with pages in span 5, whose last slot is free. */
static void a_slot_in_use_is_lost(struct xv_span *span, struct fixture *f)
{
	(void)f;
	span->taken &= ~1u;
}

static void a_free_slot_is_said_to_be_shrunk(struct xv_span *span, struct fixture *f)
{
	(void)f;
	span->shrunk |= 1u << (SLOTS - 1);
}

static void a_span_is_said_to_have_more_in_use(struct xv_span *span, struct fixture *f)
{
	(void)f;
	span->used++;
}

static void a_span_is_said_to_have_no_pages(struct xv_span *span, struct fixture *f)
{
	(void)f;
	span->paged = false;
}

static void a_shrunk_page_has_no_size(struct xv_span *span, struct fixture *f)
{
	span->shrunk |= 1;
	memset(span_units(f->pool, (uint32_t)(span - f->pool->spans)) + SLOT_UNITS - 1, 0, UNIT);
}

static void the_list_of_slots_is_lost(struct xv_span *span, struct fixture *f)
{
	(void)span;
	f->pool->slots_free = XV_NULL;
}

static void the_list_begins_in_the_middle_of_a_slot(struct xv_span *span, struct fixture *f)
{
	(void)span;
	f->pool->slots_free += 4;
}

static void paged_spans_are_miscounted(struct xv_span *span, struct fixture *f)
{
	(void)span;
	f->pool->spans_paged++;
}

static void their_use_is_miscounted(struct xv_span *span, struct fixture *f)
{
	(void)span;
	f->pool->paged_units--;
}

static void damage_is_noticed(void **state)
{
	static void (*const damages[])(struct xv_span *, struct fixture *) = {
		a_slot_in_use_is_lost,
		a_free_slot_is_said_to_be_shrunk,
		a_span_is_said_to_have_more_in_use,
		a_span_is_said_to_have_no_pages,
		a_shrunk_page_has_no_size,
		the_list_of_slots_is_lost,
		the_list_begins_in_the_middle_of_a_slot,
		paged_spans_are_miscounted,
		their_use_is_miscounted,
	};
	struct fixture *f = *state;
	struct object objects[PAGES];
	struct xv_pool *pool = f->pool;
	size_t size = sizeof(*pool) + 64 * sizeof(pool->spans[0]);
	struct xv_pool *before = malloc(size);
	uint32_t *word, last;

	make_pages(f, objects, PAGES);
	word = span_units(pool, 5) + SLOT_UNITS - 1;
	last = *word;
	drop(pool, &objects[15 + 4 * SLOTS + SLOTS - 1]);
	assert_true(pool->spans[5].paged);
	assert_int_equal(pool->spans[5].taken, (1u << (SLOTS - 1)) - 1);
	memcpy(before, pool, size);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		char why[200] = "";

		damages[i](&pool->spans[5], f);
		assert_int_equal(xv_check(pool, why, sizeof(why)), -EUCLEAN);
		assert_true(why[0] != 0);
		memcpy((void *)pool, before, size);
		*word = last;
		assert_sound(pool);
	}
	free(before);
	drop_all(f, objects, PAGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pool_test(sixteen_pages_are_in_a_span),
		pool_test(a_page_among_smaller_objects_shares_its_span_with_them),
		pool_test(what_a_page_leaves_is_the_next_ones),
		pool_test(a_page_can_shrink_to_any_size_and_says_which),
		pool_test(compaction_empties_spans_of_pages),
		pool_test(compaction_moves_what_was_shrunk_to_where_it_fits),
		pool_test(slots_in_draining_spans_are_used_before_enospc),
		pool_test(only_a_page_in_use_is_plausible),
		pool_test(what_is_freed_is_wiped),
		pool_test(damage_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
