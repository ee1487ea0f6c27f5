/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes the seed corpus of fuzz_lzo1x into the directory that it is given: whole
 * and damaged payloads of made pages, by every liblzo2 encoder and of instructions
 * that none of them writes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lzo/lzo1x.h>

#include "codec.h"
#include "codec_pages.h"
#include "lzo1x_streams.h"

static unsigned char input[1 + LZO1X_STREAM_MAX + 64];
static unsigned char workspace[LZO1X_999_MEM_COMPRESS];

static void put(const char *dir, const char *kind, unsigned number, size_t len)
{
	char path[4096];
	FILE *file;

	/* Small ones only: what a fuzzer starts from should be cheap to change. */
	if (len > 1500)
		return;
	snprintf(path, sizeof(path), "%s/%s-%03u", dir, kind, number);
	file = fopen(path, "wb");
	input[0] = number;
	if (!file || fwrite(input, 1, 1 + len, file) != 1 + len || fclose(file)) {
		fprintf(stderr, "make_lzo1x_corpus: cannot write %s\n", path);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	unsigned char page[CODEC_PAGE_SIZE];

	if (argc != 2) {
		fprintf(stderr, "usage: make_lzo1x_corpus DIRECTORY\n");
		return 1;
	}
	for (unsigned i = 0; i < 40; i++) {
		lzo_uint len = CODEC_BOUND_MAX;
		size_t made;

		codec_page_make(page, i);
		if (i % 2)
			lzo1x_1_12_compress(page, CODEC_PAGE_SIZE, input + 1, &len, workspace);
		else
			lzo1x_999_compress(page, CODEC_PAGE_SIZE, input + 1, &len, workspace);
		put(argv[1], "encoded", i, len);
		made = lzo1x_stream_damage(input + 1, len, i);
		put(argv[1], "encoded-damaged", i, made);
		made = lzo1x_stream_make(input + 1, i);
		put(argv[1], "made", i, made);
		made = lzo1x_stream_damage(input + 1, made, i);
		put(argv[1], "made-damaged", i, made);
	}
	return 0;
}
