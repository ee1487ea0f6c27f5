/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes LZO1X instructions; lzo1x.h describes them. */
#ifndef RAMZSWAP_LZO1X_EMIT_H
#define RAMZSWAP_LZO1X_EMIT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define M1_DISTANCE_MAX 1024u
#define M2_DISTANCE_MAX 2048u
#define M2_LENGTH_MAX 8u
#define M3_LENGTH_MAX 33u
#define MATCH_MIN 3u

/* The longest run of literals that the first byte of a payload can announce. */
#define FIRST_RUN_MAX 238u

static inline uint8_t *emit_extension(uint8_t *out, size_t value)
{
	for (; value > 255; value -= 255)
		*out++ = 0;
	*out++ = (uint8_t)value;
	return out;
}

/*
 * n literals, 0 for none, after the match that ends at out, or with first at the
 * very start of the payload.
 */
static inline uint8_t *emit_literals(uint8_t *out, const uint8_t *literals, size_t n, int first)
{
	if (n == 0)
		return out;
	if (first && n <= FIRST_RUN_MAX) {
		*out++ = (uint8_t)(17 + n);
	} else if (n <= 3) {
		out[-2] |= (uint8_t)n;
	} else if (n <= 18) {
		*out++ = (uint8_t)(n - 3);
	} else {
		*out++ = 0;
		out = emit_extension(out, n - 18);
	}
	memcpy(out, literals, n);
	return out + n;
}

/* A match of 2, within M1_DISTANCE_MAX and behind 1 to 3 literals, or of 3 and more. */
static inline uint8_t *emit_match(uint8_t *out, size_t length, size_t distance)
{
	distance--;
	if (length == 2) {
		*out++ = (uint8_t)((distance & 3) << 2);
		*out++ = (uint8_t)(distance >> 2);
		return out;
	}
	if (length <= M2_LENGTH_MAX && distance < M2_DISTANCE_MAX) {
		*out++ = (uint8_t)((length - 1) << 5 | (distance & 7) << 2);
		*out++ = (uint8_t)(distance >> 3);
		return out;
	}
	if (length <= M3_LENGTH_MAX) {
		*out++ = (uint8_t)(32 | (length - 2));
	} else {
		*out++ = 32;
		out = emit_extension(out, length - M3_LENGTH_MAX);
	}
	*out++ = (uint8_t)((distance & 63) << 2);
	*out++ = (uint8_t)(distance >> 6);
	return out;
}

static inline uint8_t *emit_end(uint8_t *out)
{
	*out++ = 17;
	*out++ = 0;
	*out++ = 0;
	return out;
}

#endif
