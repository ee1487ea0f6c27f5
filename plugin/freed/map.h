/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's side of the array that the kernel's program sets bits in (layout.h): taken from
 * whoever made it, looked at, and mapped.  Knows nothing of libbpf.
 */
#ifndef RAMZSWAP_FREED_MAP_H
#define RAMZSWAP_FREED_MAP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* All zeroes is one that has none. */
struct freed_map {
	_Atomic uint64_t *words; /* NULL before the first; at one address for all that follow */
	size_t size;		 /* bytes mapped there */
	int link;		 /* what keeps the program at work, 0: there is none */
};

/*
 * Takes an array for so many slots and the link of its program: both descriptors are the map's from
 * now on, whatever it returns.  One that was there before is gone then, and its program ends.  The
 * new one is not armed.  0; -EINVAL if it is no such array, -ENOMEM: with a line of why, and the
 * map has none.  Always for as many slots as the first time.
 */
int freed_map_take(struct freed_map *map, int array, int link, uint64_t slots, char *why,
		   size_t why_size);

/* From now on the program sets bits.  They are all clear. */
void freed_map_arm(struct freed_map *map);

/*
 * Ends the program.  The bits stay mapped, for whoever still looks at them.  A map that has none
 * is accepted.
 */
void freed_map_end(struct freed_map *map);

/* Unmaps what is there.  Nobody may look at the bits any more. */
void freed_map_unmap(struct freed_map *map);

/* The first word of bits, or NULL. */
_Atomic uint64_t *freed_map_bits(const struct freed_map *map);

/* Slots that were freed since freed_map_arm. */
uint64_t freed_map_notices(const struct freed_map *map);

#endif
