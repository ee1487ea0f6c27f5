/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading, writing, zeroing and mapping a range of the disk, page by page. */
#include <errno.h>
#include <string.h>

#include "store/object.h"
#include "store/page.h"
#include "store/request.h"
#include "store/room.h"
#include "store/shortage.h"

/* Has the background refill the reserve before it is gone. */
static void kick_if_short(struct store *store)
{
	if (store->writeback.backing)
		kick_if_crowded(store);
	if (!store->kick || atomic_load_explicit(&store->refill_refused, memory_order_relaxed))
		return;
	if (span_short(store->pools.source) || span_short(store->table.source))
		store->kick(store->kick_opaque);
}

static bool range_valid(const struct store *store, uint64_t count, uint64_t offset)
{
	return offset <= store->size && count <= store->size - offset;
}

/* Whether a range begins or ends inside a page; the disk's own end is none. */
static bool misaligned(const struct store *store, uint64_t count, uint64_t offset)
{
	uint64_t end = offset + count;

	return offset % STORE_PAGE_SIZE != 0 || (end % STORE_PAGE_SIZE != 0 && end != store->size);
}

/* The next piece of a range: the part of it that lies in one page. */
struct piece {
	uint64_t page;
	size_t offset; /* in the page */
	size_t count;
};

static struct piece first_piece(uint64_t count, uint64_t offset)
{
	struct piece piece = {
		.page = offset / STORE_PAGE_SIZE,
		.offset = offset % STORE_PAGE_SIZE,
	};

	piece.count = STORE_PAGE_SIZE - piece.offset;
	if (piece.count > count)
		piece.count = count;
	return piece;
}

/* Has ref hold the table page of this page of the disk. */
static int repin(struct store *store, struct table_ref *ref, uint64_t page, bool create)
{
	uint64_t index = page / TABLE_PAGE_ENTRIES;

	if (ref->index == index && ref->entries)
		return 0;
	table_unpin(&store->table, ref);
	return table_pin(&store->table, index, create, ref);
}

static table_entry *ref_entry(const struct table_ref *ref, uint64_t page)
{
	return &ref->entries[page % TABLE_PAGE_ENTRIES];
}

/* Lines of an object that are worth asking for ahead; the processor sees to the rest. */
#define PREFETCH_LINES 8

/*
 * Has the object of the request's next page come while this page is worked on.  It
 * may be freed or moved meanwhile: its address is made, but nothing is read there.
 */
static void prefetch_page(const struct request *req, const struct table_ref *ref, uint64_t page)
{
	const char *object;
	uint64_t entry;

	/* The first entry of a table page is another table page's. */
	if (!ref->entries || page % TABLE_PAGE_ENTRIES == 0)
		return;
	entry = atomic_load_explicit(ref_entry(ref, page), memory_order_relaxed);
	if (!object_may_be_there(req->store, entry))
		return;
	object = xv_map(pools_get(&req->store->pools, entry_pool(entry)), entry_handle(entry));
	for (int i = 0; i < PREFETCH_LINES; i++)
		__builtin_prefetch(object + i * CACHE_LINE);
}

static int read_piece(struct request *req, struct table_ref *ref, const struct piece *piece,
		      unsigned char *to, size_t behind)
{
	_Alignas(CACHE_LINE) unsigned char page[STORE_PAGE_SIZE];
	int err;

	(void)repin(req->store, ref, piece->page, false);
	if (!ref->entries) {
		memset(to, 0, piece->count);
		return 0;
	}
	if (behind > 0)
		prefetch_page(req, ref, piece->page + 1);
	if (piece->count == STORE_PAGE_SIZE)
		return page_read(req, ref, ref_entry(ref, piece->page), to, behind);
	err = page_read(req, ref, ref_entry(ref, piece->page), page, 0);
	if (!err)
		memcpy(to, page + piece->offset, piece->count);
	store_wipe(req->store, page, sizeof(page));
	return err;
}

int store_read(struct store *store, void *buf, uint32_t count, uint64_t offset)
{
	struct table_ref ref = { 0 };
	unsigned char *to = buf;
	struct request req;
	int err = 0;

	if (!range_valid(store, count, offset))
		return -EINVAL;
	request_begin(&req, store);
	req.count[COUNT_READS] = 1;
	while (count > 0 && !err) {
		struct piece piece = first_piece(count, offset);

		/* What follows in the reply is not written yet: the decoder may scribble there. */
		err = read_piece(&req, &ref, &piece, to, count - piece.count);
		to += piece.count;
		offset += piece.count;
		count -= (uint32_t)piece.count;
	}
	table_unpin(&store->table, &ref);
	request_end(&req);
	return err;
}

/* Whether what found no room is to be tried again: some has been made. */
static bool room_was_made(struct request *req, int err)
{
	return (err == -ENOSPC || err == -ENOMEM) && request_make_room(req);
}

/*
 * Whether a piece is a page of zeroes where no table page is.  It reads as zeroes already, and must
 * not cost a page of the table: a client that zeroes a whole disk by writing would fill the memory.
 */
static bool changes_nothing(struct request *req, struct table_ref *ref, const struct piece *piece,
			    const unsigned char *from)
{
	if (piece->count != STORE_PAGE_SIZE)
		return false;
	/* Most pages are written where some were: they are looked at once, by page_write. */
	(void)repin(req->store, ref, piece->page, false);
	return !ref->entries && page_is_zero(from);
}

static int write_piece(struct request *req, struct table_ref *ref, const struct piece *piece,
		       const unsigned char *from, size_t behind)
{
	int err;

	if (changes_nothing(req, ref, piece, from)) {
		req->count[COUNT_ZERO_WRITES]++;
		return 0;
	}
	err = repin(req->store, ref, piece->page, true);
	if (err)
		return err;
	if (behind > 0)
		prefetch_page(req, ref, piece->page + 1);
	if (piece->count == STORE_PAGE_SIZE)
		return page_write(req, ref, ref_entry(ref, piece->page), from);
	return page_modify(req, ref, ref_entry(ref, piece->page), from, piece->offset,
			   piece->count);
}

int store_write(struct store *store, const void *buf, uint32_t count, uint64_t offset)
{
	struct table_ref ref = { 0 };
	const unsigned char *from = buf;
	struct request req;
	int err = 0;

	if (!range_valid(store, count, offset))
		return -EINVAL;
	request_begin(&req, store);
	req.count[COUNT_WRITES] = 1;
	req.count[COUNT_MISALIGNED_WRITES] = misaligned(store, count, offset);
	while (count > 0 && !err) {
		struct piece piece = first_piece(count, offset);

		do
			err = write_piece(&req, &ref, &piece, from, count - piece.count);
		while (room_was_made(&req, err));
		from += piece.count;
		offset += piece.count;
		count -= (uint32_t)piece.count;
	}
	req.count[COUNT_FAILED_WRITES] = err ? 1 : 0;
	table_unpin(&store->table, &ref);
	request_end(&req);
	kick_if_short(store);
	return err;
}

/* A page that the disk ends in is whole if all of it that exists is covered. */
static bool whole_page(const struct store *store, const struct piece *piece)
{
	return piece->offset == 0 && (piece->count == STORE_PAGE_SIZE ||
				      piece->page * STORE_PAGE_SIZE + piece->count == store->size);
}

static int zero_piece(struct request *req, struct table_ref *ref, const struct piece *piece)
{
	(void)repin(req->store, ref, piece->page, false);
	if (!ref->entries)
		return 0;
	if (whole_page(req->store, piece)) {
		page_forget(req, ref, ref_entry(ref, piece->page));
		return 0;
	}
	if (entry_kind(*ref_entry(ref, piece->page)) == KIND_EMPTY)
		return 0;
	return page_modify(req, ref, ref_entry(ref, piece->page), NULL, piece->offset,
			   piece->count);
}

/* How far the range can be skipped because no table page covers it. */
static uint64_t untouched(const struct store *store, uint64_t count, uint64_t offset)
{
	uint64_t index = offset / STORE_PAGE_SIZE / TABLE_PAGE_ENTRIES;
	uint64_t last = (offset + count - 1) / STORE_PAGE_SIZE / TABLE_PAGE_ENTRIES;
	uint64_t next = table_next(&store->table, index, last + 1);
	uint64_t end;

	if (next == index)
		return 0;
	end = next * TABLE_PAGE_ENTRIES * STORE_PAGE_SIZE;
	return end - offset < count ? end - offset : count;
}

int store_zero(struct store *store, uint64_t count, uint64_t offset)
{
	struct table_ref ref = { 0 };
	struct request req;
	int err = 0;

	if (!range_valid(store, count, offset))
		return -EINVAL;
	request_begin(&req, store);
	req.count[COUNT_MISALIGNED_TRIMS] = misaligned(store, count, offset);
	while (count > 0 && !err) {
		uint64_t done = ref.entries ? 0 : untouched(store, count, offset);

		if (done == 0) {
			struct piece piece = first_piece(count, offset);

			do
				err = zero_piece(&req, &ref, &piece);
			while (room_was_made(&req, err));
			done = piece.count;
		}
		offset += done;
		count -= done;
		if (offset % (TABLE_PAGE_ENTRIES * STORE_PAGE_SIZE) == 0)
			table_unpin(&store->table, &ref);
	}
	table_unpin(&store->table, &ref);
	request_end(&req);
	return err;
}

/* Whether the page that offset lies in is a hole; *length is how far that is sure. */
static bool hole_at(struct store *store, struct table_ref *ref, uint64_t count, uint64_t offset,
		    uint64_t *length)
{
	struct piece piece = first_piece(count, offset);
	uint64_t entry;

	*length = piece.count;
	(void)repin(store, ref, piece.page, false);
	if (!ref->entries) {
		uint64_t skip = untouched(store, count, offset);

		if (skip > *length)
			*length = skip;
		return true;
	}
	entry = atomic_load_explicit(ref_entry(ref, piece.page), memory_order_relaxed);
	/* What damage made empty cannot be read: it must not pass for zeroes here. */
	return (entry_kind(entry) == KIND_EMPTY && entry_is_possible(store, entry)) ||
	       (entry_kind(entry) == KIND_SAME && entry_word(entry) == 0);
}

int store_extents(struct store *store, uint64_t count, uint64_t offset,
		  int (*emit)(void *opaque, uint64_t offset, uint64_t length, bool hole),
		  void *opaque)
{
	struct table_ref ref = { 0 };
	uint64_t start = offset;
	bool hole = false;
	int err = 0;

	if (!range_valid(store, count, offset))
		return -EINVAL;
	while (count > 0 && !err) {
		uint64_t length;
		bool here = hole_at(store, &ref, count, offset, &length);

		if (here != hole && offset > start) {
			err = emit(opaque, start, offset - start, hole);
			start = offset;
		}
		hole = here;
		offset += length;
		count -= length;
	}
	table_unpin(&store->table, &ref);
	if (!err && offset > start)
		err = emit(opaque, start, offset - start, hole);
	return err;
}
