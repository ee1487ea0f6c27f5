/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes slots of a swap area away and gives them back, as ballast_plan.h says, by paging
 * out memory that repeats one word: such pages cost the pool nothing, and soon no memory either
 * (settle.h).
 *
 * Of one thread, that of ramzswap-guard.
 */
#ifndef RAMZSWAP_BALLAST_H
#define RAMZSWAP_BALLAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guard/ask.h"
#include "guard/ballast_plan.h"

struct ballast {
	const char *device;
	const char *socket;
	int swaps, meminfo, pagemap, lists, minimum; /* of /proc */
	char *memory; /* of the area's size; bytes [0, held) are swapped out */
	size_t size;
	size_t mapped; /* the addresses that there are; those behind were given up */
	size_t held;
	size_t settled; /* of it, the first that take no memory any more */
	int word;	/* that each of its bytes is */
	unsigned int processors;
	struct ballast_plan plan;
	struct ask_answer answer; /* of the server */
};

/*
 * Of the area on a device, whose server answers on a control socket; both strings
 * are kept, and swaps, of machine_swaps_open.
 * To be called after the process's memory was locked: the ballast's must not be.
 * -ENODEV where nobody swaps, -ECONNREFUSED where no ramzswap server answers,
 * -ENAMETOOLONG for the socket, or another negative errno.
 */
int ballast_init(struct ballast *ballast, const char *device, const char *socket, int swaps);

/*
 * Looks once, and does what is to be done.  Milliseconds until the next look.  While nobody swaps
 * to the device nothing is held.
 */
unsigned int ballast_look(struct ballast *ballast);

/* Gives all of it back.  Waits neither for memory nor for a page to be written. */
void ballast_let_go(struct ballast *ballast);

#endif
