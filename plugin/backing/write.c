/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filling the open segment, finding a place for it, and forgetting what lies there. */
#include <errno.h>
#include <string.h>

#include "backing/log.h"

/* Segments tried before a failing write is blamed on the medium instead of them. */
#define WRITE_TRIES 3

int backing_append(struct backing *backing, uint64_t page, const void *payload, uint32_t length,
		   uint32_t from)
{
	const struct seal_header header = { .page = page, .length = length };
	uint32_t size = record_size(backing, length);
	unsigned char *record = backing->open + backing->open_bytes;

	if (size > backing->segment_size - backing->open_bytes ||
	    backing->record_count == backing->record_max)
		return -ENOSPC;
	seal_record(backing->seal, backing->filling, backing->open_bytes, &header, payload, record);
	memset(record + seal_size(length), 0, size - seal_size(length));
	backing->records[backing->record_count++] = (struct backing_record){
		.page = page,
		.length = length,
		.from = from,
		/* In the segment, until that has a place. */
		.location = backing->open_bytes,
	};
	backing->records_from_memory += from == BACKING_FROM_MEMORY;
	backing->open_bytes += size;
	return 0;
}

uint32_t backing_records(const struct backing *backing)
{
	return backing->record_count;
}

const struct backing_record *backing_record(const struct backing *backing, uint32_t i)
{
	return &backing->records[i];
}

uint64_t backing_pending(const struct backing *backing)
{
	return align_up(backing->open_bytes, backing->medium->block);
}

/* The next free segment behind the cursor, or 0. */
static uint32_t find_free(struct backing *backing)
{
	uint64_t needed = backing->records_from_memory ? CLEANING_SEGMENTS + 1 : 1;

	if (atomic_load(&backing->free_segments) < needed)
		return 0;
	for (uint32_t i = 1; i < backing->segment_count; i++) {
		uint32_t at = backing->cursor;

		backing->cursor = at + 1 < backing->segment_count ? at + 1 : 1;
		if (!(backing->segments[at].used & USED_BAD) &&
		    atomic_load_explicit(&backing->segments[at].live, memory_order_acquire) == 0)
			return at;
	}
	return 0;
}

/* What refused a write may take one now, and nothing else is left. */
static void forgive(struct backing *backing)
{
	if (atomic_load(&backing->bad_segments) == 0)
		return;
	for (uint32_t i = 1; i < backing->segment_count; i++) {
		if (!(backing->segments[i].used & USED_BAD))
			continue;
		backing->segments[i].used = 0;
		atomic_fetch_sub(&backing->bad_segments, 1);
		atomic_fetch_add(&backing->free_segments, 1);
	}
}

/* What was written is alive from here on. */
static void accept_records(struct backing *backing, uint32_t to)
{
	struct segment *segment = &backing->segments[to];
	uint32_t base = (uint32_t)(segment_offset(backing, to) >> backing->unit_shift);
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < backing->record_count; i++) {
		struct backing_record *record = &backing->records[i];

		record->location = base + (record->location >> backing->unit_shift);
		bytes += record->length;
		backing->cleaned += record->from != BACKING_FROM_MEMORY;
	}
	segment->filling = backing->filling;
	segment->used = backing->open_bytes;
	atomic_fetch_sub(&backing->free_segments, 1);
	atomic_store_explicit(&segment->live, 1 + (backing->open_bytes >> backing->unit_shift),
			      memory_order_release);
	backing->written_to = to;
	backing->open_state = OPEN_WRITTEN;
	add(&backing->pages, backing->record_count);
	add(&backing->bytes, bytes);
	add(&backing->writes, backing->record_count);
	add(&backing->segment_writes, 1);
	add(&backing->bytes_written, backing_pending(backing));
}

static int write_to(struct backing *backing, uint32_t to)
{
	uint64_t start = clock_ns(), len = backing_pending(backing);
	int err;

	memset(backing->open + backing->open_bytes, 0, len - backing->open_bytes);
	err = backing->medium->ops->write(backing->medium, backing->open, len,
					  segment_offset(backing, to));
	note_time(start, &backing->write_ns, &backing->write_ns_max);
	if (err)
		add(&backing->failed_writes, 1);
	return err;
}

/* Others take writes: it is these segments that do not. */
static void condemn(struct backing *backing, const uint32_t *segments, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		backing->segments[segments[i]].used |= USED_BAD;
		atomic_fetch_sub(&backing->free_segments, 1);
		add(&backing->bad_segments, 1);
	}
}

int backing_write(struct backing *backing)
{
	uint32_t tried[WRITE_TRIES];
	unsigned int tries = 0;
	int err = -ENOSPC;

	if (backing_free_segments(backing) == 0)
		forgive(backing);
	while (tries < WRITE_TRIES) {
		uint32_t to = find_free(backing);

		/* All the way round, or none at all. */
		if (to == 0 || (tries > 0 && to == tried[0]))
			break;
		err = write_to(backing, to);
		if (!err) {
			condemn(backing, tried, tries);
			accept_records(backing, to);
			return 0;
		}
		/* A server that is gone is not there for another segment either. */
		if (backing->medium->remote)
			break;
		tried[tries++] = to;
	}
	return err;
}

static void reopen(struct backing *backing)
{
	for (uint32_t i = 0; i < backing->picked_count; i++)
		backing->segments[backing->picked[i]].used &= ~USED_PICKED;
	backing->picked_count = 0;
	backing->record_count = 0;
	backing->records_from_memory = 0;
	backing->open_bytes = 0;
	/* Never used twice, not even for what was thrown away. */
	backing->filling++;
	backing->open_state = OPEN_FILLING;
}

void backing_release(struct backing *backing, struct segment *segment, uint32_t units)
{
	if (atomic_fetch_sub_explicit(&segment->live, units, memory_order_acq_rel) == units)
		atomic_fetch_add(&backing->free_segments, 1);
}

void backing_done(struct backing *backing)
{
	backing_release(backing, &backing->segments[backing->written_to], 1);
	reopen(backing);
}

void backing_drop(struct backing *backing)
{
	reopen(backing);
}

void backing_forget(struct backing *backing, uint32_t location, uint32_t length)
{
	atomic_fetch_sub_explicit(&backing->pages, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&backing->bytes, length, memory_order_relaxed);
	backing_release(backing, segment_at(backing, location),
			record_size(backing, length) >> backing->unit_shift);
}

uint64_t backing_free_segments(const struct backing *backing)
{
	uint64_t count = atomic_load(&backing->free_segments);

	return count > CLEANING_SEGMENTS ? count - CLEANING_SEGMENTS : 0;
}

uint64_t backing_segments(const struct backing *backing)
{
	return backing->segment_count - 1;
}
