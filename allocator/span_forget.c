/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a source tells of itself, and what it forgets when all is given back: see span.h. */
#include "span_internal.h"

/* Forgetting is worth it past so many links: 4 KiB of them. */
#define FORGET_MIN (1u << 10)

/* Links that a new source has resident: a locked one, so that nobody waits for a page. */
static uint32_t links_at_first(const struct span_source *source)
{
	if (!source->locked)
		return 0;
	return source->units_max < SPAN_LINKS_AHEAD ? source->units_max : SPAN_LINKS_AHEAD;
}

/* Ready units from here on keep a link resident that the others do not. */
static uint32_t low_units(const struct span_source *source)
{
	return source->target > FORGET_MIN ? source->target : FORGET_MIN;
}

/* With the lock held: nobody has a unit, and there is something to be won. */
static bool may_forget(const struct span_source *source)
{
	uint32_t links = source->locked ? atomic_load(&source->links_resident) : source->fresh;

	if (source->used || source->moving)
		return false;
	return links >= links_at_first(source) + FORGET_MIN || source->kept_top > low_units(source);
}

/* Makes the ready units a stack whose top is the highest.  No unit is taken. */
static void sort_ready(struct span_source *source)
{
	source->ready = 0;
	for (uint32_t unit = 0; unit < source->fresh || unit < source->kept_top; unit++)
		if (source->next[unit] & LINK_READY)
			span_push(source, &source->ready, unit);
}

/* Takes the highest ready unit, if its link is not worth it. */
static bool pop_high(struct span_source *source, uint32_t *unit)
{
	bool found;

	pthread_mutex_lock(&source->lock);
	found = !source->used && source->ready > low_units(source) &&
		span_pop(source, &source->ready, unit);
	if (found) {
		source->ready_count--;
		source->moving++;
	}
	pthread_mutex_unlock(&source->lock);
	return found;
}

/* Zeroes the links of all but the ready units, and gives their memory back. */
static void forget_links(struct span_source *source)
{
	uint32_t *next = source->next;
	uint32_t unit, from = links_at_first(source), top = 0;
	uintptr_t page = 0;

	source->kept_pages = 0;
	for (unit = 0; unit < source->fresh || unit < source->kept_top; unit++) {
		if (!(next[unit] & LINK_READY)) {
			next[unit] = 0;
			continue;
		}
		top = unit + 1;
		if (unit < from)
			continue;
		span_drop_zeroed(&next[from], (unit - from) * sizeof(*next));
		from = unit + 1;
		source->kept_pages += (uintptr_t)&next[unit] / span_page_size() != page;
		page = (uintptr_t)&next[unit] / span_page_size();
	}
	if (unit < source->links_resident)
		unit = source->links_resident;
	if (unit > from)
		span_drop_zeroed(&next[from], (unit - from) * sizeof(*next));
	source->links_resident = links_at_first(source);
	source->kept_top = top;
	source->released = 0;
	source->fresh = 0;
}

void span_forget(struct span_source *source)
{
	uint32_t unit, released = 0;
	bool may;

	pthread_mutex_lock(&source->lock);
	may = may_forget(source);
	if (may)
		sort_ready(source);
	pthread_mutex_unlock(&source->lock);
	if (!may)
		return;
	for (; pop_high(source, &unit); released++)
		span_release(source, unit);
	/* The lock is held over system calls, but nobody has a unit who could wait for it. */
	pthread_mutex_lock(&source->lock);
	if (!source->used && !source->moving)
		forget_links(source);
	pthread_mutex_unlock(&source->lock);
	if (released)
		(void)span_refill(source, released);
}

void span_source_get_stats(struct span_source *source, struct span_source_stats *stats)
{
	uint32_t kept_pages, links;

	pthread_mutex_lock(&source->lock);
	kept_pages = source->fresh < source->kept_top ? source->kept_pages : 0;
	links = atomic_load(&source->links_resident);
	if (links < source->fresh)
		links = source->fresh;
	*stats = (struct span_source_stats){
		.units_used = source->used,
		.units_ready = source->ready_count,
		.units_target = source->target,
		.units_peak = source->used_peak,
		.commits = source->commits,
		.commits_late = source->commits_late,
		.releases = source->releases,
		.metadata = span_round_up(sizeof(*source) + links * sizeof(source->next[0]),
					  span_page_size()) +
			    kept_pages * span_page_size(),
	};
	pthread_mutex_unlock(&source->lock);
}
