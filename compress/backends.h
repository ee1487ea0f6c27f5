/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The codecs that codec.c lists, each defined in a file of its own name. */
#ifndef RAMZSWAP_BACKENDS_H
#define RAMZSWAP_BACKENDS_H

#include "codec.h"

extern const struct codec codec_lzo;
extern const struct codec codec_liblzo2;
extern const struct codec codec_lz4;
extern const struct codec codec_zstd_default;
extern const struct codec codec_none;

/* zstd:1 and so on, which are found by name but would swamp a list; ends with NULL. */
extern const struct codec *const codecs_zstd_levels[];

#endif
