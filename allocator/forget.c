/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a source tells of itself, and what it forgets when all is given back: see span.h. */
#include "span_internal.h"

/* Forgetting is worth it past so many links: 64 KiB of them. */
#define FORGET_MIN (1u << 14)

/* Zeroes the links of all but the ready units, and gives their memory back. */
static void forget_links(struct span_source *source)
{
	uint32_t *next = source->next;
	uintptr_t page = 0;
	uint32_t unit, from = 0;

	source->kept_pages = 0;
	for (unit = 0; unit < source->fresh || unit < source->kept_top; unit++) {
		if (!(next[unit] & LINK_READY)) {
			next[unit] = 0;
			continue;
		}
		span_drop_zeroed(&next[from], (unit - from) * sizeof(*next));
		from = unit + 1;
		source->kept_pages += (uintptr_t)&next[unit] / span_page_size() != page;
		page = (uintptr_t)&next[unit] / span_page_size();
	}
	span_drop_zeroed(&next[from], (unit - from) * sizeof(*next));
	source->kept_top = from;
	source->released = 0;
	source->fresh = 0;
}

/* The lock is held over system calls, but nobody has a unit who could wait for it. */
void span_forget(struct span_source *source)
{
	pthread_mutex_lock(&source->lock);
	if (!source->locked && !source->used && !source->moving && source->fresh >= FORGET_MIN)
		forget_links(source);
	pthread_mutex_unlock(&source->lock);
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
