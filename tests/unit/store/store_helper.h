/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the page store share: stores made in one line, and requests
 * that must succeed and give the bytes expected.
 */
#ifndef STORE_HELPER_H
#define STORE_HELPER_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "pages.h"
#include "store/store.h"

#define PAGE STORE_PAGE_SIZE
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)

/* A store of this size without a reserve; memlimit may be STORE_NO_LIMIT. */
static inline struct store *store_of(uint64_t size, uint64_t memlimit)
{
	struct store_config config = { .size = size, .memlimit = memlimit };
	struct store *store = NULL;

	assert_int_equal(store_create(&store, &config), 0);
	assert_non_null(store);
	return store;
}

static inline void must_be_sound(struct store *store)
{
	char why[200] = "";

	if (store_check(store, NULL, why, sizeof(why)))
		fail_msg("store_check: %s", why);
}

/* Destroys a store that must be sound to the last. */
static inline void store_done(struct store *store)
{
	must_be_sound(store);
	store_destroy(store);
}

static inline struct ramzswap_stats stats_of(struct store *store)
{
	struct ramzswap_stats stats;

	memset(&stats, 0, sizeof(stats));
	store_get_stats(store, &stats);
	return stats;
}

static inline void must_write(struct store *store, const void *buf, uint32_t count, uint64_t offset)
{
	assert_int_equal(store_write(store, buf, count, offset), 0);
}

static inline void must_zero(struct store *store, uint64_t count, uint64_t offset)
{
	assert_int_equal(store_zero(store, count, offset), 0);
}

/* The bytes at offset must be those at expected, and nothing outside buf may be touched. */
static inline void must_read(struct store *store, const void *expected, uint32_t count,
			     uint64_t offset)
{
	unsigned char *buf = malloc((size_t)count + 16);
	size_t at;

	assert_non_null(buf);
	memset(buf, 0xa5, (size_t)count + 16);
	assert_int_equal(store_read(store, buf + 8, count, offset), 0);
	at = data_differs(buf + 8, expected, count);
	if (at != count)
		fail_msg("%u bytes at %llu: byte %zu is %#x instead of %#x", count,
			 (unsigned long long)offset, at, buf[8 + at],
			 ((const unsigned char *)expected)[at]);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(buf[i], 0xa5);
		assert_int_equal(buf[8 + count + i], 0xa5);
	}
	free(buf);
}

static inline void must_read_zeroes(struct store *store, uint32_t count, uint64_t offset)
{
	void *zeroes = calloc(1, count ? count : 1);

	assert_non_null(zeroes);
	must_read(store, zeroes, count, offset);
	free(zeroes);
}

/*
 * After a request for [offset, offset + count) that failed: every page of it must be
 * as in wanted, or from some page on as in shadow (see store.h).  Puts what is there
 * into shadow, which is the whole disk.
 */
static inline void accept_prefix(struct store *store, unsigned char *shadow,
				 const unsigned char *wanted, uint32_t count, uint64_t offset,
				 int err)
{
	unsigned char page[PAGE];
	bool stopped = false;

	assert_true(err == -ENOSPC || err == -ENOMEM);
	for (uint64_t at = offset, len; at < offset + count; at += len) {
		len = PAGE - at % PAGE;
		if (len > offset + count - at)
			len = offset + count - at;
		assert_int_equal(store_read(store, page, (uint32_t)len, at), 0);
		if (!stopped && memcmp(page, wanted + (at - offset), len) == 0)
			memcpy(shadow + at, page, len);
		else
			stopped = true;
		assert_memory_equal(page, shadow + at, len);
	}
}

static inline double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#endif
