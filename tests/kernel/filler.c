/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filler.h"

#include <string.h>

#define WORDS (FILLER_PAGE / 8)
#define BLOCK 16 /* words: some random ones, then some that every block repeats */

/* SplitMix64 (Steele, Lea, Flood 2014): any seed gives a good sequence. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/*
 * Random words of the page, in 1/256 of its words, for a ratio in tenths.  Pages of
 * real programs differ, so a page takes half to one and a half times the mean.  What
 * the stamp and the matches of the repeated words cost under LZO1X-1 is taken off:
 * asked for 3:1 it gives 3.0, for 6:1 it gives 6.2.
 */
static unsigned int random_share(const struct filler *filler, uint64_t *state)
{
	unsigned int mean, share;

	if (filler->ratio <= FILLER_RATIO_MIN)
		return 256;
	mean = 2560 / filler->ratio;
	mean = mean > 20 ? mean - 16 : 4;
	share = mean / 2 + (unsigned int)(next(state) % (mean + 1));
	return share < 256 ? share : 256;
}

void filler_make(const struct filler *filler, void *page, uint64_t number, uint32_t version)
{
	uint64_t *words = page;
	uint64_t state = filler->seed ^ (number << 24) ^ version;
	unsigned int share, i;

	if (!version) {
		memset(page, 0, FILLER_PAGE);
		return;
	}
	share = random_share(filler, &state);
	for (i = 0; i < WORDS; i++) {
		/* A fraction of a word carries over from block to block. */
		unsigned int before = (i / BLOCK) * share * BLOCK / 256;
		unsigned int after = (i / BLOCK + 1) * share * BLOCK / 256;

		if (i % BLOCK < after - before)
			words[i] = next(&state);
		else
			words[i] = UINT64_C(0x00007f5500000000) | ((i % BLOCK) << 6);
	}
	words[0] = number;
	words[1] = version;
	words[2] = filler->seed;
}

bool filler_verify(const struct filler *filler, const void *page, uint64_t number, uint32_t version)
{
	uint64_t expected[WORDS];

	filler_make(filler, expected, number, version);
	return !memcmp(page, expected, FILLER_PAGE);
}
