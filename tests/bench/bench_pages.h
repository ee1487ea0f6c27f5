/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Test pages from a file, as collect-pages writes it: page after page, nothing else. */
#ifndef RAMZSWAP_BENCH_PAGES_H
#define RAMZSWAP_BENCH_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_PAGE_SIZE 4096u

struct bench_pages {
	uint8_t *data; /* resident, so that no measurement waits for a file */
	uint32_t count;
};

/*
 * Loads at most max pages (0 for all) into anonymous memory.  Returns 0, or a
 * negative errno after a line on stderr that says what is wrong with the file.
 */
int bench_pages_load(struct bench_pages *pages, const char *path, uint32_t max);

void bench_pages_unload(struct bench_pages *pages);

static inline const uint8_t *bench_page(const struct bench_pages *pages, uint32_t index)
{
	return pages->data + (size_t)index * BENCH_PAGE_SIZE;
}

/* Whether the page repeats its first 8 bytes. */
bool bench_page_same_filled(const uint8_t *page);

/* A small generator (xorshift64*, Vigna 2014), for runs that can be repeated. */
static inline uint64_t bench_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

/* 0 to below - 1, evenly enough for numbers below 2^32. */
static inline uint32_t bench_random_below(uint64_t *state, uint32_t below)
{
	return (uint32_t)(((bench_random(state) >> 32) * below) >> 32);
}

/* Nanoseconds of a clock of clock_gettime(2). */
uint64_t bench_clock(int clock);

/* The middle one of count numbers, which are sorted by this; 0 for none. */
double bench_median(double *numbers, unsigned int count);

#endif
