/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a server asks for its next request before it sleeps.
 *
 * Follows what was seen, as KVM's halt polling (Documentation/virt/kvm/halt-polling.rst of the
 * kernel) does: doubled when the request came soon, halved when it did not, so that requests far
 * apart cost next to nothing.  Why asking pays is said in preload/poll.c.
 *
 * Pure: of one thread, which tells it the time.
 */
#ifndef RAMZSWAP_PATIENCE_H
#define RAMZSWAP_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

/* The shortest while is such a part of the longest; below it there is none. */
#define PATIENCE_SHORTEST_PART 8

/*
 * A question takes a few microseconds.  One that took so long took more: whoever gives way to a
 * program that has much to do waits for a slice of its time, a millisecond at least.
 */
#define PATIENCE_TAKEN_NS 150000

/* Zeroed but for longest_ns to begin with; all zero never asks. */
struct patience {
	int64_t longest_ns;
	int64_t while_ns; /* the next while */
};

/* Whether to ask at all. */
static inline bool patience_is_left(const struct patience *patience)
{
	return patience->while_ns > 0;
}

/*
 * Between two questions, which came at asked and now; the first came at start: whether to go on.  A
 * question that took long says that somebody else wants the processor: who serves must not compete
 * with those that it serves.
 */
static inline bool patience_goes_on(struct patience *patience, int64_t start, int64_t asked,
				    int64_t now)
{
	if (now - asked >= PATIENCE_TAKEN_NS) {
		patience->while_ns = 0;
		return false;
	}
	return now - start < patience->while_ns;
}

/* A request came after so long, asleep or not. */
static inline void patience_learn(struct patience *patience, int64_t waited)
{
	int64_t shortest = patience->longest_ns / PATIENCE_SHORTEST_PART;

	if (waited <= patience->longest_ns)
		patience->while_ns = patience->while_ns < shortest ? shortest
								   : 2 * patience->while_ns;
	else
		patience->while_ns /= 2;
	if (patience->while_ns > patience->longest_ns)
		patience->while_ns = patience->longest_ns;
	if (patience->while_ns < shortest)
		patience->while_ns = 0;
}

#endif
