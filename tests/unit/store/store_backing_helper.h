/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A store with a backing store behind its pool, on a medium in memory that is slow, full or
 * broken when a test wants it so: what the tests of it share.
 */
#ifndef RAMZSWAP_STORE_BACKING_HELPER_H
#define RAMZSWAP_STORE_BACKING_HELPER_H

#include "backing/backing.h"
#include "fake_medium.h"
#include "store_helper.h"
#include "store/room.h"

#define SEGMENT BACKING_SEGMENT_MIN

static struct fake_medium *fake;
static struct backing *backing;
static struct store *store;
static struct rng rng;

struct setup {
	uint64_t disk, memlimit, backing;
	uint64_t day, rate;
	unsigned int recompress_seconds;
	bool checksum;
};

static inline void begin_test(const struct setup *setup)
{
	struct store_config config = {
		.size = setup->disk,
		.memlimit = setup->memlimit ? setup->memlimit : STORE_NO_LIMIT,
		.recompress_seconds = setup->recompress_seconds,
		.backing_day = setup->day,
		.backing_rate = setup->rate,
		.checksum = setup->checksum,
	};
	char why[MEDIUM_WHY_MAX] = "";

	rng.state = 42;
	fake = fake_medium_new(setup->backing, 0);
	if (backing_create(&backing, &fake->medium, SEGMENT, true, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	assert_int_equal(backing_start(backing, false), 0);
	config.backing = backing;
	assert_int_equal(store_create(&store, &config), 0);
}

static inline void end_test(void)
{
	store_done(store);
	backing_destroy(backing);
	assert_int_equal(fake->misaligned, 0);
	fake_medium_free(fake);
}

/* A page whose content tells its number and version; every third does not compress. */
static inline void make_page(unsigned char *page, uint64_t number, uint32_t version)
{
	struct rng own = { .state = number * 1000003 + version };

	data_fill(&own, number % 3 == 0 ? DATA_RANDOM : DATA_STRUCT, page, PAGE);
	memcpy(page, &number, sizeof(number));
	memcpy(page + 8, &version, sizeof(version));
}

static inline void put(uint64_t number, uint32_t version)
{
	unsigned char page[PAGE];

	make_page(page, number, version);
	must_write(store, page, PAGE, number * PAGE);
}

static inline void must_have(uint64_t number, uint32_t version)
{
	unsigned char page[PAGE];

	make_page(page, number, version);
	must_read(store, page, PAGE, number * PAGE);
}

static inline void drain(void)
{
	for (int i = 0; i < 10000 && store_writeback_work(store) == 0; i++)
		;
}

static inline uint64_t write_all_back(void)
{
	uint64_t bytes = 0;

	assert_int_equal(store_writeback(store, WRITEBACK_ALL, 0, &bytes, NULL), 0);
	return bytes;
}

#endif
