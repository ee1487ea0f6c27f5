/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See urgent.h. */
#include "urgent.h"
#include "zones.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

/* Free memory is short below so much and this part of all. */
#define SHORT_BYTES (UINT64_C(48) << 20)
#define SHORT_PART 256

/* For as long as the process is there. */
static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static int minimum_file = -1;

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

static void prepare(void)
{
	minimum_file = open("/proc/sys/vm/min_free_kbytes", O_RDONLY | O_CLOEXEC);
	zones_prepare();
}

/* In bytes; 0 where it cannot be read. */
static uint64_t read_minimum(void)
{
	char text[32];
	ssize_t len;

	pthread_once(&prepared, prepare);
	len = minimum_file < 0 ? 0 : pread(minimum_file, text, sizeof(text) - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	return strtoull(text, NULL, 10) << 10;
}

static uint64_t floor_of(uint64_t minimum)
{
	return minimum ? minimum / 2 + zones_kept() : 0;
}

uint64_t urgent_floor(void)
{
	return floor_of(read_minimum());
}

bool urgent_gets_at_once(uint64_t bytes)
{
	uint64_t minimum = read_minimum(), spare;
	struct sysinfo now;

	if (minimum == 0 || sysinfo(&now) != 0)
		return true;
	/* What all zones have together is the cheaper look, and enough where it is. */
	if ((uint64_t)now.freeram * now.mem_unit >= floor_of(minimum) + bytes)
		return true;
	return zones_spare(minimum, &spare) && spare >= bytes;
}

bool urgent_await(uint64_t bytes, unsigned int ms)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	if (urgent_floor() == 0)
		return false;
	for (; ms > 0; ms--) {
		if (urgent_gets_at_once(bytes))
			return true;
		nanosleep(&pause, NULL);
	}
	return urgent_gets_at_once(bytes);
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
