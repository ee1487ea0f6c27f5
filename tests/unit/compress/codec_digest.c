/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encodes and decodes many made pages and payloads with our own LZO1X and prints a
 * digest of all that comes out.  Two machines that print the same do the same.  It
 * needs nothing but our own code, so that it can be built for any of them.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "codec_pages.h"
#include "lzo1x.h"
#include "lzo1x_streams.h"

/* FNV-1a, 64 bits. */
static uint64_t digest = 0xcbf29ce484222325;

static void add(const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		digest = (digest ^ bytes[i]) * 0x100000001b3;
}

static void must(int truth, const char *promise, unsigned number)
{
	if (truth)
		return;
	fprintf(stderr, "codec_digest: page %u: %s\n", number, promise);
	exit(1);
}

static void round_trip(unsigned number, unsigned char *workspace,
		       int (*encode)(void *workspace, const void *page, void *out))
{
	unsigned char page[CODEC_PAGE_SIZE], back[CODEC_PAGE_SIZE], payload[CODEC_BOUND_MAX];
	int len;

	codec_page_make(page, number);
	len = encode(workspace, page, payload);
	must(len > 0 && len <= (int)CODEC_BOUND_MAX, "the payload is too long", number);
	add(payload, len);
	must(lzo1x_decode_page(payload, len, back, 0) == 0, "is not decoded", number);
	must(memcmp(page, back, CODEC_PAGE_SIZE) == 0, "comes back different", number);
}

static void decode_stream(unsigned number)
{
	static unsigned char stream[LZO1X_STREAM_MAX + 64];
	unsigned char page[CODEC_PAGE_SIZE];
	size_t len = lzo1x_stream_make(stream, number);
	unsigned char verdict;

	must(lzo1x_decode_page(stream, len, page, 0) == 0, "a made payload is refused", number);
	add(page, CODEC_PAGE_SIZE);
	len = lzo1x_stream_damage(stream, len, number);
	verdict = lzo1x_decode_page(stream, len, page, 0) == 0;
	add(&verdict, 1);
}

int main(void)
{
	unsigned char *workspace = aligned_alloc(64, LZO1X_DENSE_WORKSPACE);

	for (unsigned i = 0; i < 300; i++) {
		round_trip(i, workspace, lzo1x_encode_fast);
		round_trip(i, workspace, i % 16 ? lzo1x_encode_dense : lzo1x_encode_max);
		decode_stream(i);
	}
	printf("%016llx\n", (unsigned long long)digest);
	free(workspace);
	return 0;
}
