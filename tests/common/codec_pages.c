/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "codec.h"
#include "codec_pages.h"

static uint64_t next(uint64_t *state)
{
	/* splitmix64, by Sebastiano Vigna (public domain) */
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned below(uint64_t *state, unsigned limit)
{
	return (unsigned)((next(state) >> 32) * limit >> 32);
}

static void noise(unsigned char *page, uint64_t *state)
{
	unsigned values = 1u << below(state, 9);

	for (unsigned i = 0; i < CODEC_PAGE_SIZE; i++)
		page[i] = below(state, values);
}

static void records(unsigned char *page, uint64_t *state)
{
	unsigned words = 2 + below(state, 14);
	uint64_t heap = 0x550000000000 + (next(state) & 0xffffff000);

	for (unsigned i = 0; i < CODEC_PAGE_SIZE / 8; i++) {
		uint64_t word;

		switch (i % words % 4) {
		case 0:
			word = heap + below(state, 4096) * 16;
			break;
		case 1:
			word = i / words;
			break;
		case 2:
			word = below(state, 3) ? 0 : below(state, 200);
			break;
		default:
			word = heap & ~0xffffull;
		}
		memcpy(page + 8 * i, &word, 8);
	}
}

static void text(unsigned char *page, uint64_t *state)
{
	char words[64][10];
	unsigned n = 2 + below(state, 62);

	for (unsigned w = 0; w < n; w++) {
		unsigned len = 1 + below(state, 9);

		for (unsigned i = 0; i < len; i++)
			words[w][i] = 'a' + below(state, 26);
		words[w][len] = 0;
	}
	for (unsigned at = 0; at < CODEC_PAGE_SIZE;) {
		const char *word = words[below(state, n)];

		while (*word && at < CODEC_PAGE_SIZE)
			page[at++] = *word++;
		if (at < CODEC_PAGE_SIZE)
			page[at++] = below(state, 12) ? ' ' : '\n';
	}
}

static void period(unsigned char *page, uint64_t *state)
{
	unsigned len = 1 + below(state, below(state, 2) ? 24 : 2500);

	noise(page, state);
	for (unsigned i = len; i < CODEC_PAGE_SIZE; i++)
		page[i] = page[i - len];
	if (below(state, 2))
		page[below(state, CODEC_PAGE_SIZE)] ^= 1;
}

/* Every length and distance of literals and matches, at random. */
static void copies(unsigned char *page, uint64_t *state)
{
	unsigned longest = 1 + below(state, below(state, 3) ? 40 : 700);
	unsigned near = 1 + below(state, below(state, 2) ? 64 : 4095);

	for (unsigned at = 0; at < CODEC_PAGE_SIZE;) {
		unsigned literals = below(state, below(state, 4) ? 6 : longest);
		unsigned len = 2 + below(state, longest);
		unsigned distance = 1 + below(state, near);

		while (literals-- && at < CODEC_PAGE_SIZE)
			page[at++] = next(state);
		while (len-- && at < CODEC_PAGE_SIZE) {
			page[at] = at >= distance ? page[at - distance] : 0;
			at++;
		}
	}
}

static void runs(unsigned char *page, uint64_t *state)
{
	unsigned longest = 2 + below(state, 600);

	for (unsigned at = 0; at < CODEC_PAGE_SIZE;) {
		unsigned len = 1 + below(state, longest);
		int same = below(state, 2);
		unsigned char value = below(state, 2) ? 0 : next(state);

		while (len-- && at < CODEC_PAGE_SIZE)
			page[at++] = same ? value : next(state);
	}
}

static void sparse(unsigned char *page, uint64_t *state)
{
	unsigned n = below(state, 400);

	memset(page, below(state, 3) ? 0 : 0xff, CODEC_PAGE_SIZE);
	while (n--)
		page[below(state, CODEC_PAGE_SIZE)] = next(state);
}

void codec_page_make(unsigned char *page, uint64_t number)
{
	static void (*const kinds[])(unsigned char *, uint64_t *) = {
		noise, records, text, period, copies, runs, sparse, copies, records,
	};
	const unsigned n = sizeof(kinds) / sizeof(kinds[0]);
	uint64_t state = number * 0x632be59bd9b4e019;
	unsigned char other[CODEC_PAGE_SIZE];
	unsigned cut;

	kinds[number % n](page, &state);
	if (number % 4 != 3)
		return;
	kinds[below(&state, n)](other, &state);
	cut = below(&state, CODEC_PAGE_SIZE);
	memcpy(page + cut, other + cut, CODEC_PAGE_SIZE - cut);
}
