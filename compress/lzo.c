/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LZO1X, the default codec: liblzo2 for writes, our own for all else. */
#include <lzo/lzo1x.h>

#include "backends.h"
#include "lzo1x.h"

static int lzo_compress(enum codec_effort effort, void *workspace, const void *page, void *out)
{
	switch (effort) {
	case CODEC_FAST:
		return codec_liblzo2.compress(effort, workspace, page, out);
	case CODEC_DENSE:
		return lzo1x_encode_dense(workspace, page, out);
	default:
		return lzo1x_encode_max(workspace, page, out);
	}
}

const struct codec codec_lzo = {
	.name = "lzo",
	.description = "LZO1X",
	.workspace_size = {
		LZO1X_1_12_MEM_COMPRESS,
		LZO1X_DENSE_WORKSPACE,
		LZO1X_DENSE_WORKSPACE,
	},
	.compress = lzo_compress,
	.decompress = lzo1x_decode_page,
};
