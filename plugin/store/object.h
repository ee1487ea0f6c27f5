/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an entry names in a pool: made, found, counted and freed.  The caller has the entry
 * locked, or it is out of the table.
 */
#ifndef RAMZSWAP_STORE_OBJECT_H
#define RAMZSWAP_STORE_OBJECT_H

#include "store/request.h"

/* Bytes of the object that the entry names. */
static inline size_t object_size(const struct store *store, uint64_t entry)
{
	return xv_size(pools_get(&store->pools, entry_pool(entry)), entry_handle(entry));
}

/* Where they are. */
static inline void *object_map(const struct store *store, uint64_t entry)
{
	return xv_map(pools_get(&store->pools, entry_pool(entry)), entry_handle(entry));
}

/*
 * Memory for an object.  With a backing store none is taken from the system while the machine
 * is short of it, as that would wait for pages that it swaps out to us: -ENOSPC, and room
 * is to be made there.  Else as pools_alloc.
 */
int request_alloc(struct request *req, size_t size, unsigned int *pool, uint32_t *handle);

/* Adds sign (1 or -1) to what the gauges say of a page with this entry. */
void page_account(struct request *req, uint64_t entry, int sign);

/* Frees what an entry named that is not in the table any more. */
void page_free(struct store *store, uint64_t entry);

#endif
