/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that is kept ready ahead of need. */
#include "store/reserve.h"
#include "urgent.h"

/* Part of the reserve that is for table pages rather than for spans. */
#define RESERVE_TABLE_SHIFT 4

void reserve_init(struct store *store)
{
	uint64_t table = store->reserve >> RESERVE_TABLE_SHIFT;
	uint64_t table_max = store->table.directory_entries * TABLE_PAGE_SIZE;
	uint64_t spans;

	if (table > table_max)
		table = table_max;
	spans = (store->reserve - table) / XV_SPAN_SIZE;
	span_reserve(store->table.source, (uint32_t)(table / TABLE_PAGE_SIZE));
	span_reserve(store->pools.source, (uint32_t)spans);
}

/*
 * Where the kernel has nothing at once, a thread that asks all the same looks for pages to free, of
 * a real-time class: for as long as it does, who serves does not get the processor, on whose
 * answers pages become free.  Who serves may take some at the same time: so as much again.
 */
static bool would_wait(const struct store *store)
{
	return store->pools.locked && !urgent_gets_at_once(2 * XV_SPAN_SIZE);
}

bool store_refill(struct store *store)
{
	int tables = 0, spans = 1;
	bool waits = false;

	/* Small batches: a compaction step or a stop need not wait for long. */
	for (int i = 0; i < 4 && spans > 0 && !(waits = would_wait(store)); i++) {
		tables = span_refill(store->table.source, 4);
		spans = span_refill(store->pools.source, 1);
	}
	atomic_store_explicit(&store->refill_waits, waits, memory_order_relaxed);
	if (!waits)
		pools_look_ahead(&store->pools);
	/* Where it waits store_work comes again by itself. */
	atomic_store_explicit(&store->refill_refused, waits || tables < 0 || spans < 0,
			      memory_order_relaxed);
	return !waits && (tables > 0 || spans > 0);
}
