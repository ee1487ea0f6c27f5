/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "backends.h"
#include "codec.h"

const struct codec *const codecs[] = {
	&codec_lzo,	     &codec_liblzo2,
#ifdef WITH_LZ4
	&codec_lz4,
#endif
#ifdef WITH_ZSTD
	&codec_zstd_default,
#endif
	&codec_none,	     NULL,
};

static const struct codec *find_in(const struct codec *const *list, const char *name)
{
	for (; *list; list++) {
		if (strcmp((*list)->name, name) == 0)
			return *list;
	}
	return NULL;
}

const struct codec *codec_find(const char *name)
{
	const struct codec *codec = find_in(codecs, name);

#ifdef WITH_ZSTD
	if (!codec)
		codec = find_in(codecs_zstd_levels, name);
#endif
	return codec;
}
