/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LZO1X by liblzo2. */
#include <errno.h>
#include <lzo/lzo1x.h>

#include "backends.h"

static int lzo_compress(enum codec_effort effort, void *workspace, const void *page, void *out)
{
	lzo_uint len = CODEC_BOUND_MAX;

	if (lzo1x_1_compress(page, CODEC_PAGE_SIZE, out, &len, workspace) != LZO_E_OK)
		return -EIO;
	return (int)len;
}

static int lzo_decompress(const void *payload, size_t len, void *page, size_t slack)
{
	lzo_uint out_len = CODEC_PAGE_SIZE;

	if (lzo1x_decompress_safe(payload, len, page, &out_len, NULL) != LZO_E_OK ||
	    out_len != CODEC_PAGE_SIZE)
		return -EBADMSG;
	return 0;
}

const struct codec codec_lzo = {
	.name = "lzo",
	.description = "LZO1X",
	.workspace_size = { LZO1X_1_MEM_COMPRESS, LZO1X_1_MEM_COMPRESS, LZO1X_1_MEM_COMPRESS },
	.compress = lzo_compress,
	.decompress = lzo_decompress,
};
