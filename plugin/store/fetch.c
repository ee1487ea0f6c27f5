/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages behind the pool: read, and brought back to memory. */
#include <errno.h>
#include <string.h>

#include "store/age.h"
#include "store/coding.h"
#include "store/fetch.h"
#include "store/object.h"
#include "store/shortage.h"
#include "store/trace.h"

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

	if (!err)
		err = coding_decode(store, content, payload, entry_length(content), page, slack);
	store_wipe(store, payload, sizeof(payload));
	return err;
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

		if (entry_kind(seen) != KIND_BACKED || !backed_is_plausible(req->store, seen))
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
static uint64_t promote(struct request *req, uint64_t number, uint64_t content, const void *payload)
{
	struct store *store = req->store;
	uint32_t length = entry_length(content), handle;
	enum table_kind kind = length == STORE_PAGE_SIZE ? KIND_RAW : KIND_PAYLOAD;
	unsigned int pool;
	uint64_t new;

	if (request_alloc(req, length + store->trailer, &pool, &handle) != 0)
		return content;
	if (store->trace)
		store_trace_alloc(store, pool, handle, length + store->trailer);
	new = entry_with_coding(entry_make(kind, pool, handle), entry_coding(content));
	object_fill(store, number, new, payload, length);
	page_account(req, content, -1);
	page_account(req, new, 1);
	page_free(store, number, content);
	atomic_fetch_add_explicit(&store->writeback.promoted, 1, memory_order_relaxed);
	return new;
}

int backed_read(struct request *req, uint64_t number, uint64_t *content, void *page, size_t slack)
{
	unsigned char payload[STORE_PAGE_SIZE];
	int err = fetch(req->store, number, *content, &req->near, payload);

	if (!err)
		err = coding_decode(req->store, *content, payload, entry_length(*content), page,
				    slack);
	if (!err && age_of(req->store, *content) <= AGE_TICKS_HOT && memory_is_roomy(req->store))
		*content = promote(req, number, *content, payload);
	store_wipe(req->store, payload, sizeof(payload));
	return err;
}
