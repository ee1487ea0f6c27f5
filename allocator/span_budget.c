/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A limit in bytes that several sources of memory share: see span.h. */
#include <errno.h>

#include "span.h"

void span_budget_init(struct span_budget *budget, uint64_t limit)
{
	atomic_init(&budget->limit, limit);
	atomic_init(&budget->used, 0);
	atomic_init(&budget->peak, 0);
}

int span_budget_charge(struct span_budget *budget, uint64_t bytes)
{
	uint_least64_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
	uint_least64_t limit, peak;

	do {
		limit = atomic_load_explicit(&budget->limit, memory_order_relaxed);
		if (bytes > limit || used > limit - bytes)
			return -ENOSPC;
	} while (!atomic_compare_exchange_weak(&budget->used, &used, used + bytes));

	used += bytes;
	peak = atomic_load_explicit(&budget->peak, memory_order_relaxed);
	while (peak < used && !atomic_compare_exchange_weak(&budget->peak, &peak, used))
		;
	return 0;
}

void span_budget_uncharge(struct span_budget *budget, uint64_t bytes)
{
	atomic_fetch_sub(&budget->used, bytes);
}
