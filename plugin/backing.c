/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log (see backing.h).  Segment 0 bears the mark and nothing else.
 *
 * A record is found by its location: its offset on the medium in units of the
 * smallest power of two (16 bytes or more) that 32 bits suffice for.  The number of
 * a segment's filling, part of every record's seal, is in memory alone.
 *
 * No locks: what several threads touch is atomic.  segment->live says to whom a
 * segment belongs: 0, to the thread that writes; more, to nobody, and nothing but
 * live changes until it is 0 again.  While records are handed out after a write
 * (backing_write to backing_done) one unit more keeps it from being free.
 */
#include <errno.h>
#include <semaphore.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backing.h"
#include "seal.h"
#include "span.h"

#define UNIT_SHIFT_MIN 4

/* Of a segment, one record for so many bytes: what the list of the open one has room for. */
#define RECORD_BYTES_TYPICAL 256

/* Segments tried before a failing write is blamed on the medium instead of them. */
#define WRITE_TRIES 3

/* Records read at once; more wait for one another. */
#define READ_SLOTS 16u

/* A record of the largest payload may begin and end inside blocks. */
#define READ_SLOT_SIZE (2 * MEDIUM_BLOCK_MAX + 4096 + 4096)

/* Windows open at once, and what a window needs with the blocks that it begins and ends in. */
#define WINDOWS 8u
#define WINDOW_SIZE (BACKING_WINDOW_MAX + MEDIUM_BLOCK_MAX)

_Static_assert(WINDOW_SIZE % MEDIUM_BLOCK_MAX == 0, "windows are aligned");
_Static_assert(READ_SLOT_SIZE >= SEAL_HEADER_SIZE + BACKING_PAYLOAD_MAX + SEAL_TAG_SIZE +
					 2 * MEDIUM_BLOCK_MAX,
	       "read slot");

/* The free segment that cleaning needs to begin. */
#define CLEANING_SEGMENTS 1

/* Segments that are cleaned into one. */
#define PICKED_MAX 64

/* used of a segment: bytes in it, and flags. */
#define USED_BYTES_MASK ((BACKING_SEGMENT_MAX << 1) - 1)
#define USED_BAD (UINT32_C(1) << 31)	    /* did not take a write: not used again */
#define USED_UNREADABLE (UINT32_C(1) << 30) /* cannot be cleaned */
#define USED_PICKED (UINT32_C(1) << 29)	    /* was cleaned into the open segment */

#define BLOCK_MASK ((uint64_t)MEDIUM_BLOCK_MAX - 1)

struct segment {
	uint64_t filling;
	atomic_uint live; /* units that live records take */
	uint32_t used;
};

_Static_assert(sizeof(struct segment) == 16, "metadata of a segment");

enum open_state { OPEN_FILLING, OPEN_WRITTEN };

struct backing {
	struct medium *medium;
	struct seal *seal;
	bool encrypt;
	uint32_t segment_size;
	unsigned int unit_shift;
	uint32_t segment_count;
	struct segment *segments;

	unsigned char *memory; /* of all buffers and arrays */
	size_t memory_size;

	/* The open segment; the writing thread's. */
	unsigned char *open;
	struct backing_record *records;
	uint32_t record_count, record_max;
	uint32_t records_from_memory;
	uint32_t open_bytes;
	uint64_t filling; /* of the open segment */
	enum open_state open_state;
	uint32_t written_to; /* the segment that it went to */
	uint32_t cursor;     /* where the search for a free segment goes on */
	uint32_t discard_cursor;

	/* The segment being cleaned; the writing thread's. */
	unsigned char *clean;
	uint32_t picked[PICKED_MAX]; /* cleaned into the open segment */
	uint32_t picked_count;
	uint32_t clean_segment, clean_at, clean_next, clean_bytes;
	struct seal_header clean_header;

	unsigned char *windows;
	atomic_uint windows_free; /* a bit for each */

	unsigned char *slots;
	atomic_uint slots_free; /* a bit for each */
	sem_t slot_freed;

	atomic_uint_least64_t free_segments;
	atomic_uint_least64_t bad_segments;
	atomic_uint_least64_t pages, bytes;
	atomic_uint_least64_t reads, writes, segment_writes, bytes_read, bytes_written;
	atomic_uint_least64_t failed_reads, failed_writes, cleaned;
	atomic_uint_least64_t read_ns, read_ns_max, write_ns, write_ns_max;
};

static uint64_t align_up(uint64_t bytes, uint64_t to)
{
	return (bytes + to - 1) & ~(to - 1);
}

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void add(atomic_uint_least64_t *counter, uint64_t value)
{
	atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
}

static void note_time(uint64_t since, atomic_uint_least64_t *sum, atomic_uint_least64_t *max)
{
	uint64_t took = now_ns() - since, most = atomic_load(max);

	add(sum, took);
	while (took > most && !atomic_compare_exchange_weak(max, &most, took))
		;
}

static uint32_t unit(const struct backing *backing)
{
	return UINT32_C(1) << backing->unit_shift;
}

/* What a record takes in its segment. */
static uint32_t record_size(const struct backing *backing, uint32_t length)
{
	return (uint32_t)align_up(seal_size(length), unit(backing));
}

static uint64_t location_offset(const struct backing *backing, uint32_t location)
{
	return (uint64_t)location << backing->unit_shift;
}

static uint64_t segment_offset(const struct backing *backing, uint32_t segment)
{
	return (uint64_t)segment * backing->segment_size;
}

static struct segment *segment_at(const struct backing *backing, uint32_t location)
{
	return &backing->segments[location_offset(backing, location) / backing->segment_size];
}

/*
 * Making a store.
 */

uint64_t backing_size_min(uint32_t segment_size)
{
	/* One more for the mark. */
	return (uint64_t)(BACKING_SEGMENTS_MIN + 1) * segment_size;
}

/* Whether a write of its own block is found again at every power of two and at the end. */
static int probe_blocks(struct medium *medium, uint32_t segment_size, unsigned char *block,
			unsigned char *back, uint64_t *failed_at)
{
	unsigned char seed[randombytes_SEEDBYTES];
	uint64_t last = (medium->size - MEDIUM_BLOCK_MAX) & ~BLOCK_MASK;
	int err = 0;

	randombytes_buf(seed, sizeof(seed));
	for (int reading = 0; reading < 2; reading++) {
		for (uint64_t at = segment_size;; at *= 2) {
			if (at > last)
				at = last;
			*failed_at = at;
			memcpy(seed, &at, sizeof(at));
			randombytes_buf_deterministic(block, MEDIUM_BLOCK_MAX, seed);
			err = reading ? medium->ops->read(medium, back, MEDIUM_BLOCK_MAX, at)
				      : medium->ops->write(medium, block, MEDIUM_BLOCK_MAX, at);
			if (err)
				return err;
			if (reading && memcmp(block, back, MEDIUM_BLOCK_MAX) != 0)
				return -EBADMSG;
			if (at == last)
				break;
		}
	}
	memset(block, 0, MEDIUM_BLOCK_MAX);
	memcpy(block, MEDIUM_MARK, sizeof(MEDIUM_MARK) - 1);
	*failed_at = 0;
	return medium->ops->write(medium, block, MEDIUM_BLOCK_MAX, 0);
}

static int probe(struct medium *medium, uint32_t segment_size, char *why, size_t why_size)
{
	unsigned char *blocks = span_map_zeroed(2 * MEDIUM_BLOCK_MAX);
	uint64_t at = 0;
	int err;

	if (!blocks)
		return -ENOMEM;
	err = probe_blocks(medium, segment_size, blocks, blocks + MEDIUM_BLOCK_MAX, &at);
	span_unmap(blocks, 2 * MEDIUM_BLOCK_MAX);
	if (err == -EBADMSG) {
		snprintf(why, why_size,
			 "does not keep what is written at byte %llu: it lies about its size of "
			 "%llu, "
			 "or is broken",
			 (unsigned long long)at, (unsigned long long)medium->size);
		return -EIO;
	}
	if (err)
		snprintf(why, why_size, "fails at byte %llu: %s", (unsigned long long)at,
			 strerror(-err));
	return err;
}

static void set_geometry(struct backing *backing, struct medium *medium, uint32_t segment_size)
{
	uint64_t most;

	backing->segment_size = segment_size;
	backing->unit_shift = UNIT_SHIFT_MIN;
	while (medium->size >> backing->unit_shift > UINT32_MAX)
		backing->unit_shift++;
	most = medium->size / segment_size;
	/* A larger unit wastes more than it wins: 2^32 segments of 1 MiB are 4 PiB. */
	backing->segment_count = most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
	backing->record_max = segment_size / RECORD_BYTES_TYPICAL;
	backing->memory_size = align_up(backing->segment_count * sizeof(struct segment), 4096) +
			       align_up(backing->record_max * sizeof(struct backing_record), 4096) +
			       2 * (size_t)segment_size + READ_SLOTS * READ_SLOT_SIZE +
			       WINDOWS * WINDOW_SIZE;
}

int backing_create(struct backing **backingp, struct medium *medium, uint32_t segment_size,
		   bool encrypt, char *why, size_t why_size)
{
	struct backing *backing;
	int err;

	if (medium->size < backing_size_min(segment_size)) {
		snprintf(why, why_size, "is too small: it has %llu bytes and needs %llu",
			 (unsigned long long)medium->size,
			 (unsigned long long)backing_size_min(segment_size));
		return -EINVAL;
	}
	if (sodium_init() < 0) {
		snprintf(why, why_size, "cannot be encrypted: libsodium does not start");
		return -ENOTSUP;
	}
	err = probe(medium, segment_size, why, why_size);
	if (err)
		return err;
	backing = calloc(1, sizeof(*backing));
	if (!backing) {
		snprintf(why, why_size, "no memory for it");
		return -ENOMEM;
	}
	backing->medium = medium;
	backing->encrypt = encrypt;
	set_geometry(backing, medium, segment_size);
	atomic_store(&backing->free_segments, backing->segment_count - 1);
	sem_init(&backing->slot_freed, 0, READ_SLOTS);
	atomic_store(&backing->slots_free, (1u << READ_SLOTS) - 1);
	atomic_store(&backing->windows_free, (1u << WINDOWS) - 1);
	*backingp = backing;
	return 0;
}

static void divide_memory(struct backing *backing)
{
	unsigned char *at = backing->memory;

	backing->open = at;
	at += backing->segment_size;
	backing->clean = at;
	at += backing->segment_size;
	backing->slots = at;
	at += READ_SLOTS * READ_SLOT_SIZE;
	backing->windows = at;
	at += WINDOWS * WINDOW_SIZE;
	backing->records = (struct backing_record *)at;
	at += align_up(backing->record_max * sizeof(struct backing_record), 4096);
	backing->segments = (struct segment *)at;
}

int backing_start(struct backing *backing, bool locked)
{
	int err = seal_create(&backing->seal, backing->encrypt);

	if (err)
		return err;
	backing->memory = span_map_zeroed(backing->memory_size);
	if (!backing->memory)
		return -ENOMEM;
	if (locked) {
		err = span_lock(backing->memory, backing->memory_size);
		if (err)
			return err;
	}
	/* Resident from the start: writing back takes no fault. */
	memset(backing->memory, 0, backing->memory_size);
	divide_memory(backing);
	backing->cursor = 1;
	backing->filling = 1;
	return backing->medium->ops->start(backing->medium);
}

void backing_destroy(struct backing *backing)
{
	if (!backing)
		return;
	seal_destroy(backing->seal);
	if (backing->memory)
		span_unmap(backing->memory, backing->memory_size);
	sem_destroy(&backing->slot_freed);
	backing->medium->ops->close(backing->medium);
	free(backing);
}

const struct medium *backing_medium(const struct backing *backing)
{
	return backing->medium;
}

/*
 * Filling and writing.
 */

int backing_append(struct backing *backing, uint64_t page, const void *payload, uint32_t length,
		   uint32_t from)
{
	const struct seal_header header = {.page = page, .length = length};
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
		.location = backing->open_bytes, /* in the segment, until that has a place */
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
	uint64_t start = now_ns(), len = backing_pending(backing);
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

static void release_units(struct backing *backing, struct segment *segment, uint32_t units)
{
	if (atomic_fetch_sub_explicit(&segment->live, units, memory_order_acq_rel) == units)
		atomic_fetch_add(&backing->free_segments, 1);
}

void backing_done(struct backing *backing)
{
	release_units(backing, &backing->segments[backing->written_to], 1);
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
	release_units(backing, segment_at(backing, location),
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

/*
 * Reading.
 */

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

/*
 * Cleaning.
 */

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

	if (seal_open(backing->seal, segment->filling, backing->clean_at, header,
		      backing->clean + backing->clean_at, payload)) {
		segment->used |= USED_UNREADABLE;
		return -EBADMSG;
	}
	return backing_append(backing, header->page, payload, header->length,
			      (uint32_t)(offset >> backing->unit_shift));
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

/*
 * Statistics.
 */

static void count_fullness(const struct backing *backing, uint64_t *fullness)
{
	uint64_t units = backing->segment_size >> backing->unit_shift;

	for (uint32_t i = 1; backing->segments && i < backing->segment_count; i++) {
		uint64_t live =
			atomic_load_explicit(&backing->segments[i].live, memory_order_relaxed);

		if (live > units)
			live = units;
		if (live > 0)
			fullness[(live - 1) * BACKING_FULLNESS / units]++;
	}
}

void backing_get_stats(const struct backing *backing, struct backing_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->segment_size = backing->segment_size;
	stats->segments = backing->segment_count - 1;
	stats->size = stats->segments * backing->segment_size;
	stats->segments_free = backing->free_segments;
	stats->segments_bad = backing->bad_segments;
	count_fullness(backing, stats->fullness);
	stats->pages = backing->pages;
	stats->bytes = backing->bytes;
	stats->memory = sizeof(*backing) + backing->memory_size;
	stats->reads = backing->reads;
	stats->writes = backing->writes;
	stats->segment_writes = backing->segment_writes;
	stats->bytes_read = backing->bytes_read;
	stats->bytes_written = backing->bytes_written;
	stats->failed_reads = backing->failed_reads;
	stats->failed_writes = backing->failed_writes;
	stats->cleaned = backing->cleaned;
	stats->read_ns = backing->read_ns;
	stats->read_ns_max = backing->read_ns_max;
	stats->write_ns = backing->write_ns;
	stats->write_ns_max = backing->write_ns_max;
}
