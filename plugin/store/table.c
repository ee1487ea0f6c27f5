/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/futex.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "span.h"
#include "store/table.h"

#define DIR_UNIT_SHIFT 32
#define DIR_PIN (UINT64_C(1) << 16)
#define DIR_PINS_MASK (UINT64_C(0xffff) << 16)
#define DIR_LIVE_MASK UINT64_C(0xffff)

/*
 * The live count may run ahead of or behind what other holders have yet to report;
 * the bias keeps it from borrowing from the pins.
 */
#define DIR_LIVE_BIAS UINT64_C(0x8000)

/*
 * Threads that come to a new table page at once each take a unit and all but one
 * give theirs back; a page that is being given up still has its own meanwhile.
 */
#define SPARE_UNITS 4096u

/* Tries before a thread goes to sleep: a holder is done in a few microseconds. */
#define LOCK_SPINS 64

_Static_assert(TABLE_PAGE_ENTRIES * sizeof(table_entry) == TABLE_PAGE_SIZE, "table page");
_Static_assert(sizeof(table_entry) == 8, "an entry costs 8 bytes");

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* The half of the entry that holds the lock bits. */
static uint32_t *lock_word(table_entry *entry)
{
	uint32_t *halves = (uint32_t *)entry;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return halves + 1;
#else
	return halves;
#endif
}

static void lock_sleep(table_entry *entry, uint64_t seen)
{
	syscall(SYS_futex, lock_word(entry), FUTEX_WAIT_PRIVATE, (uint32_t)seen, NULL, NULL, 0);
}

/* Whoever slept must mark the lock as waited for: others may sleep still. */
static uint64_t entry_lock_slow(table_entry *entry)
{
	uint64_t mark = ENTRY_LOCK;
	unsigned int spins = 0;

	for (;;) {
		uint64_t seen = atomic_load_explicit(entry, memory_order_relaxed);

		if (!(seen & ENTRY_LOCK)) {
			if (atomic_compare_exchange_weak_explicit(entry, &seen, seen | mark,
								  memory_order_acquire,
								  memory_order_relaxed))
				return seen & ~(ENTRY_LOCK | ENTRY_WAITERS);
			continue;
		}
		if (spins++ < LOCK_SPINS) {
			cpu_relax();
			continue;
		}
		if (!(seen & ENTRY_WAITERS) && !atomic_compare_exchange_weak_explicit(
						       entry, &seen, seen | ENTRY_WAITERS,
						       memory_order_relaxed, memory_order_relaxed))
			continue;
		lock_sleep(entry, seen | ENTRY_WAITERS);
		mark = ENTRY_LOCK | ENTRY_WAITERS;
	}
}

bool entry_try_lock(table_entry *entry, uint64_t *content)
{
	uint64_t seen = atomic_load_explicit(entry, memory_order_relaxed);

	if ((seen & ENTRY_LOCK) ||
	    !atomic_compare_exchange_strong_explicit(entry, &seen, seen | ENTRY_LOCK,
						     memory_order_acquire, memory_order_relaxed))
		return false;
	*content = seen & ~(ENTRY_LOCK | ENTRY_WAITERS);
	return true;
}

uint64_t entry_lock(table_entry *entry)
{
	uint64_t content;

	return entry_try_lock(entry, &content) ? content : entry_lock_slow(entry);
}

void entry_unlock(table_entry *entry, uint64_t content)
{
	uint64_t old = atomic_exchange_explicit(entry, content, memory_order_release);

	if (old & ENTRY_WAITERS)
		syscall(SYS_futex, lock_word(entry), FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

int table_init(struct table *table, uint64_t pages, struct span_budget *budget, bool locked)
{
	uint64_t entries = (pages + TABLE_PAGE_ENTRIES - 1) / TABLE_PAGE_ENTRIES;
	struct span_source_config config = {
		.unit = TABLE_PAGE_SIZE,
		.units_max = (entries < UINT32_MAX / 2 ? (uint32_t)entries : UINT32_MAX / 2) +
			     SPARE_UNITS,
		.budget = budget,
		.locked = locked,
	};
	int err;

	memset(table, 0, sizeof(*table));
	table->directory_entries = entries;
	err = directory_init(&table->directory, entries, budget, locked);
	if (!err)
		err = span_source_create(&table->source, &config);
	if (err)
		table_fini(table);
	return err;
}

void table_fini(struct table *table)
{
	span_source_destroy(table->source);
	directory_fini(&table->directory);
	memset(table, 0, sizeof(*table));
}

void table_forget(struct table *table)
{
	span_forget(table->source);
}

static table_entry *dir_entries(const struct table *table, uint64_t dir)
{
	return span_address(table->source, (uint32_t)(dir >> DIR_UNIT_SHIFT) - 1);
}

static _Atomic uint64_t *dir_slot(const struct table *table, uint64_t index)
{
	return &table->directory.entries[index];
}

/* Puts a fresh table page, pinned once, where there was none.  The directory is held there. */
static int put_table_page(struct table *table, uint64_t index, uint64_t *dir)
{
	uint64_t none = 0, made;
	uint32_t unit;
	int err;

	err = span_take(table->source, &unit);
	if (err)
		return err;
	memset(span_address(table->source, unit), 0, TABLE_PAGE_SIZE);
	made = (uint64_t)(unit + 1) << DIR_UNIT_SHIFT | DIR_PIN | DIR_LIVE_BIAS;
	if (!atomic_compare_exchange_strong_explicit(dir_slot(table, index), &none, made,
						     memory_order_acq_rel, memory_order_acquire)) {
		span_give(table->source, unit);
		return -EAGAIN;
	}
	atomic_fetch_add_explicit(&table->table_pages, 1, memory_order_relaxed);
	*dir = made;
	return 0;
}

/* 0, -EAGAIN if somebody else made one meanwhile, -ENOSPC or -ENOMEM. */
static int make_table_page(struct table *table, uint64_t index, uint64_t *dir)
{
	int err = directory_hold(&table->directory, index);

	if (err)
		return err;
	err = put_table_page(table, index, dir);
	if (err)
		directory_release(&table->directory, index);
	return err;
}

int table_pin(struct table *table, uint64_t index, bool create, struct table_ref *ref)
{
	_Atomic uint64_t *slot = dir_slot(table, index);
	uint64_t dir = directory_load(&table->directory, index);
	int err;

	ref->index = index;
	ref->entries = NULL;
	ref->live_delta = 0;
	for (;;) {
		if (dir) {
			if (atomic_compare_exchange_weak_explicit(slot, &dir, dir + DIR_PIN,
								  memory_order_acquire,
								  memory_order_acquire))
				break;
			continue;
		}
		if (!create)
			return 0;
		err = make_table_page(table, index, &dir);
		if (!err)
			break;
		if (err != -EAGAIN)
			return err;
		dir = directory_load(&table->directory, index);
	}
	ref->entries = dir_entries(table, dir);
	return 0;
}

void table_unpin(struct table *table, struct table_ref *ref)
{
	_Atomic uint64_t *slot = dir_slot(table, ref->index);
	uint64_t change = (uint64_t)(int64_t)ref->live_delta - DIR_PIN;
	uint64_t dir;

	if (!ref->entries)
		return;
	dir = atomic_fetch_add_explicit(slot, change, memory_order_acq_rel) + change;
	ref->entries = NULL;
	if ((dir & (DIR_PINS_MASK | DIR_LIVE_MASK)) != DIR_LIVE_BIAS)
		return;
	if (!atomic_compare_exchange_strong_explicit(slot, &dir, 0, memory_order_acq_rel,
						     memory_order_relaxed))
		return;
	atomic_fetch_sub_explicit(&table->table_pages, 1, memory_order_relaxed);
	span_give(table->source, (uint32_t)(dir >> DIR_UNIT_SHIFT) - 1);
	directory_release(&table->directory, ref->index);
}

uint64_t table_next(const struct table *table, uint64_t index, uint64_t end)
{
	return directory_next(&table->directory, index, end);
}

bool table_pin_next(struct table *table, uint64_t index, struct table_ref *ref)
{
	for (;; index++) {
		index = table_next(table, index, table->directory_entries);
		if (index >= table->directory_entries)
			return false;
		(void)table_pin(table, index, false, ref);
		/* It may have gone since it was seen. */
		if (ref->entries)
			return true;
	}
}
