/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RAMZSWAP_ZSTD_DICTIONARY_H
#define RAMZSWAP_ZSTD_DICTIONARY_H

#include "codec.h"

/* What all levels of zstd do with a dictionary: it chooses the effort, not the level. */
extern const struct codec_dictionary zstd_dictionary;

#endif
