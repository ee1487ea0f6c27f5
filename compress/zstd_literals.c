/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames, blocks and sections: RFC 8878, 3.1.1. */
#define ZSTD_STATIC_LINKING_ONLY
#include <stdint.h>

#include "codec.h"
#include "zstd_literals.h"

/* Of ZSTD_c_literalCompressionMode; the names of these differ from version to version. */
#define LITERALS_AUTO 0
#define LITERALS_SPELLED_OUT 2

/* Huffman's code takes a table of about this many bytes for each four symbols... */
#define SYMBOLS_PER_TABLE_BYTE 4
/* ...and has to win so many bytes more to be worth its time: nine pages in ten do without. */
#define WIN_LEAST 96

#define FRAME_HEADER 2 /* descriptor and window, for there is nothing else */
#define BLOCK_HEADER 3
#define BLOCK_RAW 0
#define BLOCK_COMPRESSED 2

/* 256 times the logarithm of count, which is not 0: exact for powers of two, straight between. */
static uint32_t log2_256(uint32_t count)
{
	unsigned int whole = 31u - (unsigned int)__builtin_clz(count);

	return whole * 256 + ((count << 8 >> whole) - 256);
}

static unsigned int little_endian(const unsigned char *at, unsigned int bytes)
{
	unsigned int value = 0;

	for (unsigned int i = 0; i < bytes; i++)
		value |= (unsigned int)at[i] << 8 * i;
	return value;
}

/* How many bytes Huffman's code would win of these. */
static int huffman_wins(const unsigned char *literals, unsigned int count)
{
	uint32_t counts[256] = { 0 }, won_bits_256 = 0, symbols = 0;

	for (unsigned int i = 0; i < count; i++)
		counts[literals[i]]++;
	for (unsigned int i = 0; i < 256; i++) {
		uint32_t bits_256;

		if (counts[i] == 0)
			continue;
		symbols++;
		bits_256 = log2_256(count) - log2_256(counts[i]);
		if (bits_256 < 8 * 256)
			won_bits_256 += counts[i] * (8 * 256 - bits_256);
	}
	return (int)(won_bits_256 / (8 * 256)) - (int)(symbols / SYMBOLS_PER_TABLE_BYTE);
}

/* The literals of a frame that spells them out; how many, 0 also for what is not such a frame. */
static unsigned int find_literals(const unsigned char *frame, size_t len,
				  const unsigned char **literals)
{
	static const unsigned char size_bytes[] = { 1, 2, 1, 3 }, size_shift[] = { 3, 4, 3, 4 };
	const unsigned char *section = frame + FRAME_HEADER + BLOCK_HEADER, *end = frame + len;
	unsigned int block, kind, format, count;

	if (len < FRAME_HEADER + BLOCK_HEADER + 3)
		return 0;
	block = little_endian(frame + FRAME_HEADER, BLOCK_HEADER);
	kind = block >> 1 & 3;
	if (kind == BLOCK_RAW) {
		*literals = section;
		count = block >> 3;
	} else if (kind == BLOCK_COMPRESSED && (section[0] & 3) == 0) {
		format = section[0] >> 2 & 3;
		*literals = section + size_bytes[format];
		count = little_endian(section, size_bytes[format]) >> size_shift[format];
	} else {
		return 0;
	}
	return count <= (size_t)(end - *literals) ? count : 0;
}

static size_t compress(ZSTD_CCtx *context, int literals, const void *page, void *out)
{
	size_t err = ZSTD_CCtx_setParameter(context, ZSTD_c_literalCompressionMode, literals);

	if (ZSTD_isError(err))
		return err;
	return ZSTD_compress2(context, out, CODEC_BOUND_MAX, page, CODEC_PAGE_SIZE);
}

size_t zstd_compress_for_reading(ZSTD_CCtx *context, const void *page, void *out)
{
	size_t len = compress(context, LITERALS_SPELLED_OUT, page, out);
	const unsigned char *literals;
	unsigned int count = ZSTD_isError(len) ? 0 : find_literals(out, len, &literals);

	if (count == 0 || huffman_wins(literals, count) < WIN_LEAST)
		return len;
	return compress(context, LITERALS_AUTO, page, out);
}
