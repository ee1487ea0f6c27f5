/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages between the pool and the backing store: how one leaves, is read, and comes
 * back.  When is store_writeback.c's affair.
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

#include "store/state.h"

/*
 * A page that is read twice within so many ticks comes back to memory.  One that
 * leaves counts as older than that.
 */
#define HOT_TICKS 15u

static int decode_payload(const struct store *store, const void *payload, uint32_t length,
			  void *page, size_t slack)
{
	if (length == STORE_PAGE_SIZE) {
		memcpy(page, payload, STORE_PAGE_SIZE);
		return 0;
	}
	return store->codec->decompress(payload, length, page, slack) ? -EIO : 0;
}

static int fetch(const struct store *store, uint64_t number, uint64_t content,
		 const struct backing_range *near, void *payload)
{
	return backing_read(store->writeback.backing, number, entry_location(content),
			    entry_length(content), near, payload)
		       ? -EIO
		       : 0;
}

int backed_decode(const struct store *store, uint64_t number, uint64_t content, void *page,
		  size_t slack)
{
	unsigned char payload[STORE_PAGE_SIZE];
	int err = fetch(store, number, content, NULL, payload);

	return err ? err : decode_payload(store, payload, entry_length(content), page, slack);
}

/* The range with the record in it, unless that makes it too long. */
static struct backing_range joined(struct backing_range range, struct backing_range record,
				   uint64_t most)
{
	uint64_t begin = record.begin < range.begin ? record.begin : range.begin;
	uint64_t end = record.end > range.end ? record.end : range.end;

	return end - begin > most ? range : (struct backing_range){ begin, end };
}

void backed_look_ahead(struct request *req, const struct table_ref *ref, const table_entry *entry,
		       size_t pages_behind)
{
	struct backing *backing = req->store->writeback.backing;
	size_t at = (size_t)(entry - ref->entries);
	struct backing_range near = { 0 };

	/* Entries are looked at, not locked: what they say may be old by the time it is read. */
	for (size_t i = at; i < TABLE_PAGE_ENTRIES && i <= at + pages_behind; i++) {
		uint64_t seen = atomic_load_explicit(&ref->entries[i], memory_order_relaxed);
		struct backing_range record;

		if (entry_kind(seen) != KIND_BACKED)
			continue;
		record = backing_record_range(backing, entry_location(seen), entry_length(seen));
		if (near.end == 0) {
			if (record.begin >= req->near.begin && record.end <= req->near.end)
				return;
			near = record;
		}
		near = joined(near, record, backing_read_most(backing));
	}
	req->near = near;
}

/* Puts the payload into the pool again.  What the entry is to say, or content without room. */
static uint64_t promote(struct request *req, uint64_t content, const void *payload)
{
	struct store *store = req->store;
	uint32_t length = entry_length(content), handle;
	enum table_kind kind = length == STORE_PAGE_SIZE ? KIND_RAW : KIND_PAYLOAD;
	unsigned int pool;
	uint64_t new;

	if (request_alloc(req, length, &pool, &handle) != 0)
		return content;
	if (store->trace)
		store_trace_alloc(store, pool, handle, length);
	memcpy(xv_map(pools_get(&store->pools, pool), handle), payload, length);
	new = entry_make(kind, pool, handle);
	page_account(req, content, -1);
	page_account(req, new, 1);
	page_free(store, content);
	atomic_fetch_add_explicit(&store->writeback.promoted, 1, memory_order_relaxed);
	return new;
}

int backed_read(struct request *req, uint64_t number, uint64_t *content, void *page, size_t slack)
{
	unsigned char payload[STORE_PAGE_SIZE];
	int err = fetch(req->store, number, *content, &req->near, payload);

	if (!err)
		err = decode_payload(req->store, payload, entry_length(*content), page, slack);
	if (!err && age_of(req->store, *content) <= HOT_TICKS && writeback_roomy(req->store))
		*content = promote(req, *content, payload);
	return err;
}

int backed_append(struct store *store, uint64_t number, table_entry *entry)
{
	uint64_t content = entry_lock(entry);
	enum table_kind kind = entry_kind(content);
	int err = -EAGAIN;

	if ((kind == KIND_RAW || kind == KIND_PAYLOAD) && !(content & ENTRY_LEAVING)) {
		struct xv_pool *pool = pools_get(&store->pools, entry_pool(content));
		uint32_t handle = entry_handle(content);

		err = backing_append(store->writeback.backing, number, xv_map(pool, handle),
				     (uint32_t)xv_size(pool, handle), BACKING_FROM_MEMORY);
		if (!err)
			content |= ENTRY_LEAVING;
	}
	entry_unlock(entry, content);
	return err;
}

/* The entry of a page that has left.  Its memory is still to be freed. */
static uint64_t entry_left(struct store *store, const struct backing_record *record, uint64_t old)
{
	uint64_t new = entry_make_backed(record->location, record->length);
	unsigned int present = atomic_load_explicit(&store->age, memory_order_relaxed);

	if (age_of(store, old) > HOT_TICKS)
		return entry_with_age(new, entry_age(old));
	return entry_with_age(new, present - HOT_TICKS - 1);
}

/* Whether the page is marked; only these two kinds have the bit. */
static bool leaving(uint64_t entry)
{
	return (entry_kind(entry) == KIND_RAW || entry_kind(entry) == KIND_PAYLOAD) &&
	       (entry & ENTRY_LEAVING);
}

/* Whether the entry still says what it said when the record was copied. */
static bool concerned(uint64_t entry, const struct backing_record *record)
{
	if (record->from == BACKING_FROM_MEMORY)
		return leaving(entry);
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
		new = entry_with_age(entry_make_backed(record->location, record->length),
				     entry_age(old));
	else
		new = entry_left(store, record, old);
	page_account(req, old, -1);
	page_account(req, new, 1);
	entry_unlock(entry, new);
	page_free(store, old);
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

	request_begin(&req, store);
	for (uint32_t i = backing_records(backing); i-- > 0;) {
		const struct backing_record *record = backing_record(backing, i);
		uint64_t index = record->page / TABLE_PAGE_ENTRIES;
		static table_entry none;

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

	if (!leaving(atomic_load_explicit(entry, memory_order_relaxed)))
		return;
	content = entry_lock(entry);
	entry_unlock(entry, leaving(content) ? content & ~ENTRY_LEAVING : content);
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
