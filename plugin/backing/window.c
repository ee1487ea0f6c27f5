/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Windows: pieces of segments that were read at once and are kept for a while, sealed as
 * they are on the medium, so that pages that were written together are read together.
 *
 * How much is read at once follows what was read lately, as read-ahead of files does: a
 * record that lies beside something read lately is one of a row, and twice as much is read
 * as then; any other is read alone.  So rows cost few requests and random reads no byte
 * more.
 *
 * A window belongs to one filling of one segment.  Whoever reads a record holds it alive,
 * and with it the segment, so the filling cannot change meanwhile; a window of an earlier
 * filling is not found any more, since fillings are never numbered alike.
 *
 * The lock is held for a few instructions.  A thread waits for another's window only if
 * its record is in it.
 */
#include <errno.h>

#include "backing/log.h"

/* Records so many bytes apart still are neighbours: what lay between them may be dead. */
#define NEAR_BYTES 4096u

uint32_t windows_size(uint32_t segment_size)
{
	uint32_t quarter = segment_size / 4;

	return quarter < WINDOW_MIN ? WINDOW_MIN : quarter > WINDOW_MAX ? WINDOW_MAX : quarter;
}

void windows_init(struct windows *windows, uint32_t segment_size)
{
	pthread_mutex_init(&windows->lock, NULL);
	pthread_cond_init(&windows->arrived, NULL);
	windows->size = windows_size(segment_size);
}

void windows_fini(struct windows *windows)
{
	pthread_mutex_destroy(&windows->lock);
	pthread_cond_destroy(&windows->arrived);
}

static const unsigned char *window_memory(const struct windows *windows,
					  const struct window *window)
{
	return windows->memory + (size_t)(window - windows->window) * windows->size;
}

static struct backing_range whole_blocks(const struct backing *backing, uint64_t begin,
					 uint64_t end)
{
	uint64_t block = backing->medium->block;

	return (struct backing_range){ begin & ~(block - 1), align_up(end, block) };
}

static bool covers(const struct backing_range *range, const struct backing_range *record)
{
	return range->begin <= record->begin && record->end <= range->end;
}

static struct window *find(struct windows *windows, uint64_t filling,
			   const struct backing_range *record)
{
	for (unsigned int i = 0; i < WINDOWS; i++) {
		struct window *window = &windows->window[i];

		if (window->filling == filling && covers(&window->range, record))
			return window;
	}
	return NULL;
}

/* The window that nobody uses and that was used least lately, or NULL. */
static struct window *find_unused(struct windows *windows)
{
	struct window *found = NULL;

	for (unsigned int i = 0; i < WINDOWS; i++) {
		struct window *window = &windows->window[i];

		if (window->users == 0 && (!found || window->used < found->used))
			found = window;
	}
	return found;
}

/* What was read lately beside the record, or NULL. */
static struct read_lately *find_lately(struct windows *windows, const struct backing_range *record)
{
	for (unsigned int i = 1; i <= READ_LATELY; i++) {
		struct read_lately *lately =
			&windows->lately[(windows->lately_next - i) % READ_LATELY];

		if (lately->size > 0 && record->end + NEAR_BYTES >= lately->range.begin &&
		    record->begin <= lately->range.end + NEAR_BYTES)
			return lately;
	}
	return NULL;
}

static struct backing_range cut(struct backing_range range, const struct backing_range *to)
{
	if (range.begin < to->begin)
		range.begin = to->begin;
	if (range.end > to->end)
		range.end = to->end;
	return range;
}

/* The record, and of what is near it what fits a window. */
static struct backing_range begin_with(const struct backing_range *record,
				       const struct backing_range *near, uint32_t most)
{
	struct backing_range range = *record;

	if (!covers(near, record))
		return range;
	if (record->end - near->begin <= most)
		range.begin = near->begin;
	range.end = near->end - range.begin <= most ? near->end : range.begin + most;
	return range;
}

/*
 * What is to be read for a record.  All ranges begin and end with blocks; that of the
 * segment is the part that was written.
 */
static struct backing_range plan(struct windows *windows, const struct backing_range *record,
				 const struct backing_range *near,
				 const struct backing_range *segment)
{
	const struct backing_range close = cut(*near, segment);
	struct backing_range range = begin_with(record, &close, windows->size);
	struct read_lately *lately = find_lately(windows, record);
	uint64_t size = range.end - range.begin;

	if (lately) {
		if (size < 2 * lately->size)
			size = 2 * lately->size;
		if (size > windows->size)
			size = windows->size;
		if (record->begin >= lately->range.begin)
			range.end = range.begin + size;
		else
			range.begin = range.end > size ? range.end - size : 0;
		range = cut(range, segment);
		*lately = (struct read_lately){ 0 };
	}
	windows->lately[windows->lately_next++ % READ_LATELY] = (struct read_lately){ range, size };
	return range;
}

/* The part of the record's segment that was written, in whole blocks. */
static struct backing_range written(const struct backing *backing, uint64_t begin,
				    const struct segment *segment)
{
	uint32_t used = atomic_load_explicit(&segment->used, memory_order_relaxed);

	return (struct backing_range){
		.begin = begin,
		.end = begin + align_up(used & USED_BYTES_MASK, backing->medium->block),
	};
}

/* Reads a new window.  The lock is held, but not while reading. */
static void fill(struct backing *backing, struct window *window, uint64_t filling,
		 const struct backing_range *range)
{
	struct windows *windows = &backing->windows;
	uint64_t len = range->end - range->begin;
	int err;

	window->filling = filling;
	window->range = *range;
	window->coming = true;
	pthread_mutex_unlock(&windows->lock);
	err = backing->medium->ops->read(backing->medium, (void *)window_memory(windows, window),
					 len, range->begin);
	add(&backing->medium_reads, 1);
	if (!err)
		add(&backing->bytes_read, len);
	pthread_mutex_lock(&windows->lock);
	window->coming = false;
	window->error = err;
	/* Whoever waits for it sees the error; nobody else finds it. */
	if (err)
		window->filling = 0;
	pthread_cond_broadcast(&windows->arrived);
}

/* The window that the record is in, to be given back, or NULL: it is to be read alone. */
static struct window *take(struct backing *backing, const struct segment *segment,
			   const struct backing_range *record, const struct backing_range *near)
{
	struct windows *windows = &backing->windows;
	struct window *window = find(windows, segment->filling, record);

	if (!window) {
		uint64_t begin = record->begin - record->begin % backing->segment_size;
		struct backing_range whole = written(backing, begin, segment);
		struct backing_range range = plan(windows, record, near, &whole);

		if (range.end - range.begin == record->end - record->begin)
			return NULL;
		window = find_unused(windows);
		if (!window)
			return NULL;
		window->users = 1;
		fill(backing, window, segment->filling, &range);
	} else {
		window->users++;
		while (window->coming)
			pthread_cond_wait(&windows->arrived, &windows->lock);
	}
	window->used = ++windows->turn;
	return window;
}

int windows_read(struct backing *backing, const struct seal_header *header, uint32_t location,
		 const struct backing_range *near, void *payload)
{
	const struct segment *segment = segment_at(backing, location);
	struct windows *windows = &backing->windows;
	uint64_t offset = location_offset(backing, location);
	const struct backing_range record = whole_blocks(backing, offset,
							 offset + seal_size(header->length)),
				   around = near ? whole_blocks(backing, near->begin, near->end)
						 : record;
	struct window *window;
	int err;

	pthread_mutex_lock(&windows->lock);
	window = take(backing, segment, &record, &around);
	err = window ? window->error : -ENOENT;
	pthread_mutex_unlock(&windows->lock);
	if (!err)
		err = seal_open(backing->seal, segment->filling,
				(uint32_t)(offset % backing->segment_size), header,
				window_memory(windows, window) + (offset - window->range.begin),
				payload);
	if (window) {
		pthread_mutex_lock(&windows->lock);
		window->users--;
		pthread_mutex_unlock(&windows->lock);
	}
	return err;
}
