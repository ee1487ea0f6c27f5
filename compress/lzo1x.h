/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LZO1X for pages of CODEC_PAGE_SIZE bytes, in both directions compatible with
 * lzo1x_decompress_safe of liblzo2.  The format is that of Markus F. X. J.
 * Oberhumer's LZO1X.
 *
 * A payload is a row of instructions.  Each match may carry up to three
 * literals behind it; longer runs of literals are instructions of their own.
 * t is an instruction's first byte, b1 and b2 follow, "state" is how many
 * literals stand directly before it (4 means four or more):
 *
 *  t          state  bytes  means
 *  0 - 15     0      1 + n  n = 3 + t literals, 4 or more; t = 0: n = 18 + extension
 *  0 - 15     1 - 3  2      M1: match of 2, distance 1 + (t >> 2) + (b1 << 2)
 *  0 - 15     4      2      M1: match of 3, distance 2049 + (t >> 2) + (b1 << 2)
 *  16 - 31    any    3      M4: distance over 16384, in a page only the end marker
 *  32 - 63    any    3      M3: match of 2 + (t & 31), 3 or more; t = 32: 33 + extension;
 *                           distance 1 + (b1 >> 2) + (b2 << 6)
 *  64 - 255   any    2      M2: match of 1 + (t >> 5);
 *                           distance 1 + ((t >> 2) & 7) + (b1 << 3)
 *
 * An extension stands directly behind t and adds 255 for each zero byte and
 * then the value of the first byte that is not.  The lowest two bits of the last
 * byte but one of a match are the number of literals that follow it.  The first
 * byte of a payload, if over 17, stands for a run of that less 17 literals.
 */
#ifndef RAMZSWAP_LZO1X_H
#define RAMZSWAP_LZO1X_H

#include <stddef.h>
#include <stdint.h>

/* As decompress in codec.h. */
int lzo1x_decode_page(const void *payload, size_t len, void *page, size_t slack);

/* Bytes of workspace that each of these takes; what they hold does not matter. */
#define LZO1X_FAST_WORKSPACE (16u * 1024)
#define LZO1X_DENSE_WORKSPACE (108u * 1024)

/*
 * Compress a page into out as compress in codec.h does: on the path of a write; for little
 * time in the background; as far as the format allows, or nearly.
 */
int lzo1x_encode_fast(void *workspace, const void *page, void *out);
int lzo1x_encode_dense(void *workspace, const void *page, void *out);
int lzo1x_encode_max(void *workspace, const void *page, void *out);

/* The same for processors with AVX2, BMI1 and BMI2, where it is built: the same payloads. */
int lzo1x_encode_fast_avx2(void *workspace, const void *page, void *out);

#endif
