/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LZO1X by code of our own, the default codec. */
#include "backends.h"
#include "lzo1x.h"

static int encode_fast(void *workspace, const void *page, void *out)
{
#ifdef WITH_AVX2
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	    __builtin_cpu_supports("bmi2"))
		return lzo1x_encode_fast_avx2(workspace, page, out);
#endif
	return lzo1x_encode_fast(workspace, page, out);
}

static int lzo_compress(enum codec_effort effort, void *workspace, const void *page, void *out)
{
	switch (effort) {
	case CODEC_FAST:
		return encode_fast(workspace, page, out);
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
		LZO1X_FAST_WORKSPACE,
		LZO1X_DENSE_WORKSPACE,
		LZO1X_DENSE_WORKSPACE,
	},
	.compress = lzo_compress,
	.decompress = lzo1x_decode_page,
};
