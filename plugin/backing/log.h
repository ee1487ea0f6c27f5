/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the log share (see backing.h): backing.c makes it, write.c
 * fills and writes segments, read.c reads records, by window.c several at
 * once, clean.c empties sparse segments.
 *
 * Segment 0 bears the mark and nothing else.
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
#ifndef RAMZSWAP_BACKING_INTERNAL_H
#define RAMZSWAP_BACKING_INTERNAL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "backing/backing.h"
#include "backing/seal.h"

/* Records read at once; more wait for one another. */
#define READ_SLOTS 16u

/* A record of the largest payload may begin and end inside blocks. */
#define READ_SLOT_SIZE (2 * MEDIUM_BLOCK_MAX + 4096 + 4096)

/* Pieces of segments that are kept, and how large they are: see windows_size. */
#define WINDOWS 8u
#define WINDOW_MIN (32u << 10)
#define WINDOW_MAX (64u << 10)

/* Reads that are remembered, to see which come in a row. */
#define READ_LATELY 32u

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

struct segment {
	uint64_t filling;
	atomic_uint live; /* units that live records take */
	atomic_uint used; /* set by the writing thread alone */
};

_Static_assert(sizeof(struct segment) == 16, "metadata of a segment");

struct window {
	uint64_t filling; /* that it is a part of; 0: there is nothing in it */
	struct backing_range range;
	uint64_t used;	    /* windows->turn when it was used last */
	unsigned int users; /* threads that open records in it or wait for it */
	bool coming;	    /* being read */
	int error;	    /* of reading it */
};

/* What was read, and how much it would have been if no segment had ended there. */
struct read_lately {
	struct backing_range range;
	uint64_t size;
};

struct windows {
	pthread_mutex_t lock; /* guards all below but what is in the memory */
	pthread_cond_t arrived;
	unsigned char *memory; /* of the windows, one after the other */
	uint32_t size;	       /* of each */
	uint64_t turn;
	struct window window[WINDOWS];
	struct read_lately lately[READ_LATELY]; /* a ring */
	unsigned int lately_next;
};

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

	struct windows windows;

	unsigned char *slots;
	atomic_uint slots_free; /* a bit for each */
	sem_t slot_freed;

	atomic_uint_least64_t free_segments;
	atomic_uint_least64_t bad_segments;
	atomic_uint_least64_t pages, bytes;
	atomic_uint_least64_t reads, medium_reads, writes, segment_writes, bytes_read,
		bytes_written;
	atomic_uint_least64_t failed_reads, failed_writes, cleaned;
	atomic_uint_least64_t read_ns, read_ns_max, write_ns, write_ns_max;
};

static inline uint64_t align_up(uint64_t bytes, uint64_t to)
{
	return (bytes + to - 1) & ~(to - 1);
}

static inline void add(atomic_uint_least64_t *counter, uint64_t value)
{
	atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
}

static inline void note_time(uint64_t since, atomic_uint_least64_t *sum, atomic_uint_least64_t *max)
{
	uint64_t took = clock_ns() - since, most = atomic_load(max);

	add(sum, took);
	while (took > most && !atomic_compare_exchange_weak(max, &most, took))
		;
}

static inline uint32_t unit(const struct backing *backing)
{
	return UINT32_C(1) << backing->unit_shift;
}

/* What a record takes in its segment. */
static inline uint32_t record_size(const struct backing *backing, uint32_t length)
{
	return (uint32_t)align_up(seal_size(length), unit(backing));
}

static inline uint64_t location_offset(const struct backing *backing, uint32_t location)
{
	return (uint64_t)location << backing->unit_shift;
}

static inline uint64_t segment_offset(const struct backing *backing, uint32_t segment)
{
	return (uint64_t)segment * backing->segment_size;
}

static inline struct segment *segment_at(const struct backing *backing, uint32_t location)
{
	return &backing->segments[location_offset(backing, location) / backing->segment_size];
}

/* window.c: bytes of a window, by the size of segments. */
uint32_t windows_size(uint32_t segment_size);
void windows_init(struct windows *windows, uint32_t segment_size);
void windows_fini(struct windows *windows);

/*
 * As backing_read, by way of a window.  -ENOENT if the record is to be read alone; what the
 * medium says or -EBADMSG if the window is of no use, which need not be this record's
 * fault.  Counts requests and bytes, but no record.
 */
int windows_read(struct backing *backing, const struct seal_header *header, uint32_t location,
		 const struct backing_range *near, void *payload);

/* write.c: the live records take so many units less.  Any thread. */
void backing_release(struct backing *backing, struct segment *segment, uint32_t units);

#endif
