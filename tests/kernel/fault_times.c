/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "fault_times.h"

#define NS_PER_US 1000

void fault_times_add(struct fault_times *times, uint64_t ns)
{
	uint64_t us = ns / NS_PER_US;

	times->of_us[us < FAULT_TIMES_MAX_US ? us : FAULT_TIMES_MAX_US]++;
	times->count++;
}

static long major_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_majflt;
}

void fault_times_touch(struct fault_times *times, const void *page)
{
	long before = major_faults();
	uint64_t start = clock_ns();

	(void)*(const volatile uint64_t *)page;
	start = clock_ns() - start;
	if (major_faults() > before)
		fault_times_add(times, start);
}

unsigned int fault_times_percentile(const struct fault_times *times, unsigned int percent)
{
	uint64_t wanted = (times->count * percent + 99) / 100, seen = 0;
	unsigned int us = 0;

	if (times->count == 0)
		return 0;
	while ((seen += times->of_us[us]) < wanted || seen == 0)
		us++;
	return us;
}

void fault_times_report(const struct fault_times *times)
{
	printf("major_faults=%llu\nmajor_fault_median_us=%u\nmajor_fault_99th_us=%u\n",
	       (unsigned long long)times->count, fault_times_percentile(times, 50),
	       fault_times_percentile(times, 99));
}
