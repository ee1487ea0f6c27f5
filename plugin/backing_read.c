/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading records: one, or several that lie side by side. */
#include <errno.h>

#include "backing_internal.h"

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

static int read_record(struct backing *backing, const struct seal_header *header, uint32_t location,
		       unsigned char *buf, void *payload)
{
	uint64_t offset = location_offset(backing, location);
	uint64_t mask = backing->medium->block - 1, from = offset & ~mask;
	size_t len = align_up(offset + seal_size(header->length), backing->medium->block) - from;
	int err = backing->medium->ops->read(backing->medium, buf, len, from);

	if (err)
		return -EIO;
	add(&backing->bytes_read, len);
	return seal_open(backing->seal, segment_at(backing, location)->filling,
			 (uint32_t)(offset % backing->segment_size), header, buf + (offset - from),
			 payload);
}

int backing_read(struct backing *backing, uint64_t page, uint32_t location, uint32_t length,
		 void *payload)
{
	const struct seal_header header = {.page = page, .length = length};
	uint64_t start = now_ns();
	unsigned int slot = take_slot(backing);
	int err = read_record(backing, &header, location,
			      backing->slots + (size_t)slot * READ_SLOT_SIZE, payload);

	give_slot(backing, slot);
	note_time(start, &backing->read_ns, &backing->read_ns_max);
	add(&backing->reads, 1);
	if (err)
		add(&backing->failed_reads, 1);
	return err;
}

/*
 * Windows.  Their slots are their own: who has one may wait for a thread that waits for a
 * slot of backing_read, never the other way round.
 */

uint64_t backing_record_begin(const struct backing *backing, uint32_t location)
{
	return location_offset(backing, location);
}

uint64_t backing_record_end(const struct backing *backing, uint32_t location, uint32_t length)
{
	return location_offset(backing, location) + record_size(backing, length);
}

static unsigned char *window_memory(const struct backing *backing,
				    const struct backing_window *window)
{
	return backing->windows + (size_t)(window->slot - 1) * WINDOW_SIZE;
}

static bool take_window(struct backing *backing, struct backing_window *window)
{
	unsigned int free = atomic_load(&backing->windows_free), slot;

	do {
		if (free == 0)
			return false;
		slot = (unsigned int)__builtin_ctz(free);
	} while (
		!atomic_compare_exchange_weak(&backing->windows_free, &free, free & ~(1u << slot)));
	window->slot = slot + 1;
	return true;
}

void backing_window_open(struct backing *backing, struct backing_window *window, uint64_t begin,
			 uint64_t end)
{
	uint64_t mask = backing->medium->block - 1, start = now_ns();

	backing_window_close(backing, window);
	window->offset = begin & ~mask;
	window->end = (end + mask) & ~mask;
	if (window->end > backing->medium->size || window->end - window->offset > WINDOW_SIZE ||
	    !take_window(backing, window))
		return;
	if (backing->medium->ops->read(backing->medium, window_memory(backing, window),
				       window->end - window->offset, window->offset)) {
		backing_window_close(backing, window);
		return;
	}
	add(&backing->bytes_read, window->end - window->offset);
	note_time(start, &backing->read_ns, &backing->read_ns_max);
}

int backing_window_read(struct backing *backing, const struct backing_window *window, uint64_t page,
			uint32_t location, uint32_t length, void *payload)
{
	const struct seal_header header = {.page = page, .length = length};
	uint64_t offset = location_offset(backing, location);

	if (window->slot == 0 || offset < window->offset ||
	    offset + seal_size(length) > window->end)
		return -ENOENT;
	if (seal_open(backing->seal, segment_at(backing, location)->filling,
		      (uint32_t)(offset % backing->segment_size), &header,
		      window_memory(backing, window) + (offset - window->offset), payload))
		return -ENOENT;
	add(&backing->reads, 1);
	return 0;
}

void backing_window_close(struct backing *backing, struct backing_window *window)
{
	if (window->slot)
		atomic_fetch_or(&backing->windows_free, 1u << (window->slot - 1));
	window->slot = 0;
}
