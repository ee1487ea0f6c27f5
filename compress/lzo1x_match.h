/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far two places of a page agree. */
#ifndef RAMZSWAP_LZO1X_MATCH_H
#define RAMZSWAP_LZO1X_MATCH_H

#include <stdint.h>

#include "lzo1x_copy.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

/* The bytes from a and b on that are the same, at most `most`: no more is read. */
static inline uint32_t match_length(const uint8_t *a, const uint8_t *b, uint32_t most)
{
	uint32_t n = 0;

#ifdef __AVX2__
	while (n + 32 <= most) {
		__m256i same = _mm256_cmpeq_epi8(_mm256_loadu_si256((const void *)(a + n)),
						 _mm256_loadu_si256((const void *)(b + n)));
		uint32_t differ = ~(uint32_t)_mm256_movemask_epi8(same);

		if (differ)
			return n + (uint32_t)__builtin_ctz(differ);
		n += 32;
	}
#endif
	while (n + 8 <= most) {
		uint64_t differ = load64le(a + n) ^ load64le(b + n);

		if (differ)
			return n + ((uint32_t)__builtin_ctzll(differ) >> 3);
		n += 8;
	}
	while (n < most && a[n] == b[n])
		n++;
	return n;
}

#endif
