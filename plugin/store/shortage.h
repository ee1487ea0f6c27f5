/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How short memory is: the store's own below its limit, and the machine's. */
#ifndef RAMZSWAP_STORE_SHORTAGE_H
#define RAMZSWAP_STORE_SHORTAGE_H

#include "store/state.h"

/* Whether so little of the machine's memory is available that pages should leave. */
bool machine_is_short(struct store *store);

/*
 * Bytes that are to leave memory; 0 while below the high watermarks, and, once above, until
 * below the low ones.  For the thread that holds writeback.lock.
 */
uint64_t bytes_too_many(struct store *store);

/* At the end of a request: has the background evict before there is no room. */
void kick_if_crowded(struct store *store);

/* Whether a page that is read often may come back. */
static inline bool memory_is_roomy(const struct store *store)
{
	return atomic_load_explicit(&store->writeback.roomy, memory_order_relaxed);
}

#endif
