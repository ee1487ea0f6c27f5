/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How large a dictionary suits what is stored: for the store, and for who says what one would do. */
#ifndef RAMZSWAP_DICTIONARY_SIZE_H
#define RAMZSWAP_DICTIONARY_SIZE_H

#include <stddef.h>
#include <stdint.h>

/* Of the memory of payloads a dictionary may take one part in so many. */
#define DICTIONARY_SHARE 128u

/* Fewer are not worth a dictionary. */
#define DICTIONARY_PAGES_LEAST 1000u

/* The most, if nobody says otherwise. */
#define DICTIONARY_DEFAULT (UINT64_C(448) << 10)

/* For so many pages that have payloads of so many bytes in all: 0 for none, or from least to most. */
static inline size_t dictionary_size(uint64_t pages, uint64_t bytes, size_t least, size_t most)
{
	uint64_t size = bytes / DICTIONARY_SHARE;

	if (pages < DICTIONARY_PAGES_LEAST)
		return 0;
	if (size > most)
		size = most;
	return size < least ? least : (size_t)size;
}

#endif
