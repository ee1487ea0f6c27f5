/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages that have much in common: records of a family, of which each page has some, in its own
 * order.  A store of them, and the steps that are taken in the background.
 */
#ifndef RAMZSWAP_STORE_ALIKE_H
#define RAMZSWAP_STORE_ALIKE_H

#include "store/age.h"
#include "store/dictionary.h"
#include "store/recompress.h"
#include "store/train.h"
#include "store_backing_helper.h"

#define RECORD 64u
#define RECORDS 300u /* of a family */

/* The page tells its number and version too. */
static inline void alike_page(unsigned char *page, uint64_t number, uint32_t version,
			      uint32_t family)
{
	struct rng order = { .state = number * 1000003 + version + 1 };

	for (unsigned int at = 0; at < PAGE; at += RECORD) {
		struct rng record = { .state = family * 1000 + rng_below(&order, RECORDS) + 1 };

		/* The second half is empty: a fast codec sees that, and nothing else. */
		memset(page + at + RECORD / 2, 0, RECORD / 2);
		for (unsigned int i = 0; i < RECORD / 2; i += 4) {
			uint32_t word = (uint32_t)rng_next(&record);

			memcpy(page + at + i, &word, sizeof(word));
		}
	}
	memcpy(page, &number, sizeof(number));
	memcpy(page + 8, &version, sizeof(version));
}

/* Writes these pages, each in its first version. */
static inline void alike_fill(struct store *disk, uint64_t from, uint64_t to, uint32_t family)
{
	unsigned char page[PAGE];

	for (uint64_t i = from; i < to; i++) {
		alike_page(page, i, 1, family);
		must_write(disk, page, PAGE, i * PAGE);
	}
}

/* They read as alike_fill wrote them. */
static inline void alike_must_hold(struct store *disk, uint64_t from, uint64_t to, uint32_t family)
{
	unsigned char page[PAGE];

	for (uint64_t i = from; i < to; i++) {
		alike_page(page, i, 1, family);
		must_read(disk, page, PAGE, i * PAGE);
	}
}

/* NULL without zstd. */
static inline struct store *alike_store(uint64_t pages, uint64_t memlimit, struct backing *behind)
{
	struct store_config config = {
		.size = pages * PAGE,
		.memlimit = memlimit,
		.idle_codec = codec_find("zstd"),
		.dictionary = 32 << 10,
		.recompress_seconds = 1,
		.backing = behind,
	};
	struct store *made = NULL;

	if (!config.idle_codec)
		return NULL;
	assert_int_equal(store_create(&made, &config), 0);
	return made;
}

/* A dictionary of whatever is stored, as the background would make one; as train. */
static inline int train_now(struct store *disk)
{
	pthread_mutex_lock(&disk->recompress.lock);
	disk->dictionary.wanted = true;
	pthread_mutex_unlock(&disk->recompress.lock);
	return train(disk, 0);
}

static inline void recompress_now(struct store *disk)
{
	uint64_t won;

	assert_int_equal(recompress_all(disk, CODEC_MAX, &won, NULL), 0);
}

#endif
