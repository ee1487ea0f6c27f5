/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any page through every LZO1X encoder of ours: the payload fits its bound, liblzo2's decoder
 * and ours bring the page back, and nothing outside of page and payload is touched.  The
 * input is a program that writes the page, so that a short one makes runs,
 * repetitions and noise of any length and distance.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lzo/lzo1x.h>

#include "codec.h"
#include "guarded.h"
#include "lzo1x.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 8192

/* The kinds of step that an input's bytes stand for; the lowest two bits tell. */
enum { LITERALS, NEAR, FAR, RUN };

static struct guarded page_at, payload_at;
static unsigned char *workspace;

static void must(int truth, const char *promise)
{
	if (truth)
		return;
	fprintf(stderr, "broken promise: %s\n", promise);
	abort();
}

static unsigned int next(const uint8_t **data, const uint8_t *end)
{
	return *data < end ? *(*data)++ : 0;
}

/* Carries out the steps until the page is full; where they end, zeroes follow. */
static void make_page(unsigned char *page, const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;
	size_t at = 0;

	while (at < CODEC_PAGE_SIZE) {
		unsigned int step = next(&data, end), count = 1 + (step >> 2), kind = step & 3;
		unsigned int back = kind == NEAR || kind == FAR ? next(&data, end) : 0;

		/* The longest of each kind may be any length. */
		if (count == 64)
			count += 16 * next(&data, end);
		if (kind == FAR)
			back += 256 * (next(&data, end) % 16);
		back = at ? 1 + back % at : 0;
		if (kind == RUN)
			step = next(&data, end);
		for (; count && at < CODEC_PAGE_SIZE; count--, at++) {
			if (kind == LITERALS)
				page[at] = (unsigned char)next(&data, end);
			else if (kind == RUN)
				page[at] = (unsigned char)step;
			else
				page[at] = back ? page[at - back] : 0;
		}
	}
}

/* Encodes the page at in, and has it decoded by both.  Returns the payload's length. */
static int round_trip(int (*encode)(void *workspace, const void *page, void *out),
		      const unsigned char *page, const unsigned char *in, unsigned char *out)
{
	unsigned char back[CODEC_PAGE_SIZE];
	lzo_uint made = CODEC_PAGE_SIZE;
	int len = encode(workspace, in, out);

	must(len > 0 && len <= (int)CODEC_BOUND_MAX, "a page fits its bound");
	must(memcmp(in, page, CODEC_PAGE_SIZE) == 0, "the page is only read");
	must(lzo1x_decompress_safe(out, (lzo_uint)len, back, &made, NULL) == LZO_E_OK &&
		     made == CODEC_PAGE_SIZE && memcmp(back, page, CODEC_PAGE_SIZE) == 0,
	     "liblzo2 brings the page back");
	memset(back, 0, sizeof(back));
	must(lzo1x_decode_page(out, (size_t)len, back, 0) == 0 &&
		     memcmp(back, page, CODEC_PAGE_SIZE) == 0,
	     "we bring the page back");
	return len;
}

static int try_encoder(int (*encode)(void *workspace, const void *page, void *out),
		       const unsigned char *page, unsigned char *payload)
{
	unsigned char *behind = page_at.end - CODEC_PAGE_SIZE, *before = page_at.start;
	unsigned char *out = payload_at.end - CODEC_BOUND_MAX;
	int len;

	memcpy(behind, page, CODEC_PAGE_SIZE);
	len = round_trip(encode, page, behind, out);
	memcpy(payload, out, (size_t)len);
	memcpy(before, page, CODEC_PAGE_SIZE);
	must(round_trip(encode, page, before, payload_at.start) == len &&
		     memcmp(payload, payload_at.start, (size_t)len) == 0,
	     "a page makes the same payload everywhere, whatever the workspace holds");
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char page[CODEC_PAGE_SIZE], payload[CODEC_BOUND_MAX];
	int len;

	if (size > INPUT_MAX)
		return 0;
	if (!workspace) {
		page_at = guarded_new(2 * CODEC_PAGE_SIZE);
		payload_at = guarded_new(2 * CODEC_PAGE_SIZE);
		workspace = calloc(1, LZO1X_DENSE_WORKSPACE);
		must(workspace != NULL, "memory");
	}
	make_page(page, data, size);
	try_encoder(lzo1x_encode_dense, page, payload);
	/* Takes ten times as long as the others. */
	if (size % 8 == 0)
		try_encoder(lzo1x_encode_max, page, payload);
	len = try_encoder(lzo1x_encode_fast, page, payload);
#ifdef WITH_AVX2
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) {
		static unsigned char other[CODEC_BOUND_MAX];

		must(try_encoder(lzo1x_encode_fast_avx2, page, other) == len &&
			     memcmp(payload, other, (size_t)len) == 0,
		     "vectors change no payload");
	}
#endif
	return 0;
}
