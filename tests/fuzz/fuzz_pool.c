/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a sequence of operations on two pools that share a source and its budget, beside a
 * list of what each object must hold.  The first bytes choose how large they may become.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "choices.h"
#include "span.h"
#include "xvmalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define POOLS 2u
#define SLOTS 512u
#define SPANS_MAX 24u

/* So that no input takes long. */
#define STEPS_MAX 4000u

/* An invariant is looked for by a walk over all blocks: not after each step. */
#define CHECK_EVERY 64u

struct object {
	uint32_t handle; /* XV_NULL: there is none */
	uint32_t size;
	unsigned char seed;
};

struct shadow {
	struct object slot[SLOTS];
	uint64_t objects, requested;
	uint32_t spans_max;
	bool draining;
};

static struct shadow shadows[POOLS];
static struct xv_pool *pools[POOLS];
static struct span_budget budget;
static struct span_source *source;
static bool refusing; /* the system may refuse one request for memory */

static void must(bool truth, const char *promise)
{
	if (truth)
		return;
	fprintf(stderr, "broken promise: %s\n", promise);
	abort();
}

static unsigned char byte_at(const struct object *object, uint32_t i)
{
	return (unsigned char)(object->seed + i * 7);
}

static void fill(struct xv_pool *pool, const struct object *object)
{
	unsigned char *bytes = xv_map(pool, object->handle);

	for (uint32_t i = 0; i < object->size; i++)
		bytes[i] = byte_at(object, i);
}

static void must_be_intact(struct xv_pool *pool, const struct object *object)
{
	const unsigned char *bytes = xv_map(pool, object->handle);

	must((uintptr_t)bytes % 4 == 0, "an object is aligned to 4 bytes");
	must(xv_size(pool, object->handle) == object->size, "an object has the size asked for");
	must(xv_plausible(pool, object->handle), "a live object is plausible");
	for (uint32_t i = 0; i < object->size; i++)
		must(bytes[i] == byte_at(object, i), "nobody else writes to an object");
}

static void must_be_sound(unsigned int which)
{
	const struct shadow *shadow = &shadows[which];
	struct xv_stats stats;
	char why[200] = "";

	if (xv_check(pools[which], why, sizeof(why)))
		must(false, why);
	xv_get_stats(pools[which], &stats);
	must(stats.objects == shadow->objects, "objects are counted");
	must(stats.requested == shadow->requested, "bytes asked for are counted");
	must(stats.used + stats.free == stats.spans * XV_SPAN_SIZE, "spans are used or free");
	must(stats.spans <= shadow->spans_max, "a pool keeps to its spans");
}

static uint64_t spans_of(unsigned int which)
{
	struct xv_stats stats;

	xv_get_stats(pools[which], &stats);
	return stats.spans;
}

/* Sizes of payloads, of words and of whole pages; now and then one that there is not. */
static uint32_t any_size(struct choices *choices)
{
	switch (choose(choices, 8)) {
	case 0:
		return 1 + (uint32_t)choose(choices, 16);
	case 1:
		return XV_OBJECT_MAX - (uint32_t)choose(choices, 8);
	case 2:
		return choose(choices, 2) ? 0 : XV_OBJECT_MAX + 1;
	case 3:
		return XV_PAGE_SIZE;
	default:
		return 1 + (uint32_t)choose(choices, XV_OBJECT_MAX);
	}
}

/* Whether a refusal has a reason: the pool's spans, the budget, or the system. */
static bool may_refuse(unsigned int which, unsigned int flags, uint64_t spans)
{
	bool excused = refusing;

	if ((flags & XV_NOGROW) || spans == shadows[which].spans_max ||
	    atomic_load(&budget.used) + XV_SPAN_SIZE > atomic_load(&budget.limit))
		return true;
	/* The system refuses once. */
	refusing = false;
	return excused;
}

static void make(unsigned int which, struct object *object, struct choices *choices)
{
	const uint32_t untouched = 77;
	uint32_t size = any_size(choices), handle = untouched;
	unsigned int flags = (unsigned int)choose(choices, 4);
	uint64_t spans = spans_of(which);
	int err = xv_alloc(pools[which], size, flags, &handle);

	if (err) {
		must(handle == untouched, "a handle is untouched on failure");
		must(size > 0 && size <= XV_OBJECT_MAX
			     ? (err == -ENOSPC || err == -ENOMEM) && may_refuse(which, flags, spans)
			     : err == -EINVAL,
		     "a refusal has a reason");
		return;
	}
	must(size > 0 && size <= XV_OBJECT_MAX, "a size out of range is refused");
	must(!(flags & XV_NOGROW) || spans_of(which) <= spans, "a pool grows only if it may");
	*object = (struct object){ handle, size, (unsigned char)choose(choices, 256) };
	fill(pools[which], object);
	shadows[which].objects++;
	shadows[which].requested += size;
}

static void drop(unsigned int which, struct object *object)
{
	must_be_intact(pools[which], object);
	shadows[which].objects--;
	shadows[which].requested -= object->size;
	xv_free(pools[which], object->handle);
	object->handle = XV_NULL;
}

static void shrink(unsigned int which, struct object *object, struct choices *choices)
{
	uint32_t size = 1 + (uint32_t)choose(choices, object->size);

	xv_shrink(pools[which], object->handle, size);
	shadows[which].requested -= object->size - size;
	object->size = size;
	must_be_intact(pools[which], object);
}

static void move(unsigned int which, struct object *object)
{
	uint32_t moved;

	if (!xv_draining(pools[which], object->handle))
		return;
	if (xv_move(pools[which], object->handle, &moved)) {
		must(!xv_draining(pools[which], object->handle),
		     "a span whose object finds no room takes in others again");
		return;
	}
	must(moved != object->handle, "a copy is another object");
	must_be_intact(pools[which], object);
	xv_free(pools[which], object->handle);
	object->handle = moved;
	must_be_intact(pools[which], object);
}

/* A drain begins, or all that is left to be moved is moved and it ends. */
static void drain(unsigned int which, struct choices *choices)
{
	struct shadow *shadow = &shadows[which];

	if (!shadow->draining) {
		shadow->draining = xv_drain_begin(pools[which],
						  choose(choices, 2) ? choose(choices, 65536) : 0) >
				   0;
		return;
	}
	if (choose(choices, 2))
		for (unsigned int i = 0; i < SLOTS; i++)
			if (shadow->slot[i].handle)
				move(which, &shadow->slot[i]);
	(void)xv_drain_end(pools[which]);
	for (unsigned int i = 0; i < SLOTS; i++)
		must(!shadow->slot[i].handle || !xv_draining(pools[which], shadow->slot[i].handle),
		     "after a drain no span is being emptied");
	shadow->draining = false;
}

/* What the background and commands do: reserve, limit, memory that is refused, forgetting. */
static void beside(unsigned int which, struct choices *choices)
{
	switch (choose(choices, 6)) {
	case 0:
		span_reserve(source, (uint32_t)choose(choices, 4));
		break;
	case 1:
		(void)span_refill(source, 2);
		break;
	case 2:
		atomic_store(&budget.limit, (1 + choose(choices, SPANS_MAX)) * XV_SPAN_SIZE);
		break;
	case 3:
		refusing = choose(choices, 2);
		span_fail_after(refusing ? (int64_t)choose(choices, 4) : -1);
		break;
	case 4:
		xv_forget(pools[which]);
		span_forget(source);
		break;
	default:
		/* Of any number it can be asked whether it is an object's. */
		(void)xv_plausible(pools[which], (uint32_t)choose(choices, UINT32_MAX));
		break;
	}
}

/* Many at once, so that few bytes fill spans, and leave them sparse. */
static void make_many(unsigned int which, struct choices *choices)
{
	struct object *slot = shadows[which].slot;
	unsigned int from = (unsigned int)choose(choices, SLOTS);
	unsigned int count = (unsigned int)choose(choices, 64);

	for (unsigned int i = from; i < SLOTS && count > 0; i++, count--)
		if (!slot[i].handle)
			make(which, &slot[i], choices);
}

static void drop_many(unsigned int which, struct choices *choices)
{
	struct object *slot = shadows[which].slot;
	unsigned int from = (unsigned int)choose(choices, SLOTS);
	unsigned int stride = 1 + (unsigned int)choose(choices, 4);

	for (unsigned int i = from; i < SLOTS; i += stride)
		if (slot[i].handle)
			drop(which, &slot[i]);
}

static void step(struct choices *choices)
{
	unsigned int which = (unsigned int)choose(choices, POOLS);
	uint64_t what = choose(choices, 20);
	struct object *object;

	switch (what) {
	case 16 ... 17:
		drain(which, choices);
		return;
	case 18:
		beside(which, choices);
		return;
	case 19:
		if (choose(choices, 2))
			make_many(which, choices);
		else
			drop_many(which, choices);
		return;
	default:
		break;
	}
	object = &shadows[which].slot[choose(choices, SLOTS)];
	if (!object->handle)
		make(which, object, choices);
	else if (what < 5)
		shrink(which, object, choices);
	else if (what < 9)
		move(which, object);
	else
		drop(which, object);
}

static void begin(struct choices *choices)
{
	const struct span_source_config config = {
		.unit = XV_SPAN_SIZE,
		.units_max = POOLS * SPANS_MAX,
		.budget = &budget,
	};

	refusing = false;
	span_budget_init(&budget, (4 + choose(choices, POOLS * SPANS_MAX)) * XV_SPAN_SIZE);
	must(span_source_create(&source, &config) == 0, "a source is made");
	memset(shadows, 0, sizeof(shadows));
	for (unsigned int i = 0; i < POOLS; i++) {
		struct xv_config pool = { .source = source, .wipe = choose(choices, 2) };

		pool.spans_max = 1 + (uint32_t)choose(choices, SPANS_MAX);
		shadows[i].spans_max = pool.spans_max;
		must(xv_create(&pools[i], &pool) == 0, "a pool is made");
	}
}

static void end(void)
{
	span_fail_after(-1);
	for (unsigned int i = 0; i < POOLS; i++) {
		must_be_sound(i);
		for (unsigned int j = 0; j < SLOTS; j++)
			if (shadows[i].slot[j].handle)
				drop(i, &shadows[i].slot[j]);
		must_be_sound(i);
		must(spans_of(i) == 0, "an empty pool has no span");
		xv_destroy(pools[i]);
	}
	span_reserve(source, 0);
	must(atomic_load(&budget.used) == 0, "all memory comes back");
	span_source_destroy(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct choices choices = { .bytes = data, .left = size };

	if (size == 0)
		return 0;
	begin(&choices);
	for (unsigned int steps = 1; choices_left(&choices) && steps < STEPS_MAX; steps++) {
		step(&choices);
		if (steps % CHECK_EVERY == 0)
			must_be_sound(steps / CHECK_EVERY % POOLS);
	}
	end();
	return 0;
}
