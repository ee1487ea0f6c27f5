/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sizes that are computed: min(ram / 2, 4G), 25% + 512M, ram - 1G.
 */
#ifndef RAMZSWAP_EXPRESSION_H
#define RAMZSWAP_EXPRESSION_H

#include <stddef.h>
#include <stdint.h>

/*
 * Turns text into bytes.  It is a size as size_parse takes it, or one that is made of such sizes,
 * plain numbers and "ram" (ram bytes, not 0) by + - * / ( ), min(A, B...) and max(A, B...), with
 * blanks anywhere between.  A number without a unit is a number of bytes, or a factor.  The
 * result is rounded down.
 *
 * 0; -EINVAL for what is no such text; -ERANGE for one whose result is below one byte or above
 * SIZE_MAX_BYTES (size.h).  On failure *bytes is untouched and why holds one line, without a
 * newline; why may be NULL.  No allocation, no locale, any thread.
 */
int expression_parse(const char *text, uint64_t ram, uint64_t *bytes, char *why, size_t why_size);

#endif
