/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/ballast_plan.h"

/*
 * Of a pool's limit, what is put aside for pages that come before the guard has looked again: 1/32.
 * Where the machine's memory is the limit it is 1/8 of what is left to programs where the
 * processors' lists are long; but where nothing is left to them no more than reserve and a quarter
 * of the minimum, of which the pool may take half.
 */
#define ASIDE(limit) ((limit) / 32)

/*
 * Pages that do not compress win nothing: each takes as much of the pool as it gives back, and what
 * programs get of that meanwhile (a sixth was seen in a machine of 88 MB) comes out of what the
 * kernel keeps.  Once that is used up all stand still.  So no more of them may come at a time than
 * the pool could take if nothing came back.
 */
#define WINS_NOTHING (7.0 / 8)

/* What is being written may be a file: no more of it is on its way here, by ublk at least. */
#define UNDER_WAY_MOST (UINT64_C(2) << 20)

/* Less than this is not worth a change. */
#define STEP (UINT64_C(1) << 20)

/* Before what is free is used up at the pace of late it is to be looked at so often. */
#define LOOKS_AHEAD 4
#define PAUSE_MIN_MS 5u

/* In a millisecond: what has to be reckoned with where memory is short, whatever came so far. */
#define RATE_SHORT (UINT64_C(256) << 10)

/* Pages that nobody has any more: less than this is not worth a change, either. */
#define STALE_MIN (UINT64_C(8) << 20)
#define STALE_LOOKS_MAX 6000u

/*
 * Of a machine's memory, what the pool must leave to programs: 1/16, but not less than 32 MiB nor
 * more than 512.  It is what is free at once when the OOM killer ends one.  That one's slots come
 * back to the pool by and by, and a kernel that finds nothing free until then ends all the
 * others too.  Nor does it find the first part, which goes to the processors' own lists: at most
 * its low watermark, 5/4 of vm.min_free_kbytes, which is 16 MiB at most where ramzswap(8) sets it.
 * In a small machine that is 1/16 of the memory, and 32 MiB would be all that its programs have.
 */
#define LEFT_MIN (UINT64_C(32) << 20)
#define LEFT_MAX (UINT64_C(512) << 20)
#define SMALL (UINT64_C(128) << 20)
#define LEFT_SMALL 8
#define LOW_WATERMARK (UINT64_C(20) << 20)

/*
 * Where these lists are kept short less is left, but what vm.min_free_kbytes is.  When the OOM
 * killer comes half of that is free, or more; so the kernel finds twice what is missing.  A
 * smaller one than 1/64 of the memory is not believed to do.
 */
#define FOUND_LEAST_SHARE 64
#define FOUND_SMALL (UINT64_C(8) << 20)
#define FOUND_MOST (UINT64_C(16) << 20)

static uint64_t least(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

static uint64_t most(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

static uint64_t left_with_long_lists(uint64_t memory)
{
	if (memory < SMALL)
		return memory / LEFT_SMALL;
	return least(most(memory / 16, LEFT_MIN), LEFT_MAX);
}

/*
 * And where the kernel tells of each slot that it frees, the pool gives back what the OOM killer
 * ended: 11 to 19 MB within 0.6 s.  So nothing has to be left beside what the lists may hide, and
 * what the minimum has less than it should.
 */
static bool comes_back_at_once(const struct ballast_view *view)
{
	return view->stats->notices_heeded && view->lists < LOW_WATERMARK && view->minimum;
}

static uint64_t left_to_programs(const struct ballast_view *view)
{
	uint64_t left = left_with_long_lists(view->memory.total), found, less;
	uint64_t minimum_least = least(view->memory.total / FOUND_LEAST_SHARE, FOUND_MOST);

	if (view->lists >= LOW_WATERMARK || view->minimum == 0)
		return left;
	if (comes_back_at_once(view)) {
		/* The reserve counts as room. */
		found = view->stats->reserve_ready;
		if (view->minimum < minimum_least)
			found += minimum_least - view->minimum;
		return least(found + view->lists, left);
	}
	found = least(most(view->minimum, minimum_least), FOUND_MOST);
	/* Of more than LEFT_MIN as much less as of LEFT_MIN. */
	less = LEFT_MIN - least(found, FOUND_SMALL);
	if (left > less + found)
		found = left - less;
	return least(found + view->lists, left);
}

uint64_t ballast_plan_limit(const struct ballast_view *view)
{
	const struct ramzswap_stats *stats = view->stats;
	uint64_t limit = stats->memlimit ? stats->memlimit : UINT64_MAX;
	uint64_t left = left_to_programs(view), room;

	if (view->memory.total == 0)
		return limit;
	room = stats->mem_used_total + machine_room(&view->memory, view->minimum);
	return least(room > left ? room - left : 0, limit);
}

static uint64_t put_aside(const struct ballast_view *view, uint64_t limit)
{
	uint64_t aside;

	if (limit == view->stats->memlimit)
		return ASIDE(limit);
	aside = left_with_long_lists(view->memory.total) / 8;
	if (comes_back_at_once(view))
		aside = least(aside, view->stats->reserve_ready + view->minimum / 4);
	return aside;
}

/* Bytes of pages that win nothing, and yet may come until the guard looks again. */
static uint64_t room_for_bad_pages(const struct ballast_view *view)
{
	uint64_t at_once = view->stats->reserve_ready;
	uint64_t coming = least(view->memory.writeback, UNDER_WAY_MOST);

	if (view->memory.free > view->floor)
		at_once += view->memory.free - view->floor;
	return at_once > coming ? at_once - coming : 0;
}

/*
 * Bytes of pages that may come until the guard has to look again.  What is learned of pages says
 * how many fit; but should they all come at once and not one compress, no more than what is put
 * aside is taken of that.  So the guard need not be fast to be in time: it has taken what it has to
 * before.
 */
static uint64_t room_for_pages(const struct ballast_plan *plan, const struct ballast_view *view,
			       uint64_t limit)
{
	const struct ramzswap_stats *stats = view->stats;
	uint64_t aside = put_aside(view, limit), used = stats->mem_used_total, room, pages;

	if (limit == stats->memlimit)
		used += aside;
	/* The reserve counts as used, and is there to be used. */
	used = used > stats->reserve_ready ? used - stats->reserve_ready : 0;
	room = used < limit ? limit - used : 0;
	pages = least((uint64_t)((double)room / page_cost_most(&plan->cost)),
		      (uint64_t)((double)room / PAGE_COST_MOST) + aside);
	if (view->floor && plan->cost.mean > WINS_NOTHING)
		pages = least(pages, room_for_bad_pages(view));
	return pages;
}

/*
 * From Linux 6.12 a page of zeroes takes a slot and never comes here: the kernel notes it beside
 * the slot.  Such slots are neither free nor payload, so they enter none of the sums below.  What
 * is stale may be taken for less than it is, which leaves more slots alone, not fewer.
 *
 * Bytes of pages in the pool whose slots are free: those of a program that has just ended, until
 * the kernel discards them.  What is swapped out there takes their room.
 */
static uint64_t stale_pages(const struct ramzswap_stats *stats, uint64_t area_free, uint64_t held)
{
	uint64_t unused = area_free + held + stats->orig_data_size;

	return stats->disksize && unused > stats->disksize ? unused - stats->disksize : 0;
}

/*
 * The kernel discards whole clusters of free slots (512 on x86, 256 where it has no huge pages), and
 * not one with a slot of ballast in it: what a program had that has ended then stays in the pool,
 * and the machine does not get its memory back.  Where most of what is stored is such and stays so,
 * the ballast is in the way.  Elsewhere it has to stay: programs would have its slots at once.
 */
static bool is_in_the_way(struct ballast_plan *plan, const struct ramzswap_stats *stats,
			  uint64_t stale, uint64_t held)
{
	if (stale < STALE_MIN || stale < stats->orig_data_size / 2) {
		plan->stale = 0;
		plan->patience = 0;
		return false;
	}
	if (plan->patience == 0)
		plan->patience = BALLAST_STALE_LOOKS;
	if (held == 0 || ++plan->stale < plan->patience)
		return false;
	plan->stale = 0;
	plan->patience = (unsigned int)least(2 * plan->patience, STALE_LOOKS_MAX);
	plan->resting = BALLAST_REST_LOOKS;
	return true;
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

uint64_t ballast_plan_look(struct ballast_plan *plan, const struct ballast_view *view)
{
	const struct ramzswap_stats *stats = view->stats;
	uint64_t limit = ballast_plan_limit(view);
	uint64_t held = view->held, free = view->area_free;
	bool refusing = is_refusing(plan, stats);
	uint64_t room, surplus, stale;

	page_cost_look(&plan->cost, stats->pages_written, stats->payload_written, view->ms);
	/*
	 * What a backing store takes is not held back.  When it breaks all room is gone at
	 * once: ballast could not be paged out any more, and would only take memory (see
	 * oom_call.h).
	 */
	if (stats->bd_size)
		return 0;
	if (refusing)
		return held + free;
	if (limit == UINT64_MAX)
		return 0;
	stale = stale_pages(stats, free, held);
	if (is_in_the_way(plan, stats, stale, held))
		return 0;
	if (plan->resting) {
		plan->resting--;
		return held;
	}
	room = room_for_pages(plan, view, limit) + stale;
	if (free > room + STEP)
		return held + free - room;
	/* Given back with some slack, or it would come and go with every request. */
	surplus = room - room / 8;
	if (held && free + STEP < surplus) {
		surplus -= free;
		return surplus < held ? held - surplus : 0;
	}
	return held;
}

unsigned int ballast_plan_pause(const struct ballast_plan *plan, const struct ballast_view *view)
{
	double ms = BALLAST_LOOK_MS, rate = plan->cost.rate;

	if (view->memory.available < view->memory.total / 4 && rate < RATE_SHORT)
		rate = RATE_SHORT;
	if (view->held && rate > 0)
		ms = (double)view->area_free / rate / LOOKS_AHEAD;
	if (ms >= BALLAST_LOOK_MS)
		return BALLAST_LOOK_MS;
	return ms > PAUSE_MIN_MS ? (unsigned int)ms : PAUSE_MIN_MS;
}
