/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zstandard with a dictionary.  A reader is a ZSTD_DDict, a writer a context and a ZSTD_CDict,
 * all in the caller's memory.
 *
 * A payload is the content of the one block that a page's frame has, and a checksum of the page:
 * what the frame says beside is the same of all.  A page that libzstd does not make smaller is
 * spelled out before its checksum, and told by its length.
 *
 * The parameters were measured on pages of programs (docs/BENCHMARKS.md): the optimal parser
 * with matches of 3 bytes and more is what makes a dictionary pay, and tables with one place
 * for each of its bytes suffice.
 */
#define ZSTD_STATIC_LINKING_ONLY
#define ZDICT_STATIC_LINKING_ONLY
#include <errno.h>
#include <string.h>
#include <zdict.h>
#include <zstd.h>

#include "page_sum.h"
#include "zstd_dictionary.h"
#include "zstd_literals.h"
#include "zstd_reader.h"

#define SIZE_LEAST (8u << 10)
#define SIZE_MOST (1u << 20)

/* The window is the page: it and all of the dictionary can be reached from anywhere in it. */
#define WINDOW_LOG 12

/* What libzstd 1.5 asks for with a dictionary that lies in tables of its own. */
#define CONTEXT_SIZE (288 * 1024)

/* Of fastCover: segments are chosen of so many bytes, by what of 8 bytes in them is frequent. */
#define SEGMENT 256
#define GRAM 8
#define FREQUENCY_LOG 18

/* The effort at which the tables of symbols are counted: near enough, and much faster. */
#define COUNT_LEVEL 12

/*
 * What training allocates beside the dictionary: its tables of frequencies, and what counting
 * takes to compress the pages.
 */
#define TRAIN_BASE (6u << 20)

struct writer {
	ZSTD_CCtx *context;
	const ZSTD_CDict *dictionary;
} __attribute__((aligned(64)));

static unsigned int log_up(size_t size)
{
	unsigned int log = 0;

	while (((size_t)1 << log) < size)
		log++;
	return log;
}

static ZSTD_compressionParameters parameters(size_t size)
{
	unsigned int log = log_up(size);

	return (ZSTD_compressionParameters){
		.windowLog = WINDOW_LOG,
		.chainLog = log,
		.hashLog = log - 2,
		.searchLog = 4,
		.minMatch = 3,
		.targetLength = 128,
		.strategy = ZSTD_btopt,
	};
}

static size_t align(size_t size)
{
	return (size + 63) & ~(size_t)63;
}

static size_t reader_size(size_t size)
{
	return align(ZSTD_estimateDDictSize(size, ZSTD_dlm_byRef));
}

static size_t digest_size(size_t size)
{
	return align(ZSTD_estimateCDictSize_advanced(size, parameters(size), ZSTD_dlm_byRef));
}

static size_t writer_size(size_t size)
{
	return sizeof(struct writer) + CONTEXT_SIZE + digest_size(size);
}

static size_t train_size(size_t size)
{
	return TRAIN_BASE + 8 * size;
}

static int train(const void *pages, unsigned int count, void *dictionary, size_t size)
{
	ZDICT_fastCover_params_t params = {
		.k = SEGMENT,
		.d = GRAM,
		.f = FREQUENCY_LOG,
		.steps = 1,
		.splitPoint = 1,
		.accel = 1,
		.zParams.compressionLevel = COUNT_LEVEL,
	};
	size_t sizes[CODEC_TRAIN_PAGES_MAX], len;

	if (count > CODEC_TRAIN_PAGES_MAX || size < SIZE_LEAST)
		return -EINVAL;
	for (unsigned int i = 0; i < count; i++)
		sizes[i] = CODEC_PAGE_SIZE;
	len = ZDICT_trainFromBuffer_fastCover(dictionary, size, pages, sizes, count, params);
	return ZDICT_isError(len) || len < SIZE_LEAST ? -ENODATA : (int)len;
}

static int reader_make(void *reader, const void *dictionary, size_t size)
{
	if (size < SIZE_LEAST || size > SIZE_MOST)
		return -EINVAL;
	return ZSTD_initStaticDDict(reader, reader_size(size), dictionary, size, ZSTD_dlm_byRef,
				    ZSTD_dct_fullDict) == reader
		       ? 0
		       : -EINVAL;
}

static int set(ZSTD_CCtx *context, ZSTD_cParameter parameter, int value)
{
	return ZSTD_isError(ZSTD_CCtx_setParameter(context, parameter, value)) ? -ENOMEM : 0;
}

static int writer_make(void *memory, const void *dictionary, size_t size)
{
	struct writer *writer = memory;
	unsigned char *context = (unsigned char *)(writer + 1), *digest = context + CONTEXT_SIZE;

	if (size < SIZE_LEAST || size > SIZE_MOST)
		return -EINVAL;
	writer->dictionary = ZSTD_initStaticCDict(digest, digest_size(size), dictionary, size,
						  ZSTD_dlm_byRef, ZSTD_dct_fullDict,
						  parameters(size));
	if (!writer->dictionary)
		return -EINVAL;
	writer->context = ZSTD_initStaticCCtx(context, CONTEXT_SIZE);
	if (!writer->context || set(writer->context, ZSTD_c_contentSizeFlag, 0) ||
	    set(writer->context, ZSTD_c_dictIDFlag, 0) ||
	    set(writer->context, ZSTD_c_format, ZSTD_f_zstd1_magicless) ||
	    ZSTD_isError(ZSTD_CCtx_refCDict(writer->context, writer->dictionary)))
		return -ENOMEM;
	return 0;
}

/* Frames and blocks: RFC 8878, 3.1.1. */
#define FRAME_HEADER 2u /* descriptor and window, for there is nothing else */
#define BLOCK_HEADER 3u
#define BLOCK_LAST 1u
#define BLOCK_COMPRESSED 2u

/* Leaves of a frame what its only block has compressed.  How many bytes; 0: it has not. */
static size_t take_block(unsigned char *frame, size_t len)
{
	const unsigned char *header = frame + FRAME_HEADER;
	size_t block;

	if (len <= FRAME_HEADER + BLOCK_HEADER)
		return 0;
	block = header[0] | (size_t)header[1] << 8 | (size_t)header[2] << 16;
	len -= FRAME_HEADER + BLOCK_HEADER;
	if (block != (len << 3 | BLOCK_COMPRESSED << 1 | BLOCK_LAST) || len >= CODEC_PAGE_SIZE)
		return 0;
	memmove(frame, header + BLOCK_HEADER, len);
	return len;
}

static int compress(void *memory, const void *page, void *out)
{
	struct writer *writer = memory;
	size_t len = zstd_compress_for_reading(writer->context, page, out);
	uint32_t sum = page_sum(page);

	if (ZSTD_isError(len))
		return -EIO;
	len = take_block(out, len);
	if (len == 0) {
		len = CODEC_PAGE_SIZE;
		memcpy(out, page, len);
	}
	memcpy((unsigned char *)out + len, &sum, PAGE_SUM_SIZE);
	return (int)(len + PAGE_SUM_SIZE);
}

/* Later versions of libzstd would have whole frames: there is no other way to do without. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static size_t read_block(ZSTD_DCtx *context, const ZSTD_DDict *dictionary, const void *block,
			 size_t len, void *page)
{
	if (ZSTD_isError(ZSTD_decompressBegin_usingDDict(context, dictionary)))
		return 0;
	return ZSTD_decompressBlock(context, page, CODEC_PAGE_SIZE, block, len);
}
#pragma GCC diagnostic pop

static int decompress(const void *reader, const void *payload, size_t len, void *page, size_t slack)
{
	size_t made = CODEC_PAGE_SIZE, block = len - PAGE_SUM_SIZE;
	unsigned int which;
	ZSTD_DCtx *context;
	uint32_t sum;

	if (len <= PAGE_SUM_SIZE || block > CODEC_PAGE_SIZE)
		return -EBADMSG;
	if (block == CODEC_PAGE_SIZE) {
		memcpy(page, payload, CODEC_PAGE_SIZE);
	} else {
		context = zstd_reader_take(&which);
		made = context ? read_block(context, reader, payload, block, page) : 0;
		zstd_reader_return(which);
	}
	memcpy(&sum, (const unsigned char *)payload + block, PAGE_SUM_SIZE);
	return made == CODEC_PAGE_SIZE && sum == page_sum(page) ? 0 : -EBADMSG;
}

const struct codec_dictionary zstd_dictionary = {
	.size_min = SIZE_LEAST,
	.size_max = SIZE_MOST,
	.reader_size = reader_size,
	.writer_size = writer_size,
	.train = train,
	.train_size = train_size,
	.reader_make = reader_make,
	.writer_make = writer_make,
	.compress = compress,
	.decompress = decompress,
};
