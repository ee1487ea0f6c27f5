/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which pages leave memory.  For the thread that holds writeback.lock. */
#ifndef RAMZSWAP_STORE_VICTIMS_H
#define RAMZSWAP_STORE_VICTIMS_H

#include "store/state.h"

/* Pages at least so old are to leave; AGE_NEVER for none. */
struct choice {
	unsigned int payload_age;
	unsigned int raw_age;
};

#define AGE_NEVER (1u << ENTRY_AGE_BITS)

/*
 * Copies chosen pages to the open segment, going once through the table at most.  Whether
 * the segment is full.
 */
bool sweep(struct store *store, const struct choice *choice);

/* About how many bytes of payloads are chosen now.  For any thread. */
uint64_t bytes_chosen(struct store *store, const struct choice *choice);

/* Fills the open segment with the coldest pages, or with all there are. */
void fill_with_coldest(struct store *store);

#endif
