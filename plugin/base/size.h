/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sizes as people write them: 512M, 1.5G, 1T, 25%.
 */
#ifndef RAMZSWAP_SIZE_H
#define RAMZSWAP_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for any message of size_parse. */
#define SIZE_WHY_MAX 256

/* The largest size there is: nbdkit and the NBD protocol count in 63 bits. */
#define SIZE_MAX_BYTES ((uint64_t)INT64_MAX)

/* The largest share of RAM: a disk that compresses may well be larger than RAM. */
#define SIZE_MAX_PERCENT 1000

/*
 * Turns text into bytes.  It is a decimal number, with or without a fraction,
 * and behind it nothing or B (bytes), S (sectors of 512 bytes), or one of K, M,
 * G, T, P, E (powers of 1024) with or without iB; upper or lower case.  Where
 * ram is not 0, N% is that share of ram bytes, up to SIZE_MAX_PERCENT.  A
 * fraction of a byte is dropped; bytes themselves take no fraction.
 *
 * 0; -EINVAL for what is no size; -ERANGE for one that is negative, zero or above
 * SIZE_MAX_BYTES.  On failure *bytes is untouched and why holds one line,
 * without a newline, that quotes the text and says what would be right; why may be
 * NULL.  No allocation, no locale, any thread.
 */
int size_parse(const char *text, uint64_t ram, uint64_t *bytes, char *why, size_t why_size);

/* Whether the word is what stands behind the number of a size: K, MiB, GB, ... */
bool size_is_unit(const char *word);

/*
 * The memory of this machine in bytes, to take shares of: no more than its control groups leave
 * this process (group.h).  0 where it is not known.  Opens files; any thread.
 */
uint64_t size_of_ram(void);

#endif
