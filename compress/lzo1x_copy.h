/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads, stores and copies of fixed width from any alignment. */
#ifndef RAMZSWAP_LZO1X_COPY_H
#define RAMZSWAP_LZO1X_COPY_H

#include <stdint.h>
#include <string.h>

static inline uint16_t load16le(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t load32le(const void *p)
{
	uint32_t x;

	memcpy(&x, p, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	x = __builtin_bswap32(x);
#endif
	return x;
}

static inline uint64_t load64le(const void *p)
{
	uint64_t x;

	memcpy(&x, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	x = __builtin_bswap64(x);
#endif
	return x;
}

static inline void store32le(void *p, uint32_t x)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	x = __builtin_bswap32(x);
#endif
	memcpy(p, &x, 4);
}

static inline void copy4(void *to, const void *from)
{
	uint32_t x;

	memcpy(&x, from, 4);
	memcpy(to, &x, 4);
}

static inline void copy8(void *to, const void *from)
{
	uint64_t x;

	memcpy(&x, from, 8);
	memcpy(to, &x, 8);
}

/* The widest unit that every target of the compiler has as one register or two. */
typedef uint8_t bytes16 __attribute__((vector_size(16)));

static inline void copy16(void *to, const void *from)
{
	bytes16 x;

	memcpy(&x, from, 16);
	memcpy(to, &x, 16);
}

#endif
