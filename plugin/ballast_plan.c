/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ballast_plan.h"

/* What pages are taken to compress to while there are few: half. */
#define RATIO_GUESS 2

/* Payloads of so much of the limit, 1/16, are few. */
#define FEW(limit) ((limit) / 16)

/* Of the limit, kept back for what comes between two looks. */
#define MARGIN(limit) ((limit) / 16)

/* Of what pages compressed to so far, what is counted on: 7/8.  Pages may get worse. */
#define PESSIMISTIC(bytes) ((bytes) - (bytes) / 8)

/* Less than this is not worth a change. */
#define STEP (UINT64_C(1) << 20)

/* Bytes of pages that the pool can still take. */
static uint64_t room_for_pages(const struct ramzswap_stats *stats)
{
	uint64_t limit = stats->memlimit, used = stats->mem_used_total + MARGIN(limit);
	uint64_t room;

	/* The reserve counts as used, and is there to be used. */
	used = used > stats->reserve_ready ? used - stats->reserve_ready : 0;
	room = used < limit ? limit - used : 0;
	if (stats->compr_data_size < FEW(limit))
		return room * RATIO_GUESS;
	if (stats->orig_data_size <= stats->compr_data_size)
		return room;
	return PESSIMISTIC((uint64_t)((double)room * (double)stats->orig_data_size /
				      (double)stats->compr_data_size));
}

static bool is_refusing(struct ballast_plan *plan, const struct ramzswap_stats *stats)
{
	bool failed = plan->seen && stats->failed_writes > plan->failed_writes;

	plan->failed_writes = stats->failed_writes;
	plan->seen = true;
	if (failed)
		plan->refusing = BALLAST_REFUSE_LOOKS;
	else if (plan->refusing)
		plan->refusing--;
	return plan->refusing;
}

uint64_t ballast_plan_look(struct ballast_plan *plan, const struct ramzswap_stats *stats,
			   uint64_t area_free, uint64_t held)
{
	bool refusing = is_refusing(plan, stats);
	uint64_t room, surplus;

	/*
	 * What a backing store takes is not held back.  When it breaks all room is gone at
	 * once: ballast could not be paged out any more, and would only take memory (see
	 * relief.h).
	 */
	if (stats->bd_size)
		return 0;
	if (refusing)
		return held + area_free;
	if (!stats->memlimit)
		return 0;
	room = room_for_pages(stats);
	if (area_free > room + STEP)
		return held + area_free - room;
	/* Given back with some slack, or it would come and go with every request. */
	surplus = room - room / 8;
	if (held && area_free + STEP < surplus) {
		surplus -= area_free;
		return surplus < held ? held - surplus : 0;
	}
	return held;
}
