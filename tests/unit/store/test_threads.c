/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads on the same pages of one store.  Every page tells by itself whether it is
 * whole, and every thread knows what its own bytes must be, so that a mixture of
 * two writes, a lost partial write or an object freed too early is seen.
 *
 * The disk has two parts.  In the first, any thread writes any whole page: with
 * words made from one stamp, which readers verify.  In the second, each thread owns
 * a slot of bytes in every page and writes nothing but that: whatever the others do
 * to the same page, it must read back what it wrote last.
 *
 * cmocka's assertions belong to the main thread; the others count errors.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "store_helper.h"

#define WRITERS 5
#define ENOUGH 100u /* pages */
#define WHOLE_PAGES 48u
#define SLOT_PAGES 24u
#define DISK_PAGES (WHOLE_PAGES + SLOT_PAGES)
#define SLOT_FIRST ((uint64_t)WHOLE_PAGES * PAGE)
/* A slot neither starts nor ends at a word, and the last crosses into the next page. */
#define SLOT_STRIDE 820u
#define SLOT_BYTES 815u
#define SLOT_START 13u

static struct store *store;
static atomic_bool stop;
static atomic_ulong errors, refused;
static atomic_ulong written, read_back;

static void error(const char *what, uint64_t page, unsigned int thread)
{
	if (atomic_fetch_add(&errors, 1) < 10)
		fprintf(stderr, "thread %u, page %llu: %s\n", thread, (unsigned long long)page,
			what);
}

/* Same-filled for one stamp of four, raw for one, compressible else. */
static uint64_t word_of(uint64_t stamp, size_t i)
{
	uint64_t mixed = (stamp + i) * UINT64_C(0x9e3779b97f4a7c15);

	switch (stamp % 4) {
	case 0:
		return stamp;
	case 1:
		return i == 0 ? stamp : mixed ^ (mixed >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
	case 2:
		return i == 0 ? stamp : stamp + i % 7;
	default:
		return i == 0 ? stamp : i < stamp / 4 % 512 ? mixed : 0;
	}
}

static void stamp_page(uint64_t stamp, uint64_t *page)
{
	for (size_t i = 0; i < PAGE / 8; i++)
		page[i] = word_of(stamp, i);
}

static bool page_is_whole(const uint64_t *page)
{
	uint64_t stamp = page[0];

	if (stamp == 0)
		return data_is_zero(page, PAGE);
	for (size_t i = 0; i < PAGE / 8; i++) {
		if (page[i] != word_of(stamp, i))
			return false;
	}
	return true;
}

static int write_retrying(const void *buf, uint32_t count, uint64_t offset)
{
	int err = store_write(store, buf, count, offset);

	if (err == -ENOSPC)
		atomic_fetch_add(&refused, 1);
	return err;
}

static void write_whole_pages(struct rng *rng, uint64_t *buf, unsigned int thread)
{
	uint64_t first = rng_below(rng, WHOLE_PAGES);
	uint64_t count = 1 + rng_below(rng, 4);
	int err;

	if (count > WHOLE_PAGES - first)
		count = WHOLE_PAGES - first;
	for (uint64_t i = 0; i < count; i++)
		stamp_page((rng_next(rng) >> 4) | 1u << 4, buf + i * PAGE / 8);
	err = write_retrying(buf, (uint32_t)count * PAGE, first * PAGE);
	if (err && err != -ENOSPC)
		error("a write failed", first, thread);
	atomic_fetch_add(&written, count);
}

static void read_whole_pages(struct rng *rng, uint64_t *buf, unsigned int thread)
{
	uint64_t first = rng_below(rng, WHOLE_PAGES);
	uint64_t count = 1 + rng_below(rng, 4);

	if (count > WHOLE_PAGES - first)
		count = WHOLE_PAGES - first;
	if (store_read(store, buf, (uint32_t)count * PAGE, first * PAGE))
		error("a read failed", first, thread);
	for (uint64_t i = 0; i < count; i++) {
		if (!page_is_whole(buf + i * PAGE / 8))
			error("a mixture of two pages", first + i, thread);
	}
	atomic_fetch_add(&read_back, count);
}

static void trim_whole_pages(struct rng *rng, unsigned int thread)
{
	uint64_t first = rng_below(rng, WHOLE_PAGES);
	uint64_t count = 1 + rng_below(rng, 4);

	if (count > WHOLE_PAGES - first)
		count = WHOLE_PAGES - first;
	if (store_zero(store, count * PAGE, first * PAGE))
		error("a trim failed", first, thread);
}

/* Changes a part of the own slot of some page and reads the whole slot back. */
static void use_slot(struct rng *rng, unsigned char (*slots)[SLOT_BYTES], unsigned int thread)
{
	uint64_t page = rng_below(rng, SLOT_PAGES - 1);
	uint64_t slot = SLOT_FIRST + page * PAGE + SLOT_START + thread * SLOT_STRIDE;
	uint32_t from = (uint32_t)rng_below(rng, SLOT_BYTES);
	uint32_t count = 1 + (uint32_t)rng_below(rng, SLOT_BYTES - from);
	unsigned char now[SLOT_BYTES], next[SLOT_BYTES];
	int err;

	memcpy(next, slots[page], SLOT_BYTES);
	if (rng_below(rng, 4) == 0) {
		memset(next + from, 0, count);
		err = store_zero(store, count, slot + from);
	} else {
		data_fill(rng, (enum data_kind)rng_below(rng, DATA_KINDS), next + from, count);
		err = write_retrying(next + from, count, slot + from);
	}
	if (err && err != -ENOSPC)
		error("a partial write failed", page, thread);
	if (store_read(store, now, SLOT_BYTES, slot))
		error("a partial read failed", page, thread);
	if (!err)
		memcpy(slots[page], next, SLOT_BYTES);
	else /* Of two pages the first may have been written. */
		for (uint32_t i = 0; i < SLOT_BYTES; i++)
			if (now[i] == next[i])
				slots[page][i] = now[i];
	if (memcmp(now, slots[page], SLOT_BYTES) != 0)
		error("a partial write was lost", page, thread);
}

static void *writer_main(void *arg)
{
	unsigned int thread = (unsigned int)(uintptr_t)arg;
	unsigned char(*slots)[SLOT_BYTES] = calloc(SLOT_PAGES, SLOT_BYTES);
	uint64_t *buf = malloc(4 * PAGE);
	struct rng rng = { 80 + thread };

	while (!atomic_load(&stop)) {
		switch (rng_below(&rng, 8)) {
		case 0:
			trim_whole_pages(&rng, thread);
			break;
		case 1:
		case 2:
			read_whole_pages(&rng, buf, thread);
			break;
		case 3:
		case 4:
			use_slot(&rng, slots, thread);
			break;
		default:
			write_whole_pages(&rng, buf, thread);
			break;
		}
	}
	free(buf);
	free(slots);
	return NULL;
}

static int ignore_extent(void *opaque, uint64_t offset, uint64_t length, bool hole)
{
	return 0;
}

/* Compaction, the background's steps and all that only looks. */
static void *keeper_main(void *arg)
{
	uint64_t *buf = malloc(4 * PAGE);
	struct rng rng = { 99 };

	while (!atomic_load(&stop)) {
		(void)store_compact(store, NULL);
		(void)store_work(store);
		(void)stats_of(store);
		if (store_extents(store, DISK_PAGES * PAGE, 0, ignore_extent, NULL))
			error("extents failed", 0, 99);
		for (int i = 0; i < 10; i++)
			read_whole_pages(&rng, buf, 99);
	}
	free(buf);
	return NULL;
}

static void let_them_run(double seconds)
{
	pthread_t writers[WRITERS], keeper;
	double end = seconds_now() + seconds;
	struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };

	stop = false;
	errors = 0;
	refused = 0;
	written = 0;
	read_back = 0;
	for (uintptr_t i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, writer_main, (void *)i), 0);
	assert_int_equal(pthread_create(&keeper, NULL, keeper_main, NULL), 0);
	/* So long, or until they have done enough to tell: a busy machine lets them wait. */
	while ((seconds_now() < end ||
		((written <= ENOUGH || read_back <= ENOUGH) && seconds_now() < end + 100)) &&
	       errors == 0)
		nanosleep(&pause, NULL);
	stop = true;
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	pthread_join(keeper, NULL);
	fprintf(stderr, "%lu pages written, %lu verified, %lu writes refused\n",
		(unsigned long)written, (unsigned long)read_back, (unsigned long)refused);
	assert_int_equal(errors, 0);
	assert_true(written > ENOUGH);
	assert_true(read_back > ENOUGH);
}

static void threads_on_the_same_pages_never_see_a_mixture(void **state)
{
	store = store_of(DISK_PAGES * PAGE, STORE_NO_LIMIT);
	let_them_run(4.0);
	assert_int_equal(refused, 0);
	store_done(store);
}

static void nor_do_they_where_memory_is_short(void **state)
{
	uint64_t limit = store_memlimit_min(DISK_PAGES * PAGE);

	if (limit < 256 * 1024)
		limit = 256 * 1024;
	store = store_of(DISK_PAGES * PAGE, limit);
	let_them_run(4.0);
	assert_true(stats_of(store).mem_used_max <= limit);
	store_done(store);
}

static void nor_do_they_where_they_wait_for_one_another(void **state)
{
	struct store_config config = { .size = DISK_PAGES * PAGE,
				       .memlimit = STORE_NO_LIMIT,
				       .reserve = 256 * 1024,
				       .encoders = 1 };

	assert_int_equal(store_create(&store, &config), 0);
	let_them_run(3.0);
	store_done(store);
}

/* What looks at an entry that is not its own must not look at the object, which may be gone. */
static void nor_do_they_with_checksums(void **state)
{
	struct store_config config = { .size = DISK_PAGES * PAGE,
				       .memlimit = STORE_NO_LIMIT,
				       .checksum = true };

	assert_int_equal(store_create(&store, &config), 0);
	let_them_run(4.0);
	assert_int_equal(stats_of(store).checksum_errors, 0);
	store_done(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_on_the_same_pages_never_see_a_mixture),
		cmocka_unit_test(nor_do_they_where_memory_is_short),
		cmocka_unit_test(nor_do_they_where_they_wait_for_one_another),
		cmocka_unit_test(nor_do_they_with_checksums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
