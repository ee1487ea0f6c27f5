/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which word somebody may have meant. */
#ifndef RAMZSWAP_NEAREST_H
#define RAMZSWAP_NEAREST_H

#include <stddef.h>

/*
 * The name of count that is the word but for a mistake or two: a letter too many, too few or
 * another one; case, - and _ do not matter.  NULL if there is none, or the word is too short to
 * tell.  No allocation, any thread.
 */
const char *nearest(const char *word, const char *const *names, size_t count);

#endif
