/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes slots of a swap area away and gives them back, as ballast_plan.h says, by paging
 * out memory that repeats one word: such pages cost the pool nothing.
 *
 * Of one thread, that of ramzswap-guard.
 */
#ifndef RAMZSWAP_BALLAST_H
#define RAMZSWAP_BALLAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guard/ballast_plan.h"

struct ballast {
	const char *device;
	const char *socket;
	int meminfo, pagemap; /* of /proc */
	char *memory;	      /* of the area's size; bytes [0, held) are swapped out */
	size_t size;
	size_t held;
	struct ballast_plan plan;
};

/* Size of a swap area and what is used of it, in bytes.  False if nobody swaps there. */
bool area_read(const char *device, uint64_t *size, uint64_t *used);

/*
 * Of the area on a device, whose server answers on a control socket; both strings are kept.
 * To be called after the process's memory was locked: the ballast's must not be.
 * -ENODEV where nobody swaps, -ECONNREFUSED where no ramzswap server answers,
 * -ENAMETOOLONG for the socket, or another negative errno.
 */
int ballast_init(struct ballast *ballast, const char *device, const char *socket);

/* Looks once, and does what is to be done.  Milliseconds until the next look. */
unsigned int ballast_look(struct ballast *ballast);

#endif
