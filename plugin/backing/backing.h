/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backing store: payloads of pages, packed into large segments that are written
 * in sequence to a medium.
 *
 * The store is a log without a table.  Whoever puts a payload in gets its location,
 * 32 bits, and remembers it with the length; the record on the medium names the
 * page, so that the owner can be found when a sparse segment is cleaned.  In memory
 * stand 16 bytes for each segment and the buffers, all made at the start: nothing
 * here allocates later (a medium that does says so).
 *
 * Nothing outlives the process: the keys that the records are sealed with are gone
 * with it.
 *
 * Putting a payload in:
 *
 *	backing_append(...)	copies it, sealed, into the open segment in memory
 *	backing_write()		when that is full: writes it; the records have locations
 *	for each record		the owner remembers backing_record(i)->location instead of the
 *				payload, or calls backing_forget if it has changed meanwhile
 *	backing_done()		the next segment is opened
 *
 * Threads: append, write, drop, done and the clean functions are for one thread at a
 * time; read, forget and the statistics for any, at any time.
 */
#ifndef RAMZSWAP_BACKING_H
#define RAMZSWAP_BACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "medium/medium.h"

#define BACKING_PAYLOAD_MAX 4096u

/* Sizes of a segment; a power of two. */
#define BACKING_SEGMENT_MIN (UINT32_C(1) << 16)
#define BACKING_SEGMENT_MAX (UINT32_C(1) << 20)

/* A store has so many segments at least. */
#define BACKING_SEGMENTS_MIN 8u

/* from of a record that came from memory. */
#define BACKING_FROM_MEMORY UINT32_MAX

struct backing;

/* One record of the open segment. */
struct backing_record {
	uint64_t page;	   /* of the disk */
	uint32_t length;   /* of the payload */
	uint32_t from;	   /* the older location that it was copied from, or FROM_MEMORY */
	uint32_t location; /* valid after backing_write */
};

/* How full segments are: in fifths of their size, the first the emptiest. */
#define BACKING_FULLNESS 5

struct backing_stats {
	uint64_t size;			     /* bytes that hold records, headers included */
	uint64_t segment_size;		     /* bytes */
	uint64_t segments;		     /* number */
	uint64_t segments_free;		     /* ready to be written */
	uint64_t segments_bad;		     /* that did not take a write while others did */
	uint64_t fullness[BACKING_FULLNESS]; /* of those that hold something */
	uint64_t pages;			     /* records that are alive */
	uint64_t bytes;			     /* of their payloads */
	uint64_t memory;		     /* bytes that the store takes in memory */
	uint64_t reads;			     /* of records */
	uint64_t medium_reads;		     /* requests that these took */
	uint64_t writes;		     /* of records, cleaning included */
	uint64_t segment_writes;
	uint64_t bytes_read, bytes_written; /* from and to the medium */
	uint64_t failed_reads;		    /* of records: each is an EIO of one page */
	uint64_t failed_writes;		    /* of segments: their pages stay in memory */
	uint64_t cleaned;		    /* records copied to empty sparse segments */
	uint64_t read_ns, read_ns_max;	    /* spent in reads, waiting for them included */
	uint64_t write_ns, write_ns_max;    /* the same of segments */
};

/*
 * The smallest medium that can be a store of segments of this size, in bytes.
 */
uint64_t backing_size_min(uint32_t segment_size);

/*
 * Makes a store on a medium, which it owns on success.  Tries whether the medium
 * keeps what is written to it, up to its end.  No threads, no keys yet.
 * 0; -EINVAL for a medium that is too small, -EIO for one that lies or fails, -ENOMEM: with
 * one line of why.
 */
int backing_create(struct backing **backing, struct medium *medium, uint32_t segment_size,
		   bool encrypt, char *why, size_t why_size);

/*
 * Makes ready for use in this process: the keys and all memory, resident and, with
 * locked, locked.  0, or -ENOMEM, or what starting the medium returns.
 */
int backing_start(struct backing *backing, bool locked);

/* NULL is accepted. */
void backing_destroy(struct backing *backing);

const struct medium *backing_medium(const struct backing *backing);

/*
 * Copies a payload of 1 to BACKING_PAYLOAD_MAX bytes into the open segment.  0, or
 * -ENOSPC if it does not fit any more: time to write.
 */
int backing_append(struct backing *backing, uint64_t page, const void *payload, uint32_t length,
		   uint32_t from);

/* The records of the open segment, in the order in which they came. */
uint32_t backing_records(const struct backing *backing);
const struct backing_record *backing_record(const struct backing *backing, uint32_t i);

/* Bytes that backing_write would write now. */
uint64_t backing_pending(const struct backing *backing);

/*
 * Writes the open segment to a free one, or to another if that fails.  From now on
 * every record counts as alive.  0; -ENOSPC if none is free; or what the medium says:
 * the records are still in the open segment then, to be tried again or dropped.
 */
int backing_write(struct backing *backing);

/* After backing_write: opens the next segment. */
void backing_done(struct backing *backing);

/* Instead of backing_write: throws the open segment's records away. */
void backing_drop(struct backing *backing);

/* Bytes of the medium. */
struct backing_range {
	uint64_t begin;
	uint64_t end;
};

/* Where a record lies on the medium. */
struct backing_range backing_record_range(const struct backing *backing, uint32_t location,
					  uint32_t length);

/* Whether a record of this length may lie there: of what was damaged in memory it need not. */
bool backing_may_have(const struct backing *backing, uint32_t location, uint32_t length);

/*
 * Of the record at this location, which must be alive and stay so until the return: what no other
 * record that ever lies there has.
 */
uint64_t backing_filling(const struct backing *backing, uint32_t location);

/*
 * Reads the payload at this location, which must be alive and stay so until the
 * return.  near is a range around it in which more records are about to be asked for, or
 * NULL: what else is in it is read with it as far as it is worth while, and kept for
 * them.  0; -EIO if it cannot be read, -EBADMSG if it is not what was written: counted.
 */
int backing_read(struct backing *backing, uint64_t page, uint32_t location, uint32_t length,
		 const struct backing_range *near, void *payload);

/* No more than so many bytes are read at once: no use in a longer range. */
uint32_t backing_read_most(const struct backing *backing);

/* The record at this location is not needed any more. */
void backing_forget(struct backing *backing, uint32_t location, uint32_t length);

/* Free segments, the one that cleaning needs not counted. */
uint64_t backing_free_segments(const struct backing *backing);

/* All segments, free or not. */
uint64_t backing_segments(const struct backing *backing);

/*
 * Reads the sparsest segment that is less than so many percent full into memory, to
 * be cleaned.  0, -ENOENT if there is none, or what the medium says.
 */
int backing_clean_begin(struct backing *backing, unsigned int percent);

/*
 * The next record of the segment being cleaned, dead or alive.  False at its end.
 */
bool backing_clean_next(struct backing *backing, struct backing_record *record);

/*
 * Copies the record that backing_clean_next returned last into the open segment.
 * 0; -ENOSPC as backing_append; -EBADMSG if it is damaged.
 */
int backing_clean_copy(struct backing *backing);

/* How many segments have been picked for the open one; each is free when it is done. */
uint32_t backing_clean_picked(const struct backing *backing);

void backing_get_stats(const struct backing *backing, struct backing_stats *stats);

/* Has the medium told of segments that are free again.  For the background. */
void backing_discard_free(struct backing *backing);

#endif
