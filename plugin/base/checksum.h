/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CRC32C of bytes in memory, by the processor's own instruction where it has one. */
#ifndef RAMZSWAP_CHECKSUM_H
#define RAMZSWAP_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * CRC32C (Castagnoli) of size bytes, begun with what an earlier call returned, or 0.  Any number of
 * threads may call it.
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

/* The same without the processor's instruction: for tests. */
uint32_t crc32c_by_table(uint32_t crc, const void *data, size_t size);

/* Whether the processor has such an instruction. */
bool crc32c_is_fast(void);

/*
 * A checksum of size bytes that belong to what seed says, for memory of this process alone.  A long
 * one is the CRC32C of the CRC32Cs of its thirds, which the processor works out side by side.
 */
uint32_t checksum(uint64_t seed, const void *data, size_t size);

#endif
