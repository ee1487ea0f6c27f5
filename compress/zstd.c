/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zstandard by libzstd, one codec for each level, whose contexts live in memory
 * that is there beforehand: the caller's workspace for compression, those of
 * zstd_reader.c for decompression.  Frames go without the magic number, sizes and
 * checksums that every one of ours would repeat.
 */
#define ZSTD_STATIC_LINKING_ONLY
#include <errno.h>
#include <zstd.h>

#include "backends.h"
#include "zstd_dictionary.h"
#include "zstd_reader.h"

/* What libzstd 1.5 asks for with a window of one page, and 5 % for later versions. */
#define WORKSPACE_TO_LEVEL_10 (112 * 1024)
#define WORKSPACE_ABOVE (288 * 1024)

#define WINDOW_LOG 12
#define DENSE_LEVEL 5
#define MAX_LEVEL 15

/* At the start of a workspace, zero until its first use; the context follows. */
struct prepared {
	ZSTD_CCtx *context;
	int level;
} __attribute__((aligned(64)));

static int prepare(struct prepared *prepared, size_t size, int level)
{
	ZSTD_CCtx *context = ZSTD_initStaticCCtx(prepared + 1, size - sizeof(*prepared));

	if (!context ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, WINDOW_LOG)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_format, ZSTD_f_zstd1_magicless)))
		return -ENOMEM;
	prepared->context = context;
	prepared->level = level;
	return 0;
}

static int compress_at(int level, size_t size, void *workspace, const void *page, void *out)
{
	struct prepared *prepared = workspace;
	size_t len;

	if (prepared->level != level || !prepared->context) {
		int err = prepare(prepared, size, level);

		if (err)
			return err;
	}
	len = ZSTD_compress2(prepared->context, out, CODEC_BOUND_MAX, page, CODEC_PAGE_SIZE);
	return ZSTD_isError(len) ? -EIO : (int)len;
}

static int zstd_decompress(const void *payload, size_t len, void *page, size_t slack)
{
	unsigned int which;
	ZSTD_DCtx *context = zstd_reader_take(&which);
	size_t made = 0;

	if (context)
		made = ZSTD_decompressDCtx(context, page, CODEC_PAGE_SIZE, payload, len);
	zstd_reader_return(which);
	return made == CODEC_PAGE_SIZE ? 0 : -EBADMSG;
}

#define AT_LEAST(level, least) ((level) > (least) ? (level) : (least))
#define WORKSPACE(level) ((level) > 10 ? WORKSPACE_ABOVE : WORKSPACE_TO_LEVEL_10)

/* One codec; DENSE and MAX never go below the level that was asked for. */
#define ZSTD_CODEC(suffix, codec_name, n)                                            \
	static int zstd_compress_##suffix(enum codec_effort effort, void *workspace, \
					  const void *page, void *out)               \
	{                                                                            \
		int level = effort == CODEC_FAST    ? (n)                            \
			    : effort == CODEC_DENSE ? AT_LEAST(n, DENSE_LEVEL)       \
						    : AT_LEAST(n, MAX_LEVEL);        \
		return compress_at(level, WORKSPACE(level), workspace, page, out);   \
	}                                                                            \
	const struct codec codec_zstd_##suffix = { \
		.name = codec_name, \
		.library = "libzstd.so", \
		.description = "Zstandard by the libzstd library; zstd:1 to zstd:12 choose " \
			       "the level (" #n ")", \
		.workspace_size = { \
			WORKSPACE(n), \
			WORKSPACE(AT_LEAST(n, DENSE_LEVEL)), \
			WORKSPACE(AT_LEAST(n, MAX_LEVEL)), \
		}, \
		.compress = zstd_compress_##suffix, \
		.decompress = zstd_decompress, \
		.prepare = zstd_reader_prepare, \
		.dictionary = &zstd_dictionary, \
	}

ZSTD_CODEC(default, "zstd", 1);
ZSTD_CODEC(1, "zstd:1", 1);
ZSTD_CODEC(2, "zstd:2", 2);
ZSTD_CODEC(3, "zstd:3", 3);
ZSTD_CODEC(4, "zstd:4", 4);
ZSTD_CODEC(5, "zstd:5", 5);
ZSTD_CODEC(6, "zstd:6", 6);
ZSTD_CODEC(7, "zstd:7", 7);
ZSTD_CODEC(8, "zstd:8", 8);
ZSTD_CODEC(9, "zstd:9", 9);
ZSTD_CODEC(10, "zstd:10", 10);
ZSTD_CODEC(11, "zstd:11", 11);
ZSTD_CODEC(12, "zstd:12", 12);

const struct codec *const codecs_zstd_levels[] = {
	&codec_zstd_1,	&codec_zstd_2,	&codec_zstd_3, &codec_zstd_4, &codec_zstd_5,
	&codec_zstd_6,	&codec_zstd_7,	&codec_zstd_8, &codec_zstd_9, &codec_zstd_10,
	&codec_zstd_11, &codec_zstd_12, NULL,
};
