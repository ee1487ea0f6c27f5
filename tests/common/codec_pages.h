/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages for the tests of the codecs: made, not collected, so that a failure repeats. */
#ifndef RAMZSWAP_CODEC_PAGES_H
#define RAMZSWAP_CODEC_PAGES_H

#include <stdint.h>

/*
 * Fills page with CODEC_PAGE_SIZE bytes that depend on number alone.  The kinds
 * take turns: noise, one byte, records with pointers and counters, words of
 * text, short periods, long copies, runs between noise, and edits of
 * one another, so that any hundred consecutive numbers hold all of them.
 */
void codec_page_make(unsigned char *page, uint64_t number);

#endif
