/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pages.h"

/* SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). */
uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
	return rng_next(rng) % bound;
}

uint64_t rng_seed(uint64_t by_default)
{
	const char *env = getenv("RAMZSWAP_TEST_SEED");
	uint64_t seed = env ? strtoull(env, NULL, 0) : by_default;

	fprintf(stderr, "replay with RAMZSWAP_TEST_SEED=%" PRIu64 "\n", seed);
	return seed;
}

unsigned int test_scale(void)
{
	const char *env = getenv("RAMZSWAP_TEST_SCALE");
	unsigned long scale = env ? strtoul(env, NULL, 10) : 100;

	return scale >= 1 && scale <= 10000 ? (unsigned int)scale : 100;
}

static void fill_text(struct rng *rng, unsigned char *data, size_t size)
{
	static const char *const words[] = {
		"page ",  "swap ", "memory ", "the ",	 "of ",	     "pool\n", "object ",
		"span ",  "free ", "list ",   "kernel ", "request ", "a ",     "limit, ",
		"block ", "is ",   "0x7f",    "struct ", "static ",  "int ",
	};
	size_t done = 0;

	while (done < size) {
		const char *word = words[rng_below(rng, sizeof(words) / sizeof(words[0]))];
		size_t len = strlen(word);

		if (len > size - done)
			len = size - done;
		memcpy(data + done, word, len);
		done += len;
	}
}

static void fill_struct(struct rng *rng, unsigned char *data, size_t size)
{
	uint64_t heap = UINT64_C(0x5500c0000000) + (rng_next(rng) & 0xffffff000);

	for (size_t done = 0; done < size; done += sizeof(uint64_t)) {
		size_t len = size - done < sizeof(uint64_t) ? size - done : sizeof(uint64_t);
		uint64_t word = rng_below(rng, 3) ? rng_below(rng, 200)
						  : heap + rng_below(rng, 1 << 20);

		memcpy(data + done, &word, len);
	}
}

static void fill_random(struct rng *rng, unsigned char *data, size_t size)
{
	for (size_t done = 0; done < size; done += sizeof(uint64_t)) {
		size_t len = size - done < sizeof(uint64_t) ? size - done : sizeof(uint64_t);
		uint64_t word = rng_next(rng);

		memcpy(data + done, &word, len);
	}
}

static void fill_same(struct rng *rng, unsigned char *data, size_t size)
{
	uint64_t word;

	/* Half of them of one repeated byte, as memset makes them. */
	if (rng_below(rng, 2))
		word = rng_next(rng) | 1;
	else
		word = UINT64_C(0x0101010101010101) * (1 + rng_below(rng, 255));
	for (size_t i = 0; i < size; i++)
		data[i] = ((unsigned char *)&word)[i % sizeof(word)];
}

void data_fill(struct rng *rng, enum data_kind kind, void *data, size_t size)
{
	size_t border;

	switch (kind) {
	case DATA_SAME:
		fill_same(rng, data, size);
		break;
	case DATA_TEXT:
		fill_text(rng, data, size);
		break;
	case DATA_STRUCT:
		fill_struct(rng, data, size);
		break;
	case DATA_SPARSE:
		memset(data, 0, size);
		for (int i = 0; size && i < 3; i++)
			((unsigned char *)data)[rng_below(rng, size)] =
				(unsigned char)rng_next(rng);
		break;
	case DATA_MIXED:
		border = rng_below(rng, size + 1);
		fill_random(rng, data, border);
		memset((unsigned char *)data + border, 0, size - border);
		break;
	case DATA_RANDOM:
		fill_random(rng, data, size);
		break;
	default:
		memset(data, 0, size);
		break;
	}
}

void data_fill_any(struct rng *rng, void *data, size_t size)
{
	for (size_t done = 0; done < size; done += TEST_PAGE_SIZE) {
		size_t len = size - done < TEST_PAGE_SIZE ? size - done : TEST_PAGE_SIZE;

		data_fill(rng, (enum data_kind)rng_below(rng, DATA_KINDS), (char *)data + done,
			  len);
	}
}

int data_is_zero(const void *data, size_t size)
{
	const unsigned char *bytes = data;

	return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

size_t data_differs(const void *a, const void *b, size_t size)
{
	const unsigned char *left = a, *right = b;
	size_t i = 0;

	if (memcmp(a, b, size) == 0)
		return size;
	while (left[i] == right[i])
		i++;
	return i;
}
