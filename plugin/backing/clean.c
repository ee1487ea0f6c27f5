/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Emptying sparse segments, and telling the medium of free ones. */
#include <errno.h>
#include <string.h>

#include "backing/log.h"

static uint32_t sparsest(const struct backing *backing, unsigned int percent)
{
	uint64_t least = (uint64_t)(backing->segment_size >> backing->unit_shift) * percent / 100;
	uint32_t found = 0;

	for (uint32_t i = 1; i < backing->segment_count; i++) {
		const struct segment *segment = &backing->segments[i];
		uint32_t live = atomic_load_explicit(&segment->live, memory_order_relaxed);

		if (live > 0 && live < least &&
		    !(segment->used & (USED_UNREADABLE | USED_PICKED))) {
			least = live;
			found = i;
		}
	}
	return found;
}

int backing_clean_begin(struct backing *backing, unsigned int percent)
{
	uint32_t segment = 0;
	uint64_t len;
	int err;

	if (backing->picked_count < PICKED_MAX)
		segment = sparsest(backing, percent);
	if (segment == 0)
		return -ENOENT;
	backing->clean_bytes = backing->segments[segment].used & USED_BYTES_MASK;
	len = align_up(backing->clean_bytes, backing->medium->block);
	err = backing->medium->ops->read(backing->medium, backing->clean, len,
					 segment_offset(backing, segment));
	if (err) {
		if (!backing->medium->remote)
			backing->segments[segment].used |= USED_UNREADABLE;
		return err;
	}
	add(&backing->bytes_read, len);
	backing->segments[segment].used |= USED_PICKED;
	backing->picked[backing->picked_count++] = segment;
	backing->clean_segment = segment;
	backing->clean_next = 0;
	return 0;
}

uint32_t backing_clean_picked(const struct backing *backing)
{
	return backing->picked_count;
}

bool backing_clean_next(struct backing *backing, struct backing_record *record)
{
	struct segment *segment = &backing->segments[backing->clean_segment];
	uint32_t at = backing->clean_next, size;

	if (at + seal_size(1) > backing->clean_bytes)
		return false;
	seal_peek(backing->seal, segment->filling, at, backing->clean + at, &backing->clean_header);
	size = record_size(backing, backing->clean_header.length);
	if (backing->clean_header.length == 0 ||
	    backing->clean_header.length > BACKING_PAYLOAD_MAX ||
	    size > backing->clean_bytes - at) {
		/* Damaged: what follows cannot be found any more. */
		segment->used |= USED_UNREADABLE;
		return false;
	}
	backing->clean_at = at;
	backing->clean_next = at + size;
	record->page = backing->clean_header.page;
	record->length = backing->clean_header.length;
	record->from = BACKING_FROM_MEMORY;
	record->location = (uint32_t)((segment_offset(backing, backing->clean_segment) + at) >>
				      backing->unit_shift);
	return true;
}

int backing_clean_copy(struct backing *backing)
{
	const struct seal_header *header = &backing->clean_header;
	struct segment *segment = &backing->segments[backing->clean_segment];
	uint64_t offset = segment_offset(backing, backing->clean_segment) + backing->clean_at;
	unsigned char payload[BACKING_PAYLOAD_MAX];
	int err;

	if (seal_open(backing->seal, segment->filling, backing->clean_at, header,
		      backing->clean + backing->clean_at, payload)) {
		segment->used |= USED_UNREADABLE;
		return -EBADMSG;
	}
	err = backing_append(backing, header->page, payload, header->length,
			     (uint32_t)(offset >> backing->unit_shift));
	/* What was sealed is not to stay in the clear on the stack. */
	explicit_bzero(payload, header->length);
	return err;
}

/* Segments looked at in one call. */
#define DISCARD_BATCH 4096

void backing_discard_free(struct backing *backing)
{
	if (!backing->medium->ops->discard)
		return;
	for (unsigned int i = 0; i < DISCARD_BATCH; i++) {
		uint32_t at = backing->discard_cursor + 1;
		struct segment *segment;

		backing->discard_cursor = at < backing->segment_count ? at : 0;
		if (at >= backing->segment_count)
			return;
		segment = &backing->segments[at];
		if (segment->used == 0 || (segment->used & USED_BAD) || atomic_load(&segment->live))
			continue;
		backing->medium->ops->discard(backing->medium, backing->segment_size,
					      segment_offset(backing, at));
		segment->used = 0;
	}
}
