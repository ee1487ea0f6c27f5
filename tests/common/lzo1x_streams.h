/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LZO1X payloads that no encoder writes, and damaged ones. */
#ifndef RAMZSWAP_LZO1X_STREAMS_H
#define RAMZSWAP_LZO1X_STREAMS_H

#include <stddef.h>
#include <stdint.h>

/* Room for any payload that lzo1x_stream_make makes. */
#define LZO1X_STREAM_MAX 16384

/*
 * Writes a valid payload of random instructions of every kind, length and
 * distance that the format has, which decodes to exactly one page.  It depends on
 * number alone.  Returns its length.
 */
size_t lzo1x_stream_make(unsigned char *stream, uint64_t number);

/*
 * Damages the stream of len bytes in place, in a way that depends on number alone:
 * flips, replaces, removes or repeats a few bytes, or cuts it short.  Returns its new
 * length, at most len + 64: it needs that much room.
 */
size_t lzo1x_stream_damage(unsigned char *stream, size_t len, uint64_t number);

#endif
