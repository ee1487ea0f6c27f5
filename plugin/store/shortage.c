/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How short memory is.  There are two marks for each of two measures: pages begin to leave at
 * the high one, and go on to until the low one is reached.
 */
#include "base/machine.h"
#include "store/shortage.h"

/* Of memlimit: eviction begins above 7/8 and ends below 3/4. */
#define HIGH_MARK(limit) ((limit) - (limit) / 8)
#define LOW_MARK(limit) ((limit) - (limit) / 4)

/*
 * Of the machine's memory: eviction begins when less than 1/2^5 of it is available, and
 * ends at 1/2^4, no more than these many bytes; and only while the store holds more than
 * 1/2^2 of it: with less, it is not the store that makes memory short.
 */
#define MACHINE_HIGH_SHIFT 5
#define MACHINE_LOW_SHIFT 4
#define MACHINE_MARK_MAX (UINT64_C(2) << 30)
#define MACHINE_SHARE_SHIFT 2

/* What the store needs for what it holds: not what is free inside, or ready. */
static uint64_t bytes_in_use(struct store *store)
{
	struct span_source_stats spans, tables;
	uint64_t used = atomic_load(&store->budget.used), idle;
	struct xv_stats pools;

	pools_get_stats(&store->pools, &pools);
	span_source_get_stats(store->pools.source, &spans);
	span_source_get_stats(store->table.source, &tables);
	idle = pools.free + spans.units_ready * XV_SPAN_SIZE + tables.units_ready * TABLE_PAGE_SIZE;
	return used > idle ? used - idle : 0;
}

static uint64_t machine_mark(uint64_t total, unsigned int shift)
{
	uint64_t mark = total >> shift;

	if (mark > MACHINE_MARK_MAX >> (shift - MACHINE_LOW_SHIFT))
		mark = MACHINE_MARK_MAX >> (shift - MACHINE_LOW_SHIFT);
	return mark;
}

bool machine_is_short(struct store *store)
{
	struct machine_memory machine;

	machine_memory(store->writeback.meminfo, &machine);
	return machine.available < machine_mark(machine.total, MACHINE_HIGH_SHIFT);
}

uint64_t bytes_too_many(struct store *store)
{
	struct writeback *wb = &store->writeback;
	uint64_t limit = atomic_load(&store->memlimit), used = bytes_in_use(store);
	struct machine_memory machine;
	uint64_t many = 0;
	bool high = false;

	if (limit != STORE_NO_LIMIT) {
		high = used > HIGH_MARK(limit);
		if (used > LOW_MARK(limit))
			many = used - LOW_MARK(limit);
	}
	machine_memory(wb->meminfo, &machine);
	if (used > machine.total >> MACHINE_SHARE_SHIFT &&
	    machine.available < machine_mark(machine.total, MACHINE_LOW_SHIFT)) {
		uint64_t missing =
			machine_mark(machine.total, MACHINE_LOW_SHIFT) - machine.available;

		high = high || machine.available < machine_mark(machine.total, MACHINE_HIGH_SHIFT);
		many = many > missing ? many : missing;
	}
	wb->evicting = many > 0 && (high || wb->evicting);
	/* Room enough that what comes back need not leave again at once. */
	atomic_store_explicit(&wb->roomy, many == 0, memory_order_relaxed);
	return wb->evicting ? many : 0;
}

void kick_if_crowded(struct store *store)
{
	uint64_t limit = atomic_load_explicit(&store->memlimit, memory_order_relaxed);

	if (store->writeback.kick && limit != STORE_NO_LIMIT &&
	    atomic_load_explicit(&store->budget.used, memory_order_relaxed) > HIGH_MARK(limit))
		store->writeback.kick(store->writeback.kick_opaque);
}
