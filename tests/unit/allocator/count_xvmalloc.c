/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replaces objects in a pool that holds a given number of them, for callgrind to
 * count the instructions of (see instruction-count).  Only the replacing is
 * counted; what is replaced by what was decided before.
 *
 * usage: count_xvmalloc LIVE
 */
#include <stdio.h>
#include <stdlib.h>
#include <valgrind/callgrind.h>

#include "span.h"
#include "xvmalloc.h"

#define REPLACED 10000u

static uint64_t random_state = 88172645463325252ull;

static uint32_t random_below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 32) * bound >> 32);
}

/* Small, so that ten million fit into memory; one in 64 of any size. */
static uint32_t random_size(void)
{
	return random_below(64) ? 1 + random_below(24) : 1 + random_below(XV_OBJECT_MAX);
}

static void *checked(void *memory)
{
	if (!memory)
		exit(1);
	return memory;
}

static void replace(struct xv_pool *pool, uint32_t *handle, uint32_t size)
{
	uint32_t made;

	if (xv_alloc(pool, size, 0, &made))
		exit(1);
	xv_free(pool, *handle);
	*handle = made;
}

int main(int argc, char **argv)
{
	struct span_source_config memory = { .unit = XV_SPAN_SIZE, .units_max = XV_SPANS_MAX };
	struct xv_config config = { 0 };
	static uint32_t victim[REPLACED], size[REPLACED];
	uint32_t live = argc == 2 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
	uint32_t *handles = checked(calloc(live ? live : 1, sizeof(*handles)));
	struct xv_pool *pool;

	if (!live || span_source_create(&config.source, &memory) || xv_create(&pool, &config))
		return 1;
	for (uint32_t i = 0; i < live; i++)
		if (xv_alloc(pool, random_size(), 0, &handles[i]))
			return 1;
	for (uint32_t i = 0; i < live / 2; i++)
		replace(pool, &handles[random_below(live)], random_size());
	for (uint32_t i = 0; i < REPLACED; i++) {
		victim[i] = random_below(live);
		size[i] = random_size();
	}

	CALLGRIND_START_INSTRUMENTATION;
	for (uint32_t i = 0; i < REPLACED; i++)
		replace(pool, &handles[victim[i]], size[i]);
	CALLGRIND_STOP_INSTRUMENTATION;

	printf("%u\n", REPLACED);
	xv_destroy(pool);
	span_source_destroy(config.source);
	free(handles);
	return 0;
}
