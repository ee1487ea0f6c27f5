/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading records. */
#include <errno.h>

#include "backing/log.h"

static unsigned int take_slot(struct backing *backing)
{
	unsigned int free, slot;

	while (sem_wait(&backing->slot_freed) != 0)
		;
	free = atomic_load(&backing->slots_free);
	do
		slot = (unsigned int)__builtin_ctz(free);
	while (!atomic_compare_exchange_weak(&backing->slots_free, &free, free & ~(1u << slot)));
	return slot;
}

static void give_slot(struct backing *backing, unsigned int slot)
{
	atomic_fetch_or(&backing->slots_free, 1u << slot);
	sem_post(&backing->slot_freed);
}

static int read_into(struct backing *backing, const struct seal_header *header, uint32_t location,
		     unsigned char *buf, void *payload)
{
	uint64_t offset = location_offset(backing, location);
	uint64_t mask = backing->medium->block - 1, from = offset & ~mask;
	size_t len = align_up(offset + seal_size(header->length), backing->medium->block) - from;
	int err = backing->medium->ops->read(backing->medium, buf, len, from);

	add(&backing->medium_reads, 1);
	if (err)
		return -EIO;
	add(&backing->bytes_read, len);
	return seal_open(backing->seal, segment_at(backing, location)->filling,
			 (uint32_t)(offset % backing->segment_size), header, buf + (offset - from),
			 payload);
}

static int read_alone(struct backing *backing, const struct seal_header *header, uint32_t location,
		      void *payload)
{
	unsigned int slot = take_slot(backing);
	int err = read_into(backing, header, location,
			    backing->slots + (size_t)slot * READ_SLOT_SIZE, payload);

	give_slot(backing, slot);
	return err;
}

int backing_read(struct backing *backing, uint64_t page, uint32_t location, uint32_t length,
		 const struct backing_range *near, void *payload)
{
	const struct seal_header header = { .page = page, .length = length };
	uint64_t start = clock_ns();
	int err = windows_read(backing, &header, location, near, payload);

	/* What spoils a window need not concern this record; a server that is gone does. */
	if (err && err != -ENOTCONN)
		err = read_alone(backing, &header, location, payload);
	else if (err)
		err = -EIO;
	note_time(start, &backing->read_ns, &backing->read_ns_max);
	add(&backing->reads, 1);
	if (err)
		add(&backing->failed_reads, 1);
	return err;
}

bool backing_may_have(const struct backing *backing, uint32_t location, uint32_t length)
{
	uint64_t offset = location_offset(backing, location);

	return offset / backing->segment_size < backing->segment_count &&
	       offset % backing->segment_size + record_size(backing, length) <=
		       backing->segment_size;
}

uint64_t backing_filling(const struct backing *backing, uint32_t location)
{
	return segment_at(backing, location)->filling;
}

struct backing_range backing_record_range(const struct backing *backing, uint32_t location,
					  uint32_t length)
{
	uint64_t begin = location_offset(backing, location);

	return (struct backing_range){ begin, begin + record_size(backing, length) };
}
