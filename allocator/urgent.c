/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See urgent.h. */
#include "urgent.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/sysinfo.h>

/* Free memory is short below so much and this part of all. */
#define SHORT_BYTES (UINT64_C(48) << 20)
#define SHORT_PART 256

static bool is_ordinary(int policy)
{
	return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

int urgent_begin(void)
{
	const struct sched_param lowest = { .sched_priority = 1 };
	int policy = sched_getscheduler(0);
	int before = errno;

	if (!is_ordinary(policy))
		return URGENT_LEFT_ALONE;
	if (sched_setscheduler(0, SCHED_RR, &lowest) == 0)
		return policy;
	errno = before;
	return URGENT_LEFT_ALONE;
}

static bool memory_is_short(void)
{
	struct sysinfo now;
	uint64_t free_bytes, total;

	if (sysinfo(&now) != 0)
		return true;
	free_bytes = (uint64_t)now.freeram * now.mem_unit;
	total = (uint64_t)now.totalram * now.mem_unit;
	return free_bytes < SHORT_BYTES + total / SHORT_PART;
}

int urgent_begin_if_short(void)
{
	return memory_is_short() ? urgent_begin() : URGENT_LEFT_ALONE;
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

bool urgent_is_possible(void)
{
	int policy = urgent_begin();

	urgent_end(policy);
	return policy != URGENT_LEFT_ALONE || !is_ordinary(sched_getscheduler(0));
}
