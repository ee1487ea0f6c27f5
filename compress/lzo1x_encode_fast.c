/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fast encoder: greedy, with one candidate for each position, the last one that
 * hashes alike.
 *
 * Two things take its time: what no two steps can overlap, the way from the end of one
 * match over hash, table and candidate to the end of the next; and branches that cannot
 * be foretold, one for each match.  So the hashes of the whole page are made
 * beforehand, many at once, which shortens the way by a multiplication; no branch tells
 * M2 from M3; and lengths are compared by words, with AVX2 by 32 bytes.
 *
 * Only positions that are looked at are remembered.  With the last of each match as well
 * the ratio would be 1 % higher, but by matches of distance 1, which take a decoder longer
 * than they win here.
 *
 * Built a second time for AVX2, under the name that LZO1X_ENCODE_FAST gives: both
 * make the same payloads.
 */
#include <stddef.h>
#include <string.h>

#include "codec.h"
#include "lzo1x.h"
#include "lzo1x_copy.h"
#include "lzo1x_emit.h"
#include "lzo1x_match.h"

#ifndef LZO1X_ENCODE_FAST
#define LZO1X_ENCODE_FAST lzo1x_encode_fast
#endif

#define PAGE CODEC_PAGE_SIZE
#define HASH_BITS 12
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* What the compares read behind a position, and the few after it, stays in the page. */
#define LAST_SEARCHED (PAGE - 20)
#ifdef __AVX2__
#define LANES 16
#else
#define LANES 8
#endif
/* Where the last hashes are made from, over some of those before. */
#define LAST_HASHED (PAGE - 2 * LANES - 3)
#if defined(__has_builtin) && __has_builtin(__builtin_shufflevector)
#define INTERLEAVE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define INTERLEAVE(a, b, ...) __builtin_shuffle(a, b, (lanes){ __VA_ARGS__ })
#endif

/* A run of 4 literals comes first: the few before a match need a match before them. */
#define RUN_MIN 4
/* Runs up to that are copied as a whole. */
#define SHORT_RUN 16
/* In a run the steps grow by a byte for each 32. */
#define RUN_STEP_SHIFT 5

/*
 * Keeps the compiler from putting an index and its base together into an address that
 * it then needs an instruction more for: the processors add for nothing while they load.
 */
#define KEEP_INDEX(index) __asm__("" : "+r"(index))

struct tables {
	uint16_t hash[PAGE]; /* of the 4 bytes at each position */
	/* The last position with a hash; 0 is position 0 or none, and compared anyway. */
	uint16_t last[1 << HASH_BITS];
};

_Static_assert(sizeof(struct tables) <= LZO1X_FAST_WORKSPACE, "as large as lzo1x.h says");

/* As many 16-bit numbers as one register holds. */
typedef uint16_t lanes __attribute__((vector_size(2 * LANES)));

static inline lanes load_lanes(const uint8_t *p)
{
	lanes x;

	memcpy(&x, p, sizeof(x));
	return x;
}

/*
 * Hashes of the 4 bytes at p, p + 2, p + 4 and so on: multiplicative, of two halves.  Of
 * forty pairs of factors tried, this one finds most.
 */
static inline lanes hash_lanes(const uint8_t *p)
{
	return (load_lanes(p) * 0xfbb7 + load_lanes(p + 2) * 0x4699) >> (16 - HASH_BITS);
}

/* The hashes of 2 * LANES positions. */
static inline void hash_some(const uint8_t *p, uint16_t *hashes)
{
	lanes even = hash_lanes(p), odd = hash_lanes(p + 1), first, second;

#if LANES == 16
	first = INTERLEAVE(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
	second =
		INTERLEAVE(even, odd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#else
	first = INTERLEAVE(even, odd, 0, 8, 1, 9, 2, 10, 3, 11);
	second = INTERLEAVE(even, odd, 4, 12, 5, 13, 6, 14, 7, 15);
#endif
	memcpy(hashes, &first, sizeof(first));
	memcpy(hashes + LANES, &second, sizeof(second));
}

static inline void hash_page(const uint8_t *page, uint16_t *hashes)
{
	for (unsigned int at = 0; at <= LAST_HASHED; at += 2 * LANES)
		hash_some(page + at, hashes + at);
	hash_some(page + LAST_HASHED, hashes + LAST_HASHED);
}

/* Whether the candidate for a position has the same 4 bytes.  The position takes its place. */
static inline int probe(struct tables *tables, const uint8_t *page, size_t at, size_t *candidate)
{
	size_t h = tables->hash[at], from = tables->last[h];
	uint32_t there;

	KEEP_INDEX(h);
	tables->last[h] = (uint16_t)at;
	there = load32le(page + from);
	KEEP_INDEX(from);
	*candidate = from;
	return there == load32le(page + at);
}

/* The first of four positions with a match: how many literals are before it, 4 for none. */
static inline unsigned int probe_four(struct tables *tables, const uint8_t *page, size_t at,
				      size_t *candidate)
{
	if (probe(tables, page, at, candidate))
		return 0;
	if (probe(tables, page, at + 1, candidate))
		return 1;
	if (probe(tables, page, at + 2, candidate))
		return 2;
	return probe(tables, page, at + 3, candidate) ? 3 : 4;
}

/* Searches from at on, in growing steps.  The position of a match, or PAGE if there is none. */
static inline size_t search_run(struct tables *tables, const uint8_t *page, size_t at,
				size_t literals, size_t *candidate)
{
	while (at <= LAST_SEARCHED) {
		if (probe(tables, page, at, candidate))
			return at;
		at += 1 + ((at - literals) >> RUN_STEP_SHIFT);
	}
	return PAGE;
}

/* The length of a match of at least 4. */
static inline size_t length_at(const uint8_t *page, size_t at, size_t from)
{
	uint64_t differ = load64le(page + at + 4) ^ load64le(page + from + 4);

	if (likely(differ))
		return 4 + ((size_t)__builtin_ctzll(differ) >> 3);
	return 12 + match_length(page + at + 12, page + from + 12, (uint32_t)(PAGE - at - 12));
}

/* A run of at least RUN_MIN literals. */
static inline uint8_t *emit_run(uint8_t *out, const uint8_t *literals, size_t n, int first)
{
	if (unlikely(n > SHORT_RUN))
		return emit_literals(out, literals, n, first);
	*out++ = (uint8_t)(n - 3);
	copy16(out, literals);
	return out + n;
}

/*
 * A match of up to M3_LENGTH_MAX.  distance is one less than it is.  Both instructions
 * are made, M3 is taken if length or distance is too large for M2.
 */
static inline uint8_t *emit_short_match(uint8_t *out, uint32_t length, uint32_t distance)
{
	uint32_t m2 = ((length + distance) << 5) - 28 * (distance & 7) - 32;
	uint32_t m3 = (distance << 10) + length + 30;
	uint32_t larger = distance | (length - 1) << 8;

	_Static_assert(M2_LENGTH_MAX << 8 == M2_DISTANCE_MAX, "one compare tells");
#ifdef __x86_64__
	uint8_t *end = out;

	__asm__("cmp %4, %2\n\t"
		"cmovae %3, %0\n\t"
		"sbb $-3, %1"
		: "+r"(m2), "+r"(end)
		: "r"(larger), "r"(m3), "i"(M2_DISTANCE_MAX)
		: "cc");
	store32le(out, m2);
	return end;
#else
	store32le(out, larger < M2_DISTANCE_MAX ? m2 : m3);
	return out + 3 - (larger < M2_DISTANCE_MAX);
#endif
}

int LZO1X_ENCODE_FAST(void *workspace, const void *data, void *payload)
{
	struct tables *tables = workspace;
	const uint8_t *page = data;
	uint8_t *out = payload;
	size_t at = RUN_MIN, literals = 0, candidate, length;
	unsigned int n;

	memset(tables->last, 0, sizeof(tables->last));
	hash_page(page, tables->hash);
	while ((at = search_run(tables, page, at, literals, &candidate)) < PAGE) {
		out = emit_run(out, page + literals, at - literals, literals == 0);
		for (;;) {
			length = length_at(page, at, candidate);
			if (likely(length <= M3_LENGTH_MAX))
				out = emit_short_match(out, (uint32_t)length,
						       (uint32_t)(at - candidate - 1));
			else
				out = emit_match(out, length, at - candidate);
			at += length;
			literals = at;
			if (unlikely(at > LAST_SEARCHED))
				goto end;
			n = probe_four(tables, page, at, &candidate);
			if (n == 4)
				break;
			out[-2] |= (uint8_t)n;
			copy4(out, page + literals);
			out += n;
			at += n;
		}
		at += 4;
	}
end:
	out = emit_literals(out, page + literals, PAGE - literals, literals == 0);
	return (int)(emit_end(out) - (uint8_t *)payload);
}
