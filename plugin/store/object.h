/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an entry names in a pool: made, found, counted and freed.  The caller has the entry
 * locked, or it is out of the table, but for object_may_be_there.
 */
#ifndef RAMZSWAP_STORE_OBJECT_H
#define RAMZSWAP_STORE_OBJECT_H

#include "store/request.h"

/* Bytes of a checksum, which lies behind the payload if the store has them. */
#define OBJECT_TRAILER 4u

/* Whether the entry names an object; of a store with checksums, whether it looks like one, too. */
static inline bool object_looks(const struct store *store, uint64_t entry,
				bool (*like_one)(const struct xv_pool *pool, uint32_t handle))
{
	if (!entry_has_object(entry))
		return false;
	if (!store->trailer)
		return true;
	return entry_pool(entry) <
		       atomic_load_explicit(&store->pools.count, memory_order_acquire) &&
	       like_one(pools_get(&store->pools, entry_pool(entry)), entry_handle(entry));
}

/*
 * Whether the entry names something that may be an object: what has not been damaged does, and
 * only of a store with checksums it is looked at.
 */
static inline bool object_is_plausible(const struct store *store, uint64_t entry)
{
	return object_looks(store, entry, xv_plausible);
}

/*
 * As object_is_plausible, of an entry that nobody has locked: what it names may be freed, moved and
 * given to another page at this moment, so nothing is read there.  A hint.
 */
static inline bool object_may_be_there(const struct store *store, uint64_t entry)
{
	return object_looks(store, entry, xv_held);
}

/* As object_is_plausible, of a page behind the pool. */
static inline bool backed_is_plausible(const struct store *store, uint64_t entry)
{
	return store->writeback.backing &&
	       backing_may_have(store->writeback.backing, entry_location(entry),
				entry_length(entry));
}

/* False of an entry that only damage makes, whatever it names. */
static inline bool entry_is_possible(const struct store *store, uint64_t entry)
{
	switch (entry_kind(entry)) {
	case KIND_EMPTY:
		return !(entry & ~(ENTRY_LOCK | ENTRY_WAITERS));
	case KIND_SAME:
		return !store->trailer || entry_word(entry) == 0;
	case KIND_BACKED:
		return backed_is_plausible(store, entry);
	default:
		return entry_kind(entry) < KIND_BACKED;
	}
}

/* Bytes of the payload that the entry names; 0 of one that cannot be. */
static inline size_t object_size(const struct store *store, uint64_t entry)
{
	size_t size;

	if (store->trailer && !object_is_plausible(store, entry))
		return 0;
	size = xv_size(pools_get(&store->pools, entry_pool(entry)), entry_handle(entry));
	return size > store->trailer ? size - store->trailer : 0;
}

/* Where they are. */
static inline void *object_map(const struct store *store, uint64_t entry)
{
	return xv_map(pools_get(&store->pools, entry_pool(entry)), entry_handle(entry));
}

/*
 * Copies the payload of page number into the object that the entry is to name, which is as large
 * as that and the trailer.
 */
void object_fill(const struct store *store, uint64_t number, uint64_t entry, const void *payload,
		 size_t size);

/*
 * Whether the object that the entry names is the one that was filled for this page: true without
 * checksums.  What is not is counted, and never touched.
 */
bool object_is_sound(struct store *store, uint64_t number, uint64_t entry);

/*
 * Memory for an object.  With a backing store none is taken from the system while the machine
 * is short of it, as that would wait for pages that it swaps out to us: -ENOSPC, and room
 * is to be made there.  Else as pools_alloc.
 */
int request_alloc(struct request *req, size_t size, unsigned int *pool, uint32_t *handle);

/* Adds sign (1 or -1) to what the gauges say of a page with this entry. */
void page_account(struct request *req, uint64_t entry, int sign);

/* Frees what an entry of page number named that is not in the table any more, if it is sound. */
void page_free(struct store *store, uint64_t number, uint64_t entry);

#endif
