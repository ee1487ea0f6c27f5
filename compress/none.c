/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The codec that does nothing: what every other one is measured against. */
#include <errno.h>
#include <string.h>

#include "backends.h"

static int none_compress(enum codec_effort effort, void *workspace, const void *page, void *out)
{
	memcpy(out, page, CODEC_PAGE_SIZE);
	return CODEC_PAGE_SIZE;
}

static int none_decompress(const void *payload, size_t len, void *page, size_t slack)
{
	if (len != CODEC_PAGE_SIZE)
		return -EBADMSG;
	memcpy(page, payload, CODEC_PAGE_SIZE);
	return 0;
}

const struct codec codec_none = {
	.name = "none",
	.description = "no compression",
	.compress = none_compress,
	.decompress = none_decompress,
};
