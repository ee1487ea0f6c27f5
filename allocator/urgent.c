/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See urgent.h. */
#include "urgent.h"

#include <errno.h>
#include <sched.h>

int urgent_begin(void)
{
	const struct sched_param lowest = { .sched_priority = 1 };
	int policy = sched_getscheduler(0);
	int before = errno;

	if (policy != SCHED_OTHER && policy != SCHED_BATCH && policy != SCHED_IDLE)
		return URGENT_LEFT_ALONE;
	if (sched_setscheduler(0, SCHED_RR, &lowest) == 0)
		return policy;
	errno = before;
	return URGENT_LEFT_ALONE;
}

void urgent_end(int policy)
{
	const struct sched_param none = { .sched_priority = 0 };
	int before = errno;

	if (policy == URGENT_LEFT_ALONE)
		return;
	sched_setscheduler(0, policy, &none);
	errno = before;
}
