/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a page that is swapped out costs the pool, learned from those that came: a mean, how far
 * single looks lie from it, and how fast they come.  What is worse than was expected is believed at
 * once, what is better only by and by.
 *
 * Plain numbers; of one thread.
 */
#ifndef RAMZSWAP_PAGE_COST_H
#define RAMZSWAP_PAGE_COST_H

#include <stdbool.h>
#include <stdint.h>

/* Begins as zeroes. */
struct page_cost {
	uint64_t pages, payload; /* that had been written at the look that counted last */
	uint64_t ms;		 /* of that look */
	double mean;		 /* bytes of payload for a byte of page */
	double spread;		 /* mean distance of a look from it */
	double rate;		 /* bytes of pages in a millisecond: the most of late */
	bool seen;		 /* the counters are of an earlier look */
	bool known;		 /* mean and spread are */
};

/* More than any page costs with all that a pool has beside payloads: what is counted on at first. */
#define PAGE_COST_MOST (17.0 / 16)

/*
 * pages have been written with a payload since the server started, payload bytes in all: its
 * counters, which may begin anew.  ms is the time, by a clock that only goes forward.
 */
void page_cost_look(struct page_cost *cost, uint64_t pages, uint64_t payload, uint64_t ms);

/*
 * Bytes that the pool has to have for a byte of page, of nearly all pages that come if they are as
 * those of late: above 0, at most PAGE_COST_MOST.
 */
double page_cost_most(const struct page_cost *cost);

#endif
