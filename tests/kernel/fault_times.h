/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long major faults take: those for which a page had to be read.  Counted to the microsecond;
 * nothing is allocated while times are taken.
 */
#ifndef RAMZSWAP_TESTS_FAULT_TIMES_H
#define RAMZSWAP_TESTS_FAULT_TIMES_H

#include <stdint.h>

/* Longer ones count as so long. */
#define FAULT_TIMES_MAX_US 65535

struct fault_times {
	uint64_t count;
	uint32_t of_us[FAULT_TIMES_MAX_US + 1];
};

void fault_times_add(struct fault_times *times, uint64_t ns);

/*
 * Reads a word of the page, and adds how long that took if it was a major fault of this thread, the
 * only one of its process.
 */
void fault_times_touch(struct fault_times *times, const void *page);

/*
 * The least time, in microseconds, within which so many percent of the faults ended: 50 for the
 * median.  0 to 100; 0 if there was no fault.
 */
unsigned int fault_times_percentile(const struct fault_times *times, unsigned int percent);

/* Lines for stdout: how many, the median, and what one of a hundred takes longer than. */
void fault_times_report(const struct fault_times *times);

#endif
