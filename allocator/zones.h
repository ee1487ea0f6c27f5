/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel's zones have to spare.
 *
 * A zone gives a page where it has more free than its share of vm.min_free_kbytes, and more by what
 * it keeps from who could have a higher one (zone_watermark_fast in mm/page_alloc.c).  The sum over
 * all zones does not say whether one does: below 256 MB the first, 16 MB large, has pages to spare
 * as long as programs' pages there are swapped out, while the second has none.
 */
#ifndef RAMZSWAP_ZONES_H
#define RAMZSWAP_ZONES_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Reads what does not change of /proc/zoneinfo, and opens /proc/buddyinfo, which is root's, for as
 * long as the process is there.  Before any other of these.
 */
void zones_prepare(void);

/* Of all zones, bytes that are kept from who could have higher ones.  0 where that is not known. */
uint64_t zones_kept(void);

/*
 * Bytes that a thread of a real-time class gets at once, with minimum bytes of vm.min_free_kbytes:
 * of each zone what is free above half of its share and what it keeps.  False, and bytes untouched,
 * where it is not known.  One system call; no memory is taken, no lock held.
 */
bool zones_spare(uint64_t minimum, uint64_t *bytes);

/* For tests: zones_prepare with files of that directory instead of /proc, now and later. */
void zones_look_at(const char *proc);

#endif
