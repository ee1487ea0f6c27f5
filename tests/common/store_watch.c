/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "backing/log.h"
#include "store/coding.h"
#include "store/object.h"
#include "store_model.h"
#include "store_watch.h"

#define NOTES 8u

enum note_kind { NOTE_RECORD, NOTE_SEAL, NOTE_PAYLOAD };

/* One thing that failed in this thread. */
struct note {
	enum note_kind kind;
	int err;
	uint64_t page, entry;
	uint32_t location, length;
	uint64_t filling, filling_now; /* of the seal, or of the record's segment */
	uint32_t live, live_now, used;
	struct seal_header there; /* what the header says that is in the record's place */
	unsigned char start[16];  /* of a payload */
};

static _Thread_local struct note notes[NOTES];
static _Thread_local unsigned int noted;

static struct note *add_note(enum note_kind kind, int err)
{
	struct note *note = &notes[noted < NOTES ? noted++ : NOTES - 1];

	*note = (struct note){ .kind = kind, .err = err };
	return note;
}

/*
 * In the places of the real ones.
 */

int __real_seal_open(const struct seal *seal, uint64_t filling, uint32_t place,
		     const struct seal_header *header, const unsigned char *record, void *payload);
int __wrap_seal_open(const struct seal *seal, uint64_t filling, uint32_t place,
		     const struct seal_header *header, const unsigned char *record, void *payload);

int __wrap_seal_open(const struct seal *seal, uint64_t filling, uint32_t place,
		     const struct seal_header *header, const unsigned char *record, void *payload)
{
	int err = __real_seal_open(seal, filling, place, header, record, payload);

	if (err) {
		struct note *note = add_note(NOTE_SEAL, err);

		note->page = header->page;
		note->length = header->length;
		note->filling = filling;
		note->location = place;
		seal_peek(seal, filling, place, record, &note->there);
	}
	return err;
}

int __real_backing_read(struct backing *backing, uint64_t page, uint32_t location, uint32_t length,
			const struct backing_range *near, void *payload);
int __wrap_backing_read(struct backing *backing, uint64_t page, uint32_t location, uint32_t length,
			const struct backing_range *near, void *payload);

int __wrap_backing_read(struct backing *backing, uint64_t page, uint32_t location, uint32_t length,
			const struct backing_range *near, void *payload)
{
	const struct segment *segment = segment_at(backing, location);
	uint64_t filling = segment->filling;
	uint32_t live = atomic_load(&segment->live);
	int err = __real_backing_read(backing, page, location, length, near, payload);

	if (err) {
		struct note *note = add_note(NOTE_RECORD, err);

		note->page = page;
		note->location = location;
		note->length = length;
		note->filling = filling;
		note->filling_now = segment->filling;
		note->live = live;
		note->live_now = atomic_load(&segment->live);
		note->used = atomic_load(&segment->used);
	}
	return err;
}

int __real_coding_decode(const struct store *store, uint64_t entry, const void *payload, size_t len,
			 void *page, size_t slack);
int __wrap_coding_decode(const struct store *store, uint64_t entry, const void *payload, size_t len,
			 void *page, size_t slack);

int __wrap_coding_decode(const struct store *store, uint64_t entry, const void *payload, size_t len,
			 void *page, size_t slack)
{
	int err = __real_coding_decode(store, entry, payload, len, page, slack);

	if (err) {
		struct note *note = add_note(NOTE_PAYLOAD, err);

		note->entry = entry;
		note->length = (uint32_t)len;
		memcpy(note->start, payload, len < sizeof(note->start) ? len : sizeof(note->start));
	}
	return err;
}

/*
 * Before and after.
 */

static uint64_t entry_of(struct store *store, uint64_t page)
{
	struct table_ref ref;
	uint64_t entry = 0;

	(void)table_pin(&store->table, page / TABLE_PAGE_ENTRIES, false, &ref);
	if (ref.entries)
		entry = atomic_load_explicit(&ref.entries[page % TABLE_PAGE_ENTRIES],
					     memory_order_relaxed);
	table_unpin(&store->table, &ref);
	return entry;
}

static uint64_t failed_reads(const struct model_disk *disk)
{
	return disk->backing ? atomic_load(&disk->backing->failed_reads) : 0;
}

void watch_begin(struct watch *watch, const struct model_disk *disk, uint32_t count,
		 uint64_t offset)
{
	uint64_t last = (offset + count - 1) / STORE_PAGE_SIZE;

	noted = 0;
	*watch = (struct watch){ .first = offset / STORE_PAGE_SIZE };
	if (!disk->store || count == 0)
		return;
	watch->pages = last - watch->first < WATCH_PAGES ? (uint32_t)(last - watch->first) + 1
							 : WATCH_PAGES;
	for (uint32_t i = 0; i < watch->pages; i++)
		watch->before[i] = entry_of(disk->store, watch->first + i);
	watch->failed_reads = failed_reads(disk);
	watch->misfits = atomic_load(&disk->store->checksum_errors);
}

static void print_note(FILE *out, const struct note *note)
{
	switch (note->kind) {
	case NOTE_RECORD:
		fprintf(out,
			"  record of page %llu, %u bytes at location %u: %s; its segment: filling "
			"%llu, now %llu, %u units live, now %u, used %#x\n",
			(unsigned long long)note->page, note->length, note->location,
			strerror(-note->err), (unsigned long long)note->filling,
			(unsigned long long)note->filling_now, note->live, note->live_now,
			note->used);
		return;
	case NOTE_SEAL:
		fprintf(out,
			"  seal of page %llu, %u bytes, filling %llu, byte %u of its segment, does "
			"not fit; a header of that filling says page %llu, %u bytes there\n",
			(unsigned long long)note->page, note->length,
			(unsigned long long)note->filling, note->location,
			(unsigned long long)note->there.page, note->there.length);
		return;
	case NOTE_PAYLOAD:
		fprintf(out,
			"  payload of %u bytes by entry %#018llx does not decode:", note->length,
			(unsigned long long)note->entry);
		for (size_t i = 0; i < sizeof(note->start); i++)
			fprintf(out, " %02x", note->start[i]);
		fputc('\n', out);
		return;
	}
}

static void print_entry(FILE *out, const char *when, uint64_t entry)
{
	static const char *const kinds[] = { "empty",	"a word",  "a word's object",
					     "raw",	"payload", "behind the pool",
					     "no kind", "no kind" };

	fprintf(out, "  %s %#018llx: %s", when, (unsigned long long)entry,
		kinds[entry_kind(entry)]);
	if (entry_kind(entry) == KIND_BACKED)
		fprintf(out, ", %u bytes at location %u, coding %d", entry_length(entry),
			entry_location(entry), (int)entry_coding(entry));
	else if (entry_has_object(entry))
		fprintf(out, ", pool %u, handle %#x, coding %d", entry_pool(entry),
			entry_handle(entry), (int)entry_coding(entry));
	fprintf(out, "%s\n", entry & ENTRY_LOCK ? ", locked" : "");
}

unsigned int watch_explain(const struct watch *watch, const struct model_disk *disk, FILE *out)
{
	unsigned char page[STORE_PAGE_SIZE];
	unsigned int count = noted, again = 0;
	struct note seen[NOTES];

	memcpy(seen, notes, sizeof(seen));
	if (watch->pages == 0)
		return 0;
	flockfile(out);
	fprintf(out,
		"why a read of %u pages from page %llu on failed: %llu records and %llu checksums "
		"failed meanwhile, of any thread\n",
		watch->pages, (unsigned long long)watch->first,
		(unsigned long long)(failed_reads(disk) - watch->failed_reads),
		(unsigned long long)(atomic_load(&disk->store->checksum_errors) - watch->misfits));
	for (unsigned int i = 0; i < count; i++)
		print_note(out, &seen[i]);
	for (uint32_t i = 0; i < watch->pages; i++) {
		uint64_t offset = (watch->first + i) * STORE_PAGE_SIZE;
		uint64_t left = disk->size - offset;
		uint64_t now = entry_of(disk->store, watch->first + i);
		uint32_t size = left < STORE_PAGE_SIZE ? (uint32_t)left : STORE_PAGE_SIZE;
		int err = store_read(disk->store, page, size, offset);

		fprintf(out, " page %llu%s%s\n", (unsigned long long)(watch->first + i),
			err ? ", read again: " : " can be read now", err ? strerror(-err) : "");
		print_entry(out, "before", watch->before[i]);
		print_entry(out, "now   ", now);
		again += err != 0;
	}
	funlockfile(out);
	return again;
}
