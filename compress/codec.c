/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "backends.h"
#include "codec.h"

const struct codec *const codecs[] = {
	&codec_lzo,
	&codec_liblzo2,
	&codec_none,
	NULL,
};

const struct codec *codec_find(const char *name)
{
	for (size_t i = 0; codecs[i]; i++) {
		if (strcmp(codecs[i]->name, name) == 0)
			return codecs[i];
	}
	return NULL;
}
