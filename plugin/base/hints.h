/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the statistics say of a disk that is used otherwise than it could be.
 */
#ifndef RAMZSWAP_HINTS_H
#define RAMZSWAP_HINTS_H

#include <stddef.h>

struct ramzswap_stats;

#define HINTS_MAX 3u

/*
 * Fills hints with what is worth changing, the most important first: each a line
 * without its end, of static storage, that says what comes and what to do.  Their
 * number, 0 to HINTS_MAX.
 */
size_t stats_hints(const struct ramzswap_stats *stats, const char *hints[HINTS_MAX]);

#endif
