/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as an LZO1X payload.  The first byte of the input chooses the slack,
 * the rest is the payload; both sides of payload and page are inaccessible, and
 * liblzo2 must be of the same opinion.  Even inputs also serve as a page, which
 * every codec must bring back.
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

#define INPUT_MAX 32768

static void must(int truth, const char *promise)
{
	if (truth)
		return;
	fprintf(stderr, "broken promise: %s\n", promise);
	abort();
}

static void decode_any(const uint8_t *payload, size_t len, size_t slack)
{
	static struct guarded payload_at, page_at;
	unsigned char expected[CODEC_PAGE_SIZE], *page;
	lzo_uint made = CODEC_PAGE_SIZE;
	int good, err;

	if (!payload_at.start) {
		payload_at = guarded_new(INPUT_MAX);
		page_at = guarded_new(CODEC_PAGE_SIZE + 4096);
	}
	good = lzo1x_decompress_safe(payload, len, expected, &made, NULL) == LZO_E_OK &&
	       made == CODEC_PAGE_SIZE;

	page = page_at.end - CODEC_PAGE_SIZE - slack;
	memcpy(payload_at.end - len, payload, len);
	memset(page_at.start, 0xa5, page_at.end - page_at.start);
	err = lzo1x_decode_page(payload_at.end - len, len, page, slack);
	must((err == 0) == good, "the verdict is liblzo2's");
	must(err == 0 || err < 0, "an error is negative");
	must(!good || memcmp(page, expected, CODEC_PAGE_SIZE) == 0, "the page is liblzo2's");
	for (unsigned char *p = page_at.start; p < page; p++)
		must(*p == 0xa5, "nothing in front of the page is written");

	memcpy(payload_at.start, payload, len);
	err = lzo1x_decode_page(payload_at.start, len, page_at.start, slack);
	must((err == 0) == good, "the verdict does not depend on the place");
}

static void encode_any(const uint8_t *data, size_t size)
{
	static unsigned char *workspace;
	unsigned char page[CODEC_PAGE_SIZE], back[CODEC_PAGE_SIZE], payload[CODEC_BOUND_MAX];

	if (!workspace)
		workspace = aligned_alloc(64, 1 << 20);
	for (size_t i = 0; i < CODEC_PAGE_SIZE; i++)
		page[i] = data[i % size];
	for (size_t c = 0; codecs[c]; c++) {
		for (int effort = 0; effort < CODEC_EFFORTS; effort++) {
			int len;

			must(codecs[c]->workspace_size[effort] <= 1 << 20, "1 MiB is enough");
			memset(workspace, 0, codecs[c]->workspace_size[effort]);
			len = codecs[c]->compress(effort, workspace, page, payload);
			must(len > 0 && len <= (int)CODEC_BOUND_MAX, "a page fits its bound");
			must(codecs[c]->decompress(payload, len, back, 0) == 0 &&
				     memcmp(page, back, CODEC_PAGE_SIZE) == 0,
			     "a page comes back");
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t slacks[] = { 0, 64, 1, 23, 24, 25, 47, 48, 49, 320, 4096, 7 };

	if (size < 1 || size > INPUT_MAX)
		return 0;
	decode_any(data + 1, size - 1, slacks[data[0] % (sizeof(slacks) / sizeof(slacks[0]))]);
	if (size % 2 == 0)
		encode_any(data, size);
	return 0;
}
