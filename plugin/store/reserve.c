/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that is kept ready ahead of need. */
#include "store/reserve.h"

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

bool store_refill(struct store *store)
{
	/* Small batches: a compaction step or a stop need not wait for long. */
	int tables = span_refill(store->table.source, 16);
	int spans = span_refill(store->pools.source, 4);

	pools_look_ahead(&store->pools);
	atomic_store_explicit(&store->refill_refused, tables < 0 || spans < 0,
			      memory_order_relaxed);
	return tables > 0 || spans > 0;
}
