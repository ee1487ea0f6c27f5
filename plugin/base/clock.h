/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one clock.  Times are plain numbers: nanoseconds or milliseconds since a start that
 * only differences tell of.  No allocation, no failure; any thread.
 */
#ifndef RAMZSWAP_CLOCK_H
#define RAMZSWAP_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

static inline uint64_t clock_read_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Nanoseconds that go on evenly, but not while the machine sleeps. */
static inline uint64_t clock_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

/* The same in milliseconds. */
static inline uint64_t clock_ms(void)
{
	return clock_ns() / 1000000;
}

/* Nanoseconds of processor time that this thread has taken. */
static inline uint64_t clock_thread_ns(void)
{
	return clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* Seconds that include those in which the machine slept. */
static inline uint64_t clock_uptime_seconds(void)
{
	return clock_read_ns(CLOCK_BOOTTIME) / 1000000000;
}

/* A time of clock_ns as system calls want it. */
static inline struct timespec clock_timespec(uint64_t ns)
{
	return (struct timespec){
		.tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000),
	};
}

/* Sleeps for so long, or until a signal comes. */
static inline void clock_sleep_ms(uint64_t ms)
{
	const struct timespec time = clock_timespec(ms * 1000000);

	nanosleep(&time, NULL);
}

#endif
