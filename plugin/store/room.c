/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Room for a write that found none. */
#include "store/compact.h"
#include "store/freed.h"
#include "store/room.h"
#include "store/writeback.h"

/* With a backing store, compaction comes first when more than this is free: 1/2^3. */
#define FRAGMENTED_SHIFT 3

/* Whether so much is free in pieces that moving promises more than writing pages out. */
static bool fragmented(struct store *store)
{
	struct xv_stats stats;

	pools_get_stats(&store->pools, &stats);
	return stats.free > (stats.used + stats.free) >> FRAGMENTED_SHIFT;
}

/* Tries to win room.  Whether there is hope that a write finds some now. */
static bool make_room(struct store *store)
{
	bool backing = store->writeback.backing != NULL;

	if (freed_make_room(store))
		return true;
	if (backing && !fragmented(store) && writeback_make_room(store))
		return true;
	return compact_make_room(store) || (backing && writeback_make_room(store));
}

/*
 * Room that others made after our attempt failed has to count: they may have moved all that
 * there was to move, and what we find then is nothing, although there is room.
 */
static bool others_made_room(struct request *req)
{
	uint64_t made = atomic_load(&req->store->room_made);

	if (made == req->room_seen)
		return false;
	req->room_seen = made;
	return true;
}

bool request_make_room(struct request *req)
{
	request_release_encoder(req);
	if (others_made_room(req))
		return true;
	if (make_room(req->store)) {
		req->room_seen = atomic_load(&req->store->room_made);
		return true;
	}
	if (others_made_room(req))
		return true;
	/* Nothing can leave: then it is the system that must give memory. */
	if (!req->held_back || req->pressing)
		return false;
	req->pressing = true;
	return true;
}
