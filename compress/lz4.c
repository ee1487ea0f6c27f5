/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LZ4 by liblz4: its fast compressor for writes, its HC compressor in the background. */
#include <errno.h>
#include <lz4.h>
#include <lz4hc.h>

#include "backends.h"

#define DENSE_LEVEL 4
/* The highest that does not allocate; from 10 on liblz4 parses on the heap. */
#define MAX_LEVEL 9

static int lz4_compress(enum codec_effort effort, void *workspace, const void *page, void *out)
{
	int len;

	if (effort == CODEC_FAST)
		len = LZ4_compress_fast_extState(workspace, page, out, CODEC_PAGE_SIZE,
						 CODEC_BOUND_MAX, 1);
	else
		len = LZ4_compress_HC_extStateHC(workspace, page, out, CODEC_PAGE_SIZE,
						 CODEC_BOUND_MAX,
						 effort == CODEC_DENSE ? DENSE_LEVEL : MAX_LEVEL);
	return len > 0 ? len : -EIO;
}

static int lz4_decompress(const void *payload, size_t len, void *page, size_t slack)
{
	if (len > CODEC_BOUND_MAX ||
	    LZ4_decompress_safe(payload, page, len, CODEC_PAGE_SIZE) != CODEC_PAGE_SIZE)
		return -EBADMSG;
	return 0;
}

const struct codec codec_lz4 = {
	.name = "lz4",
	.library = "liblz4.so",
	.description = "LZ4 by the liblz4 library",
	.workspace_size = {
		sizeof(LZ4_stream_t),
		sizeof(LZ4_streamHC_t),
		sizeof(LZ4_streamHC_t),
	},
	.compress = lz4_compress,
	.decompress = lz4_decompress,
};
