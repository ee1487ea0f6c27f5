/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xv_check must notice damage.  Each entry of a list damages a sound pool in one
 * way; the check must refuse it and say why.  The damage is undone afterwards, and
 * the pool must pass again: otherwise the entry proved something else.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "span.h"
#include "xv_internal.h"

#define SAVED_MAX 8

/*
 * Span 0 as the fixture leaves it: objects of 1000 bytes (251 units), a gap of one
 * at block 251 and of two at 753; span 1 sparse and span 2 given back.
 */
struct fixture {
	struct span_source *source;
	struct xv_pool *pool;
	struct {
		void *address;
		unsigned char bytes[8];
		size_t size;
	} saved[SAVED_MAX];
	int saves;
};

#define OBJECT 1000u
#define BLOCK 251u
#define FULL (SPAN_UNITS / BLOCK) /* objects that fill a span */
#define GAP_ONE BLOCK
#define GAP_TWO (3 * BLOCK)

static void damage_bytes(struct fixture *f, void *address, const void *value, size_t size)
{
	assert_true(f->saves < SAVED_MAX);
	f->saved[f->saves].address = address;
	f->saved[f->saves].size = size;
	memcpy(f->saved[f->saves].bytes, address, size);
	assert_memory_not_equal(address, value, size);
	memcpy(address, value, size);
	f->saves++;
}

#define damage(f, field, value)                                                           \
	do {                                                                              \
		__typeof__(field) value_;                                                 \
		value_ = (value);                                                         \
		damage_bytes(f, (void *)&(field), (const void *)&value_, sizeof(value_)); \
	} while (0)

static void undo(struct fixture *f)
{
	while (f->saves) {
		f->saves--;
		memcpy(f->saved[f->saves].address, f->saved[f->saves].bytes,
		       f->saved[f->saves].size);
	}
}

static void set_up(struct fixture *f)
{
	struct span_source_config source = { .unit = XV_SPAN_SIZE, .units_max = 16 };
	struct xv_config config = { 0 };
	uint32_t handles[3 * FULL];

	memset(f, 0, sizeof(*f));
	assert_int_equal(span_source_create(&f->source, &source), 0);
	config.source = f->source;
	assert_int_equal(xv_create(&f->pool, &config), 0);
	for (uint32_t i = 0; i < 3 * FULL; i++)
		assert_int_equal(xv_alloc(f->pool, OBJECT, 0, &handles[i]), 0);
	xv_free(f->pool, handles[1]);
	xv_free(f->pool, handles[3]);
	xv_free(f->pool, handles[4]);
	for (uint32_t i = FULL; i < 2 * FULL; i++)
		if (i % 4)
			xv_free(f->pool, handles[i]);
	for (uint32_t i = 2 * FULL; i < 3 * FULL; i++)
		xv_free(f->pool, handles[i]);
	assert_int_equal(f->pool->spans_held, 2);
}

static uint32_t *words(struct fixture *f)
{
	return span_units(f->pool, 0);
}

static void size_of_object_zero(struct fixture *f)
{
	damage(f, words(f)[0], words(f)[0] & ~SIZE_MASK);
}

static void size_of_object_past_the_largest(struct fixture *f)
{
	damage(f, words(f)[0], (words(f)[0] & ~SIZE_MASK) | (XV_OBJECT_MAX + 1));
}

static void size_of_object_into_the_next(struct fixture *f)
{
	damage(f, words(f)[0], words(f)[0] + UNIT);
}

static void size_of_object_off_by_one_within_the_rounding(struct fixture *f)
{
	damage(f, words(f)[0], words(f)[0] - 1);
}

static void size_of_free_block_too_small(struct fixture *f)
{
	damage(f, words(f)[GAP_TWO], words(f)[GAP_TWO] - 100);
}

static void size_of_free_block_past_the_span(struct fixture *f)
{
	damage(f, words(f)[GAP_TWO], words(f)[GAP_TWO] | SIZE_MASK);
}

static void distance_back_wrong(struct fixture *f)
{
	damage(f, words(f)[2 * BLOCK], words(f)[2 * BLOCK] ^ 1u << PREV_SHIFT);
}

static void distance_back_of_the_first_block(struct fixture *f)
{
	damage(f, words(f)[0], words(f)[0] | 1u << PREV_SHIFT);
}

static void block_before_said_to_be_free(struct fixture *f)
{
	damage(f, words(f)[GAP_ONE], words(f)[GAP_ONE] | PREV_FREE_FLAG);
}

static void block_before_said_to_be_in_use(struct fixture *f)
{
	damage(f, words(f)[2 * BLOCK], words(f)[2 * BLOCK] & ~PREV_FREE_FLAG);
}

static void object_marked_free(struct fixture *f)
{
	damage(f, words(f)[2 * BLOCK], words(f)[2 * BLOCK] | FREE_FLAG);
}

static void free_block_marked_in_use(struct fixture *f)
{
	damage(f, words(f)[GAP_ONE], words(f)[GAP_ONE] & ~FREE_FLAG);
}

static void free_block_cut_in_two(struct fixture *f)
{
	uint32_t *gap = &words(f)[GAP_TWO];

	damage(f, gap[BLOCK], FREE_FLAG | PREV_FREE_FLAG | BLOCK << PREV_SHIFT | BLOCK);
	damage(f, gap[2 * BLOCK], (gap[2 * BLOCK] & ~PREV_MASK) | BLOCK << PREV_SHIFT);
	damage(f, gap[0], gap[0] - BLOCK);
}

static void next_in_list_outside_all_spans(struct fixture *f)
{
	damage(f, *link_next(words(f), GAP_ONE), make_handle(77, 5));
}

static void next_in_list_is_the_block_itself(struct fixture *f)
{
	damage(f, *link_next(words(f), GAP_ONE), make_handle(0, GAP_ONE));
}

static void next_in_list_inside_an_object(struct fixture *f)
{
	damage(f, *link_next(words(f), GAP_ONE), make_handle(0, 2 * BLOCK + 7));
}

static void next_in_list_past_the_end_of_a_span(struct fixture *f)
{
	damage(f, *link_next(words(f), GAP_TWO), make_handle(0, SPAN_UNITS - 2));
}

static void previous_in_list_wrong(struct fixture *f)
{
	damage(f, *link_prev(words(f), GAP_ONE), make_handle(0, GAP_TWO));
}

static void head_of_list_lost(struct fixture *f)
{
	uint32_t class = units_class(BLOCK);

	damage(f, f->pool->head[class], XV_NULL);
	damage(f, f->pool->map[class / 64], f->pool->map[class / 64] & ~(1ull << class % 64));
	if (!f->pool->map[class / 64])
		damage(f, f->pool->summary, f->pool->summary & ~(1ull << class / 64));
}

static void head_of_list_of_another_class(struct fixture *f)
{
	uint32_t class = units_class(BLOCK);

	damage(f, f->pool->head[class], make_handle(0, GAP_TWO));
}

static void head_of_list_is_an_object(struct fixture *f)
{
	uint32_t class = units_class(40);

	damage(f, f->pool->head[class], make_handle(0, 0));
	damage(f, f->pool->map[class / 64], f->pool->map[class / 64] | 1ull << class % 64);
	if (!(f->pool->summary >> class / 64 & 1))
		damage(f, f->pool->summary, f->pool->summary | 1ull << class / 64);
}

static void bit_of_a_list_cleared(struct fixture *f)
{
	uint32_t class = units_class(BLOCK);

	damage(f, f->pool->map[class / 64], f->pool->map[class / 64] & ~(1ull << class % 64));
}

static void bit_of_an_empty_list_set(struct fixture *f)
{
	uint32_t class = units_class(BLOCK + 1);

	damage(f, f->pool->map[class / 64], f->pool->map[class / 64] | 1ull << class % 64);
}

static void bit_past_the_last_list_set(struct fixture *f)
{
	_Static_assert(CLASSES % 64, "there must be bits past the last list");
	damage(f, f->pool->map[MAP_WORDS - 1], f->pool->map[MAP_WORDS - 1] | 1ull << 63);
}

static void summary_says_empty(struct fixture *f)
{
	damage(f, f->pool->summary, 0);
}

static void summary_says_not_empty(struct fixture *f)
{
	damage(f, f->pool->summary, ~0ull >> (64 - MAP_WORDS));
}

static void summary_past_the_last_word(struct fixture *f)
{
	damage(f, f->pool->summary, f->pool->summary | 1ull << MAP_WORDS);
}

static void count_of_objects_wrong(struct fixture *f)
{
	damage(f, f->pool->objects, f->pool->objects + 1);
}

static void sum_of_sizes_wrong(struct fixture *f)
{
	damage(f, f->pool->requested, f->pool->requested - 1);
}

static void sum_of_units_wrong(struct fixture *f)
{
	damage(f, f->pool->used_units, f->pool->used_units + 1);
}

static void count_of_spans_wrong(struct fixture *f)
{
	damage(f, f->pool->spans_held, 1);
}

static void count_of_draining_spans_wrong(struct fixture *f)
{
	damage(f, f->pool->spans_draining, 1);
}

static void units_of_a_span_wrong(struct fixture *f)
{
	damage(f, f->pool->spans[1].used, f->pool->spans[1].used - 1);
}

static void units_of_two_spans_wrong_but_their_sum_right(struct fixture *f)
{
	damage(f, f->pool->spans[0].used, f->pool->spans[0].used + 3);
	damage(f, f->pool->spans[1].used, f->pool->spans[1].used - 3);
}

static void state_of_a_span_unknown(struct fixture *f)
{
	damage(f, f->pool->spans[0].state, 9);
}

static void held_span_said_to_be_absent(struct fixture *f)
{
	damage(f, f->pool->spans[1].state, SPAN_ABSENT);
}

static void listed_span_said_to_be_draining(struct fixture *f)
{
	damage(f, f->pool->spans[1].state, SPAN_DRAINING);
}

static void number_of_an_absent_span_lost(struct fixture *f)
{
	damage(f, f->pool->spans_absent, 0);
}

static void held_span_among_the_absent(struct fixture *f)
{
	damage(f, f->pool->spans_absent, 1);
}

static void absent_spans_in_a_circle(struct fixture *f)
{
	damage(f, f->pool->spans[2].unit, 3);
}

static void more_span_numbers_than_there_may_be(struct fixture *f)
{
	damage(f, f->pool->spans_top, XV_SPANS_MAX + 1);
}

#define DAMAGE(name)        \
	{                   \
#name, name \
	}

static const struct {
	const char *name;
	void (*apply)(struct fixture *f);
} damages[] = {
	DAMAGE(size_of_object_zero),
	DAMAGE(size_of_object_past_the_largest),
	DAMAGE(size_of_object_into_the_next),
	DAMAGE(size_of_object_off_by_one_within_the_rounding),
	DAMAGE(size_of_free_block_too_small),
	DAMAGE(size_of_free_block_past_the_span),
	DAMAGE(distance_back_wrong),
	DAMAGE(distance_back_of_the_first_block),
	DAMAGE(block_before_said_to_be_free),
	DAMAGE(block_before_said_to_be_in_use),
	DAMAGE(object_marked_free),
	DAMAGE(free_block_marked_in_use),
	DAMAGE(free_block_cut_in_two),
	DAMAGE(next_in_list_outside_all_spans),
	DAMAGE(next_in_list_is_the_block_itself),
	DAMAGE(next_in_list_inside_an_object),
	DAMAGE(next_in_list_past_the_end_of_a_span),
	DAMAGE(previous_in_list_wrong),
	DAMAGE(head_of_list_lost),
	DAMAGE(head_of_list_of_another_class),
	DAMAGE(head_of_list_is_an_object),
	DAMAGE(bit_of_a_list_cleared),
	DAMAGE(bit_of_an_empty_list_set),
	DAMAGE(bit_past_the_last_list_set),
	DAMAGE(summary_says_empty),
	DAMAGE(summary_says_not_empty),
	DAMAGE(summary_past_the_last_word),
	DAMAGE(count_of_objects_wrong),
	DAMAGE(sum_of_sizes_wrong),
	DAMAGE(sum_of_units_wrong),
	DAMAGE(count_of_spans_wrong),
	DAMAGE(count_of_draining_spans_wrong),
	DAMAGE(units_of_a_span_wrong),
	DAMAGE(units_of_two_spans_wrong_but_their_sum_right),
	DAMAGE(state_of_a_span_unknown),
	DAMAGE(held_span_said_to_be_absent),
	DAMAGE(listed_span_said_to_be_draining),
	DAMAGE(number_of_an_absent_span_lost),
	DAMAGE(held_span_among_the_absent),
	DAMAGE(absent_spans_in_a_circle),
	DAMAGE(more_span_numbers_than_there_may_be),
};

static void test_check_catches_each_corruption(void **state)
{
	struct fixture f;
	char why[200];

	set_up(&f);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		why[0] = 0;
		if (xv_check(f.pool, why, sizeof(why)))
			fail_msg("before %s: %s", damages[i].name, why);
		damages[i].apply(&f);
		if (xv_check(f.pool, why, sizeof(why)) != -EUCLEAN)
			fail_msg("not noticed: %s", damages[i].name);
		assert_int_equal(xv_check(f.pool, NULL, 0), -EUCLEAN);
		assert_int_not_equal(why[0], 0);
		print_message("%s: %s\n", damages[i].name, why);
		undo(&f);
	}
	assert_int_equal(xv_check(f.pool, why, sizeof(why)), 0);
	xv_destroy(f.pool);
	span_source_destroy(f.source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_catches_each_corruption),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
