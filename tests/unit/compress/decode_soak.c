/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our LZO1X decoder beside liblzo2's, on as many payloads as one likes: what encoders write, and
 * every kind of instruction, whole and damaged, and noise.  Payload and page end where memory ends,
 * or begin where it begins: a byte too far ends the process.
 *
 * Without a sanitizer: an input takes about as long as a page's decompression, twice.
 */
#include <stdlib.h>
#include <string.h>

#include <lzo/lzo1x.h>

#include "codec.h"
#include "codec_pages.h"
#include "guarded.h"
#include "lzo1x.h"
#include "lzo1x_streams.h"
#include "pages.h"
#include "seeds.h"

/* Inputs that are made of one stream. */
#define DAMAGES 64u

#define STREAM_ROOM (LZO1X_STREAM_MAX + 64u * 8)
#define MARGIN 64u /* bytes in front of the page that are looked at */

enum source { SOURCE_MADE, SOURCE_FAST, SOURCE_DENSE, SOURCE_NOISE, SOURCES };

struct decoder {
	struct guarded payload, page;
	unsigned char stream[STREAM_ROOM], damaged[STREAM_ROOM];
	unsigned char expected[CODEC_PAGE_SIZE];
	unsigned char source[CODEC_PAGE_SIZE];
	void *workspace;
	uint64_t good;
};

static void compare(struct decoder *decoder, const unsigned char *payload, size_t len,
		    uint64_t number)
{
	static const uint16_t slacks[] = { 0, 64, 1, 23, 24, 25, 47, 48, 49, 320, 4096, 7 };
	const size_t slack = slacks[number % (sizeof(slacks) / sizeof(slacks[0]))];
	unsigned char *page = decoder->page.end - CODEC_PAGE_SIZE - slack, *at;
	lzo_uint made = CODEC_PAGE_SIZE;
	bool good = lzo1x_decompress_safe(payload, len, decoder->expected, &made, NULL) ==
			    LZO_E_OK &&
		    made == CODEC_PAGE_SIZE;

	/* Every other one begins where memory does, and so does its page. */
	at = number % 2 ? decoder->payload.start : decoder->payload.end - len;
	if (number % 2)
		page = decoder->page.start;
	else
		memset(page - MARGIN, 0xa5, MARGIN);
	memcpy(at, payload, len);
	if ((lzo1x_decode_page(at, len, page, slack) == 0) != good)
		seeds_fail("input %llu: the verdict is not liblzo2's", (unsigned long long)number);
	if (good && memcmp(page, decoder->expected, CODEC_PAGE_SIZE) != 0)
		seeds_fail("input %llu: the page is not liblzo2's", (unsigned long long)number);
	for (size_t i = 1; number % 2 == 0 && i <= MARGIN; i++)
		if (page[-(ptrdiff_t)i] != 0xa5)
			seeds_fail("input %llu: written in front of the page",
				   (unsigned long long)number);
	decoder->good += good;
}

static size_t make_stream(struct decoder *decoder, uint64_t number)
{
	struct rng rng = { number };

	switch (number % SOURCES) {
	case SOURCE_FAST:
		codec_page_make(decoder->source, number / SOURCES);
		return (size_t)lzo1x_encode_fast(decoder->workspace, decoder->source,
						 decoder->stream);
	case SOURCE_DENSE:
		codec_page_make(decoder->source, number / SOURCES);
		return (size_t)lzo1x_encode_dense(decoder->workspace, decoder->source,
						  decoder->stream);
	case SOURCE_NOISE:
		for (size_t i = 0; i < 512; i += sizeof(uint64_t)) {
			uint64_t word = rng_next(&rng);

			memcpy(decoder->stream + i, &word, sizeof(word));
		}
		return 1 + rng_below(&rng, 512);
	default:
		return lzo1x_stream_make(decoder->stream, number);
	}
}

static void run_seed(uint64_t seed)
{
	static struct decoder decoder;
	uint64_t number = seed << 32;

	decoder.payload = guarded_new(STREAM_ROOM);
	decoder.page = guarded_new(2 * CODEC_PAGE_SIZE + MARGIN);
	decoder.workspace = aligned_alloc(64, LZO1X_DENSE_WORKSPACE);
	if (!decoder.workspace)
		seeds_fail("no memory");
	for (uint64_t done = 0; done < seeds_options.operations; done += DAMAGES) {
		size_t len = make_stream(&decoder, number / DAMAGES);

		compare(&decoder, decoder.stream, len, number++);
		for (unsigned int i = 1; i < DAMAGES; i++, number++) {
			size_t cut;

			memcpy(decoder.damaged, decoder.stream, len);
			cut = lzo1x_stream_damage(decoder.damaged, len, number);
			if (i % 4 == 0)
				cut = lzo1x_stream_damage(decoder.damaged, cut, ~number);
			compare(&decoder, decoder.damaged, cut, number);
		}
		atomic_fetch_add(&seeds_tally->operations, DAMAGES);
	}
	/* Or nothing but refusals was seen. */
	if (decoder.good < seeds_options.operations / DAMAGES / 2)
		seeds_fail("hardly a payload was good");
}

static const char *kind_name(uint64_t seed)
{
	return "LZO1X";
}

static const char *crew_name(uint64_t seed)
{
	return "decoder";
}

int main(int argc, char **argv)
{
	static const struct seeds_test test = {
		.name = "decode_soak",
		.defaults = { .seed = 1, .seeds = 4, .operations = 250000, .patience_s = 600 },
		.run = run_seed,
		.kind = kind_name,
		.crew = crew_name,
	};

	return lzo_init() == LZO_E_OK ? seeds_main(argc, argv, &test) : 1;
}
