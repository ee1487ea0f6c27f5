/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decoder.  What bounds it on real pages is the path from one instruction's
 * address to the next one's, and the branches that cannot be foretold, a third
 * of the time each.  So M2 and M3, nine in ten instructions, share one path:
 * a table gives what differs, no branch tells them apart, and the two loads that
 * find the next instruction's address wait for nothing else.  Copies write more
 * than asked for, as long as that stays in memory that is ours to write; within
 * the last bytes of the page or the payload the careful half takes over.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "codec.h"
#include "lzo1x.h"
#include "lzo1x_copy.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* With less no payload makes a page: a byte stands for at most 255 of them. */
#define PAYLOAD_MIN (CODEC_PAGE_SIZE / 255)

#define CACHE_LINE 64
#define PREFETCH (12 * CACHE_LINE)

/* The shared path reads at most this much from where an instruction starts. */
#define FAST_INPUT 8
/* It writes at most this much for a match of up to 16 bytes and what follows it, */
#define FAST_OUTPUT 24
/* and this much for a match of up to 33. */
#define WIDE_OUTPUT 48
/* A run of literals with an extension is longer than this. */
#define LONG_RUN 18
/* From where a run ends the shared path reads and writes at most this much. */
#define RUN_EXTRA FAST_OUTPUT
/* A long copy writes at most this much more than its length. */
#define LONG_EXTRA 32

struct cursor {
	const uint8_t *in; /* the next instruction */
	const uint8_t *in_end;
	uint8_t *out; /* the next byte to make */
	uint8_t *page;
	uint8_t *page_end;
	uint8_t *room_end; /* where what we may overwrite ends */
	unsigned state;	   /* see lzo1x.h */
};

/*
 * What an M2 or M3 instruction's first byte tells: its length, and how to get the
 * distance from its first 4 bytes.  The distance is base + ((word >> shift) & mask).
 */
struct match_class {
	uint16_t mask;
	uint8_t base;
	uint8_t length;
	uint8_t shift;
	uint8_t pad[3];
};

#define M3(t)                                \
	{                                    \
		0x3fff, 1, ((t)&31) + 2, 10, \
		{                            \
			0                    \
		}                            \
	}
#define M2(t)                                                  \
	{                                                      \
		0x07f8, 1 + ((t) >> 2 & 7), ((t) >> 5) + 1, 5, \
		{                                              \
			0                                      \
		}                                              \
	}
#define X4(m, t) m(t), m((t) + 1), m((t) + 2), m((t) + 3)
#define X32(m, t)                                                                   \
	X4(m, t), X4(m, (t) + 4), X4(m, (t) + 8), X4(m, (t) + 12), X4(m, (t) + 16), \
		X4(m, (t) + 20), X4(m, (t) + 24), X4(m, (t) + 28)

static const struct match_class match_classes[256] = {
	[32] = X32(M3, 32), X32(M2, 64),  X32(M2, 96),	X32(M2, 128),
	X32(M2, 160),	    X32(M2, 192), X32(M2, 224),
};

/* A multiple of distance from 8 to 14, for a distance below 8. */
static const uint8_t distance_from_8[8] = { 0, 8, 8, 9, 8, 10, 12, 14 };

/*
 * Copies from out - distance to out until end is reached, up to LONG_EXTRA bytes
 * further.  A distance below the width of a unit repeats a pattern: its first
 * 8 bytes go singly, and from there on a multiple of it does as well.
 */
static inline void copy_match(uint8_t *out, size_t distance, const uint8_t *end)
{
	const uint8_t *from = out - distance;

	if (likely(distance >= 16)) {
		do {
			copy16(out, from);
			copy16(out + 16, from + 16);
			out += 32;
			from += 32;
		} while (out < end);
		return;
	}
	if (distance < 8) {
		for (int i = 0; i < 8; i++)
			out[i] = from[i];
		out += 8;
		from = out - distance_from_8[distance];
	}
	while (out < end) {
		copy8(out, from);
		copy8(out + 8, from + 8);
		out += 16;
		from += 16;
	}
}

/* The same, but writes nothing at or past limit, which is at end or further. */
static inline void copy_match_exactly(uint8_t *out, size_t distance, uint8_t *end,
				      const uint8_t *limit)
{
	if (end - out > 8 && limit - out > LONG_EXTRA + 8) {
		uint8_t *wide_end = limit - end >= LONG_EXTRA ? end : end - LONG_EXTRA;

		if (wide_end > out) {
			copy_match(out, distance, wide_end);
			out = wide_end;
		}
	}
	if (distance >= 8) {
		for (; end - out >= 8; out += 8)
			copy8(out, out - distance);
	}
	for (; out < end; out++)
		*out = *(out - distance);
}

/*
 * The number of literals behind the M2 or M3 that starts with word, and in *in
 * where the last byte but one of that instruction is.  The compilers like to make
 * a branch of this, which half of the time is taken and cannot be foretold.
 */
static inline unsigned literals_behind(uint32_t word, const uint8_t **in)
{
#ifdef __x86_64__
	uint32_t second = word >> 8;
	uint32_t t = word & 0xff;

	__asm__("cmp $64, %2\n\t"
		"cmovb %3, %0\n\t"
		"adc $0, %1"
		: "+r"(word), "+r"(*in)
		: "r"(t), "r"(second)
		: "cc");
	return word & 3;
#else
	uint32_t is_m3 = ((word & 0xff) - 64) >> 31;

	*in += is_m3;
	return word >> (8 * is_m3) & 3;
#endif
}

/*
 * A run of literals, with the instruction at *in of which word is the start.  False, with nothing
 * done, if the careful half must do it: it has two bytes of extension or more, or too little is
 * behind it.  Otherwise the shared path may go on with a match.
 */
static inline __attribute__((always_inline)) bool copy_run(uint32_t word, const uint8_t **in,
							   const uint8_t *in_end, uint8_t **out,
							   const uint8_t *room_end)
{
	const uint8_t *from = *in + 1;
	size_t n = (uint8_t)word + 3u;

	if (n == 3) {
		n = LONG_RUN + (word >> 8 & 0xff);
		from++;
		if (n == LONG_RUN)
			return false;
	}
	if (in_end - from < (ptrdiff_t)n + RUN_EXTRA || room_end - *out < (ptrdiff_t)n + RUN_EXTRA)
		return false;
	copy16(*out, from);
	for (size_t i = 16; i < n; i += 16)
		copy16(*out + i, from + i);
	*in = from + n;
	*out += n;
	return true;
}

/* True if a match that far back would start before the page. */
static inline int starts_before(const uint8_t *page, const uint8_t *out, size_t distance)
{
	return unlikely((uintptr_t)out - distance < (uintptr_t)page);
}

/*
 * Decodes as long as everything that it may touch is ours.  Returns 0 in front of
 * an instruction that the careful half must decode, or -EBADMSG.
 */
static inline __attribute__((always_inline)) int decode_fast(struct cursor *cursor)
{
	const uint8_t *const in_end = cursor->in_end, *const in_last = in_end - FAST_INPUT;
	uint8_t *const page = cursor->page, *const room_end = cursor->room_end;
	uint8_t *const out_last = room_end - FAST_OUTPUT;
	uint8_t *const wide_last = room_end - WIDE_OUTPUT;
	const uint8_t *in = cursor->in;
	uint8_t *out = cursor->out;
	unsigned state = cursor->state;

	/* Two branches, not one on both: each is foretold, and && would cost four. */
	for (;;) {
		const struct match_class *class;
		const uint8_t *from, *start;
		size_t length, distance;
		uint32_t word;

		if (unlikely(in > in_last))
			break;
		if (unlikely(out > out_last))
			break;
		word = load32le(in);
		if (unlikely((uint8_t)word <= 32))
			goto other;
	match:
		start = in;
		state = literals_behind(word, &in);
		class = &match_classes[(uint8_t)word];
		length = class->length;
		distance = class->base + (word >> class->shift & class->mask);
		if (starts_before(page, out, distance))
			return -EBADMSG;
		from = out - distance;
		if (unlikely(distance < 8)) {
			if (unlikely(out > wide_last)) {
				in = start;
				break;
			}
			copy_match(out, distance, out + length);
		} else {
			copy8(out, from);
			copy8(out + 8, from + 8);
			if (length > 16) {
				if (unlikely(out > wide_last)) {
					in = start;
					break;
				}
				copy8(out + 16, from + 16);
				copy8(out + 24, from + 24);
				out[32] = from[32];
			}
		}
		out += length;
		copy4(out, in + 2);
		out += state;
		in += 2 + state;
		continue;
	other:
		if ((uint8_t)word < 16 && state == 0) {
			if (!copy_run(word, &in, in_end, &out, room_end))
				break;
			state = 4;
			word = load32le(in);
			if (unlikely((uint8_t)word <= 32))
				continue;
			goto match;
		}
		if ((uint8_t)word < 16) {
			length = state == 4 ? 3 : 2;
			distance = (state == 4 ? 2049 : 1) + (word >> 2 & 3) + (word >> 6 & 0x3fc);
			if (starts_before(page, out, distance))
				return -EBADMSG;
			from = out - distance;
			out[0] = from[0];
			out[1] = from[1];
			out[2] = from[2];
			state = word & 3;
			in += 2;
		} else if ((uint8_t)word == 32) {
			length = 33 + (word >> 8 & 0xff);
			if (length == 33 || room_end - out < (ptrdiff_t)length + LONG_EXTRA)
				break;
			word = load32le(in + 2);
			distance = 1 + (word >> 2 & 0x3fff);
			if (starts_before(page, out, distance))
				return -EBADMSG;
			copy_match(out, distance, out + length);
			state = word & 3;
			in += 4;
		} else {
			break;
		}
		out += length;
		copy4(out, in);
		out += state;
		in += state;
	}
	cursor->in = in;
	cursor->out = out;
	cursor->state = state;
	return 0;
}

/*
 * Adds the extension at cursor->in to *length.  Returns 0 or -EBADMSG if the
 * payload ends in it or no page is that long.
 */
static int read_extension(struct cursor *cursor, size_t *length)
{
	while (cursor->in < cursor->in_end && *cursor->in == 0) {
		*length += 255;
		if (*length > CODEC_PAGE_SIZE)
			return -EBADMSG;
		cursor->in++;
	}
	if (cursor->in == cursor->in_end)
		return -EBADMSG;
	*length += *cursor->in++;
	return 0;
}

static int copy_literals(struct cursor *cursor, size_t n)
{
	size_t room = cursor->room_end - cursor->out, rest = cursor->in_end - cursor->in;

	if (n > rest || n > (size_t)(cursor->page_end - cursor->out))
		return -EBADMSG;
	if (n + 15 <= room && n + 15 <= rest) {
		for (size_t i = 0; i < n; i += 16)
			copy16(cursor->out + i, cursor->in + i);
	} else {
		memcpy(cursor->out, cursor->in, n);
	}
	cursor->in += n;
	cursor->out += n;
	return 0;
}

/* Decodes one instruction: returns 0, 1 if it was the end marker, or -EBADMSG. */
static int decode_careful(struct cursor *cursor)
{
	size_t length, distance, code;
	unsigned t;

	/* The end marker has three bytes, so nothing before it is the last two. */
	if (cursor->in_end - cursor->in < 3)
		return -EBADMSG;
	t = *cursor->in++;
	if (t < 16 && cursor->state == 0) {
		length = t + 3;
		if (t == 0 && (length = 18, read_extension(cursor, &length)))
			return -EBADMSG;
		cursor->state = 4;
		return copy_literals(cursor, length);
	}
	if (t < 16 || t >= 64) {
		code = *cursor->in++;
		if (t >= 64) {
			length = (t >> 5) + 1;
			distance = 1 + (t >> 2 & 7) + (code << 3);
		} else {
			length = cursor->state == 4 ? 3 : 2;
			distance = (cursor->state == 4 ? 2049 : 1) + (t >> 2) + (code << 2);
		}
	} else {
		unsigned length_mask = t >= 32 ? 31 : 7;

		length = (t & length_mask) + 2;
		if (length == 2 && (length += length_mask, read_extension(cursor, &length)))
			return -EBADMSG;
		if (cursor->in_end - cursor->in < 2)
			return -EBADMSG;
		code = load16le(cursor->in);
		cursor->in += 2;
		distance = 1 + (code >> 2);
		if (t < 32)
			return t < 24 && code < 4 ? 1 : -EBADMSG;
	}
	if (distance > (size_t)(cursor->out - cursor->page) ||
	    length > (size_t)(cursor->page_end - cursor->out))
		return -EBADMSG;
	copy_match_exactly(cursor->out, distance, cursor->out + length, cursor->room_end);
	cursor->out += length;
	cursor->state = cursor->in[-2] & 3;
	return copy_literals(cursor, cursor->state);
}

int lzo1x_decode_page(const void *payload, size_t len, void *page, size_t slack)
{
	struct cursor cursor = {
		.in = payload,
		.in_end = (const uint8_t *)payload + len,
		.out = page,
		.page = page,
		.page_end = (uint8_t *)page + CODEC_PAGE_SIZE,
		.room_end = (uint8_t *)page + CODEC_PAGE_SIZE + slack,
	};
	int err;

	if (len < PAYLOAD_MIN)
		return -EBADMSG;
	/* A payload that was not read for long is cold, and hardware looks ahead late. */
	for (size_t i = CACHE_LINE; i < len && i < PREFETCH; i += CACHE_LINE)
		__builtin_prefetch(cursor.in + i);
	if (*cursor.in > 17) {
		size_t n = *cursor.in++ - 17u;

		if (copy_literals(&cursor, n))
			return -EBADMSG;
		cursor.state = n < 4 ? n : 4;
	}
	do {
		err = decode_fast(&cursor);
		/* Of a damaged payload it may make more than a page, into the slack. */
		if (err || cursor.out > cursor.page_end)
			return -EBADMSG;
		err = decode_careful(&cursor);
	} while (err == 0);
	if (err < 0 || cursor.in != cursor.in_end || cursor.out != cursor.page_end)
		return -EBADMSG;
	return 0;
}
