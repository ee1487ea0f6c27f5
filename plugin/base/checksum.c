/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/checksum.h"

#if defined(__aarch64__)
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

/* Below this three streams side by side win nothing. */
#define THIRDS_MIN 96u

/* Reversed 0x1edc6f41. */
#define POLYNOMIAL UINT32_C(0x82f63b78)

/* Of half a byte: 16 words stay in the cache, and are worked out by the compiler. */
#define STEP(crc) ((crc) >> 1 ^ (POLYNOMIAL & -((crc)&1u)))
#define STEP4(crc) STEP(STEP(STEP(STEP((uint32_t)(crc)))))

static const uint32_t nibbles[16] = {
	STEP4(0), STEP4(1), STEP4(2),  STEP4(3),  STEP4(4),  STEP4(5),	STEP4(6),  STEP4(7),
	STEP4(8), STEP4(9), STEP4(10), STEP4(11), STEP4(12), STEP4(13), STEP4(14), STEP4(15),
};

static uint32_t table_step(uint32_t crc, uint64_t word, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++, word >>= 8) {
		crc ^= (uint32_t)word & 0xff;
		crc = crc >> 4 ^ nibbles[crc & 15];
		crc = crc >> 4 ^ nibbles[crc & 15];
	}
	return crc;
}

uint32_t crc32c_by_table(uint32_t crc, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	crc = ~crc;
	while (size-- > 0)
		crc = table_step(crc, *bytes++, 1);
	return ~crc;
}

#if defined(__x86_64__)
#define HARDWARE __attribute__((target("sse4.2")))
#define WORD_STEP(crc, word) ((uint32_t)__builtin_ia32_crc32di(crc, word))
#define BYTE_STEP(crc, byte) __builtin_ia32_crc32qi(crc, byte)

bool crc32c_is_fast(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#elif defined(__aarch64__)
#define HARDWARE __attribute__((target("+crc")))
#define WORD_STEP(crc, word) __builtin_aarch64_crc32cx(crc, word)
#define BYTE_STEP(crc, byte) __builtin_aarch64_crc32cb(crc, byte)

bool crc32c_is_fast(void)
{
	return getauxval(AT_HWCAP) & HWCAP_CRC32;
}
#else
#define HARDWARE
#define WORD_STEP(crc, word) table_step(crc, word, 8)
#define BYTE_STEP(crc, byte) table_step(crc, byte, 1)

bool crc32c_is_fast(void)
{
	return false;
}
#endif

/* The first byte in memory is the lowest. */
static inline uint64_t load(const unsigned char *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

HARDWARE static uint32_t crc32c_by_hardware(uint32_t crc, const unsigned char *bytes, size_t size)
{
	crc = ~crc;
	for (; size >= 8; size -= 8, bytes += 8)
		crc = WORD_STEP(crc, load(bytes));
	while (size-- > 0)
		crc = BYTE_STEP(crc, *bytes++);
	return ~crc;
}

/* Of three runs of so many bytes, a multiple of 8, that lie one behind the other. */
HARDWARE static void thirds_by_hardware(uint32_t crc[3], const unsigned char *bytes, size_t size)
{
	uint32_t a = ~crc[0], b = ~crc[1], c = ~crc[2];

	for (size_t i = 0; i < size; i += 8) {
		a = WORD_STEP(a, load(bytes + i));
		b = WORD_STEP(b, load(bytes + size + i));
		c = WORD_STEP(c, load(bytes + 2 * size + i));
	}
	crc[0] = ~a;
	crc[1] = ~b;
	crc[2] = ~c;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
	if (crc32c_is_fast())
		return crc32c_by_hardware(crc, data, size);
	return crc32c_by_table(crc, data, size);
}

uint32_t checksum(uint64_t seed, const void *data, size_t size)
{
	const unsigned char *bytes = data;
	uint32_t crc[3] = { 0 };
	size_t third = size / 24 * 8;

	if (size < THIRDS_MIN)
		return crc32c(crc32c(0, &seed, sizeof(seed)), data, size);
	if (crc32c_is_fast())
		thirds_by_hardware(crc, bytes, third);
	else
		for (unsigned int i = 0; i < 3; i++)
			crc[i] = crc32c_by_table(0, bytes + i * third, third);
	crc[0] = crc32c(crc[0], &seed, sizeof(seed));
	crc[1] = crc32c(crc[1], bytes + 3 * third, size - 3 * third);
	return crc32c(0, crc, sizeof(crc));
}
