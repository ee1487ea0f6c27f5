/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a page is no match, its literals: spelled out, or by Huffman's code.  That code is a
 * third of the time that a payload takes to be read, mostly for its table, and wins little where
 * a dictionary has left few literals (docs/BENCHMARKS.md).
 */
#ifndef RAMZSWAP_ZSTD_LITERALS_H
#define RAMZSWAP_ZSTD_LITERALS_H

#include <zstd.h>

/*
 * Compresses the page with literals spelled out, and once more with Huffman's code if that is
 * going to win enough.  The context makes frames without a magic number, sizes and dictionary's
 * name.  out has room for CODEC_BOUND_MAX bytes.  The length, or an error of libzstd's.
 */
size_t zstd_compress_for_reading(ZSTD_CCtx *context, const void *page, void *out);

#endif
