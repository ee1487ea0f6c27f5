/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a server may ask for its next request before it sleeps, and for how long: as
 * RAMZSWAP_POLL_US says in its environment, in microseconds, by whichever door requests come.
 */
#ifndef RAMZSWAP_POLLING_H
#define RAMZSWAP_POLLING_H

#include <sched.h>
#include <stdlib.h>

#define POLLING_US_MAX 100000u

/*
 * The longest such while in microseconds; otherwise where nothing is said.  0, never, with one
 * processor: who asks there keeps from it those that it serves.
 */
static inline unsigned int polling_longest_us(unsigned int otherwise)
{
	const char *text = getenv("RAMZSWAP_POLL_US");
	long us = text ? strtol(text, NULL, 10) : (long)otherwise;
	cpu_set_t processors;

	if (us <= 0 || sched_getaffinity(0, sizeof(processors), &processors) != 0 ||
	    CPU_COUNT(&processors) < 2)
		return 0;
	return us < (long)POLLING_US_MAX ? (unsigned int)us : POLLING_US_MAX;
}

#endif
