/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a page leaves memory for the backing store.  Which does is the affair of victims.c, and
 * when that of writeback.c; fetch.c reads them.
 *
 * A page leaves in two steps.  Its payload is copied to the open segment and its
 * entry marked ENTRY_LEAVING; it stays in memory, and may be read and rewritten.
 * When the segment has been written, an entry that still bears the mark is made to
 * name the new place and the memory is freed; a rewritten entry has lost the mark,
 * and what was written for it is forgotten.
 *
 * A page may have been copied, rewritten and copied again before its segment is
 * written: the mark is the last copy's then, and so the records are gone through from
 * the last to the first.
 */
#include <errno.h>
#include <string.h>

#include "store/age.h"
#include "store/leave.h"
#include "store/object.h"

int backed_append(struct store *store, uint64_t number, table_entry *entry)
{
	uint64_t content = entry_lock(entry);
	int err = -EAGAIN;

	/* What is damaged must not be sealed as if it were the page. */
	if (entry_has_page(content) && !entry_is_leaving(content) &&
	    object_is_sound(store, number, content)) {
		err = backing_append(store->writeback.backing, number, object_map(store, content),
				     (uint32_t)object_size(store, content), BACKING_FROM_MEMORY);
		if (!err)
			content |= ENTRY_LEAVING;
	}
	entry_unlock(entry, content);
	return err;
}

/* The entry of a page that has left.  Its memory is still to be freed. */
static uint64_t entry_left(struct store *store, const struct backing_record *record, uint64_t old)
{
	uint64_t new = entry_with_coding(entry_make_backed(record->location, record->length),
					 entry_coding(old));
	unsigned int present = atomic_load_explicit(&store->age, memory_order_relaxed);

	if (age_of(store, old) > AGE_TICKS_HOT)
		return entry_with_age(new, entry_age(old));
	return entry_with_age(new, present - AGE_TICKS_HOT - 1);
}

/* The entry of a page whose record was copied to another place. */
static uint64_t entry_moved(const struct backing_record *record, uint64_t old)
{
	uint64_t new = entry_make_backed(record->location, record->length);

	return entry_with_age(entry_with_coding(new, entry_coding(old)), entry_age(old));
}

/* Whether the entry still says what it said when the record was copied. */
static bool concerned(uint64_t entry, const struct backing_record *record)
{
	if (record->from == BACKING_FROM_MEMORY)
		return entry_is_leaving(entry);
	return entry_kind(entry) == KIND_BACKED && entry_location(entry) == record->from;
}

static void publish_record(struct request *req, table_entry *entry,
			   const struct backing_record *record)
{
	struct store *store = req->store;
	bool moved = record->from != BACKING_FROM_MEMORY;
	uint64_t old = atomic_load_explicit(entry, memory_order_relaxed), new;

	/* Do not wait for whoever reads a page that is not concerned. */
	if (!concerned(old, record))
		goto stale;
	old = entry_lock(entry);
	if (!concerned(old, record)) {
		entry_unlock(entry, old);
		goto stale;
	}
	if (moved)
		new = entry_moved(record, old);
	else
		new = entry_left(store, record, old);
	page_account(req, old, -1);
	page_account(req, new, 1);
	entry_unlock(entry, new);
	page_free(store, record->page, old);
	if (!moved)
		atomic_fetch_add_explicit(&store->writeback.moved_bytes, record->length,
					  memory_order_relaxed);
	return;
stale:
	backing_forget(store->writeback.backing, record->location, record->length);
}

/* Calls visit for the entry of each record of the open segment, the last one first. */
static void for_each_record(struct store *store,
			    void (*visit)(struct request *req, table_entry *entry,
					  const struct backing_record *record))
{
	struct backing *backing = store->writeback.backing;
	struct table_ref ref = { 0 };
	struct request req;

	request_begin_background(&req, store);
	for (uint32_t i = backing_records(backing); i-- > 0;) {
		const struct backing_record *record = backing_record(backing, i);
		uint64_t index = record->page / TABLE_PAGE_ENTRIES;
		table_entry none = 0;

		if (!ref.entries || ref.index != index) {
			table_unpin(&store->table, &ref);
			(void)table_pin(&store->table, index, false, &ref);
		}
		visit(&req, ref.entries ? &ref.entries[record->page % TABLE_PAGE_ENTRIES] : &none,
		      record);
	}
	table_unpin(&store->table, &ref);
	request_end(&req);
}

void backed_publish(struct store *store)
{
	for_each_record(store, publish_record);
	backing_done(store->writeback.backing);
}

static void keep_record(struct request *req, table_entry *entry,
			const struct backing_record *record)
{
	uint64_t content;

	if (!entry_is_leaving(atomic_load_explicit(entry, memory_order_relaxed)))
		return;
	content = entry_lock(entry);
	entry_unlock(entry, entry_is_leaving(content) ? content & ~ENTRY_LEAVING : content);
}

void backed_abandon(struct store *store)
{
	for_each_record(store, keep_record);
	backing_drop(store->writeback.backing);
}

/* Whether the table still names this record. */
static bool alive(struct store *store, const struct backing_record *record)
{
	struct table_ref ref;
	uint64_t entry = 0;

	if (record->page >= store->pages)
		return false;
	(void)table_pin(&store->table, record->page / TABLE_PAGE_ENTRIES, false, &ref);
	if (ref.entries)
		entry = atomic_load_explicit(&ref.entries[record->page % TABLE_PAGE_ENTRIES],
					     memory_order_relaxed);
	table_unpin(&store->table, &ref);
	return entry_kind(entry) == KIND_BACKED && entry_location(entry) == record->location;
}

bool backed_clean(struct store *store, unsigned int percent)
{
	struct backing *backing = store->writeback.backing;
	struct backing_record record;
	bool full = false, any = false;

	while (!full && backing_clean_begin(backing, percent) == 0) {
		while (!full && backing_clean_next(backing, &record)) {
			int err;

			if (!alive(store, &record))
				continue;
			err = backing_clean_copy(backing);
			full = err == -ENOSPC;
			any = any || !err;
		}
	}
	return any;
}
