/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A checksum of a page: enough to notice that a dictionary, or a payload, is not what it was.  It
 * is no secret that nobody may forge.
 */
#ifndef RAMZSWAP_PAGE_SUM_H
#define RAMZSWAP_PAGE_SUM_H

#include <stdint.h>
#include <string.h>

#include "codec.h"

#define PAGE_SUM_SIZE 4u

/*
 * One word more: for a given sum each word gives another, and the highest bits of one come down
 * to where the next product spreads them.
 */
static inline uint64_t page_sum_step(uint64_t sum, uint64_t word)
{
	sum = (sum ^ word) * UINT64_C(0xff51afd7ed558ccd);
	return sum << 29 | sum >> 35;
}

/* Of the CODEC_PAGE_SIZE bytes at page, whatever its alignment. */
static inline uint32_t page_sum(const void *page)
{
	uint64_t a = 1, b = 2, c = 3, d = 4, word[4], sum;
	const unsigned char *bytes = page;

	/* Four side by side: each waits for its product. */
	for (size_t at = 0; at < CODEC_PAGE_SIZE; at += sizeof(word)) {
		memcpy(word, bytes + at, sizeof(word));
		a = page_sum_step(a, word[0]);
		b = page_sum_step(b, word[1]);
		c = page_sum_step(c, word[2]);
		d = page_sum_step(d, word[3]);
	}
	sum = page_sum_step(page_sum_step(page_sum_step(a, b), c), d);
	sum ^= sum >> 32;
	sum *= UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(sum >> 32);
}

#endif
