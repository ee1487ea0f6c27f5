/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page store: a disk of any size whose pages are kept compressed in memory.
 *
 * It joins a codec and xvmalloc pools by a page table, and knows nothing of
 * nbdkit.  All functions that take a range accept any offset and count inside
 * the disk; the caller checks the bounds (nbdkit does), and -EINVAL is returned
 * for a range that is not inside.
 *
 * Threads: everything but create and destroy may be called by any thread at any
 * time.  Requests on different pages do not wait for one another.  On one page a
 * reader sees the page before or after a write, never a mixture; a request of
 * several pages is atomic page by page, not as a whole.
 */
#ifndef RAMZSWAP_STORE_H
#define RAMZSWAP_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "codec.h"
#include "base/histogram.h"
#include "base/stats.h"
#include "base/work.h"

#define STORE_PAGE_SIZE CODEC_PAGE_SIZE

/* The largest disk that a store can be created for: 16 PiB would fit; this is plenty. */
#define STORE_SIZE_MAX (UINT64_C(1) << 50)

/* No limit on memory. */
#define STORE_NO_LIMIT UINT64_MAX

struct backing;
struct store;

struct store_config {
	uint64_t size;			 /* bytes of the disk, 1 to STORE_SIZE_MAX */
	uint64_t memlimit;		 /* bytes of memory at most, or STORE_NO_LIMIT */
	uint64_t reserve;		 /* bytes kept committed and resident ahead of need */
	const struct codec *codec;	 /* NULL for the first of the table */
	const struct codec *idle_codec;	 /* for pages that are recompressed; NULL for codec */
	uint64_t dictionary;		 /* bytes of one at most, for idle_codec; 0 for none */
	unsigned int encoders;		 /* compressions at once; 0 for 2 per processor */
	unsigned int recompress_seconds; /* pages untouched for so long; 0 for never */
	unsigned int recompress_percent; /* of one processor at most; 0 for 100 */
	struct backing *backing;	 /* started, and outlives the store; NULL for none */
	uint64_t backing_day;		 /* bytes that may be written to it a day, 0: any number */
	uint64_t backing_rate;		 /* and a second */
	bool locked;			 /* lock the memory; what is locked is what is in use */
	bool wipe;			 /* overwrite what is freed, and copies of pages */
	bool checksum;			 /* tell damaged pages: 4 bytes for each object */
	FILE *trace;			 /* record what is asked of the pools here, or NULL */
};

/*
 * The smallest memlimit that can hold anything for a disk of this size; a
 * smaller one is refused by store_create and store_set_memlimit with -EINVAL.
 */
uint64_t store_memlimit_min(uint64_t size);

/* 0, -EINVAL or -ENOMEM; *store is untouched on failure. */
int store_create(struct store **store, const struct store_config *config);

/* Nobody may be using the store any more.  NULL is accepted. */
void store_destroy(struct store *store);

/* 0; -EIO if a page cannot be had back (counted; never seen unless memory rots). */
int store_read(struct store *store, void *buf, uint32_t count, uint64_t offset);

/*
 * 0; -ENOSPC where the limit is reached (and the backing store is full or fails) or -ENOMEM
 * where the system refuses memory: pages before the failing one are written then, that
 * one and those behind it hold what they held before.
 */
int store_write(struct store *store, const void *buf, uint32_t count, uint64_t offset);

/*
 * Makes the range read as zeroes and gives its whole pages' memory back.  0, or as
 * store_write where a page is covered in part.
 */
int store_zero(struct store *store, uint64_t count, uint64_t offset);

/*
 * Calls emit for consecutive extents that cover the range from its start;
 * hole means never written, trimmed or zero: it reads as zeroes.  Ends early if
 * emit returns non-zero, and returns that; else 0.
 */
int store_extents(struct store *store, uint64_t count, uint64_t offset,
		  int (*emit)(void *opaque, uint64_t offset, uint64_t length, bool hole),
		  void *opaque);

/*
 * Changes the limit.  -EINVAL below store_memlimit_min.  A limit below what is in
 * use is accepted: writes that need more fail until enough is freed.
 */
int store_set_memlimit(struct store *store, uint64_t memlimit);

/* Forgets every page, as trimming the whole disk does, and clears the counters. */
void store_reset(struct store *store);

/*
 * What may take long comes with a struct work, or NULL: how far it is, in pages of the disk, and
 * whether it is to end early.  Then it does so soon, and has done a part of it: at most one page
 * more, one segment of the backing store, or what lies in 512 pages that follow each other.
 */

/*
 * Moves objects out of sparse spans until nothing more can be given back.
 * Returns the bytes that went back to the system.  Each round of the work is a pass.
 */
uint64_t store_compact(struct store *store, struct work *work);

/*
 * Encodes all pages again that have not been yet, however young, with more time.
 * *bytes is what was won.  0, or -ENOMEM or -ENOSPC if there is no memory to work in.
 */
int store_recompress(struct store *store, uint64_t *bytes, struct work *work);

/*
 * Has all that comes with a struct work return early from now on: the store is about to be
 * destroyed.
 */
void store_interrupt(struct store *store);

/*
 * Has the store heed notices of pages that nobody needs any more: bits, one for each page of the
 * disk, from bit 0 of the first word on, that their owner sets.  A page is forgotten, and its bit
 * cleared, by and by after it was set; a page that is written clears its bit.  Who sets a bit has
 * to do so before he lets anybody write the page anew.
 *
 * All that is set at the first look counts: bits must come in as zeroes.  They must stay mapped
 * until store_destroy, and be at one address each time; NULL for no more notices.  0, or
 * -ENOSPC where the limit has no room for them.
 */
int store_heed_freed(struct store *store, _Atomic uint64_t *bits);

/* One step of forgetting such pages, which store_work does.  How many it forgot. */
unsigned int store_forget_freed(struct store *store);

/*
 * Brings the reserve nearer to its size, by a batch, as long as the kernel gives memory at
 * once.  Blocks in system calls: for a background thread, and before the first request.
 * Returns whether more is missing and can be had.
 */
bool store_refill(struct store *store);

/*
 * Has kick(opaque) called, by any thread and at the end of a request, when the
 * reserve runs short: so that store_work comes before it is gone.  To be set once.
 */
void store_on_need(struct store *store, void (*kick)(void *opaque), void *opaque);

/*
 * One step of what is to be done in the background: refills the reserve, then
 * compacts if there is much to win.  Returns the milliseconds until the next step
 * should come.  The owner calls it from a thread of its own (see worker.h).
 */
unsigned int store_work(struct store *store);

/*
 * One step of making a dictionary of idle pages, if one is wanted: takes a second of processor
 * time then, and allocates.  Returns the milliseconds until the next step should come.  For a
 * thread that does nothing else.
 */
unsigned int store_train_work(struct store *store);

/*
 * One step of what is to be done with the backing store: pages are written to it and
 * sparse segments cleaned.  Returns the milliseconds until the next step should come.
 * Waits for the backing store: the owner calls it from a thread that does nothing else.
 * Without a backing store, nothing.
 */
unsigned int store_writeback_work(struct store *store);

/* Has kick(opaque) called when store_writeback_work should come.  As store_on_need. */
void store_on_pressure(struct store *store, void (*kick)(void *opaque), void *opaque);

enum store_writeback {
	WRITEBACK_POLICY, /* what does not compress, and what is too much for memory */
	WRITEBACK_HUGE,	  /* what does not compress */
	WRITEBACK_IDLE,	  /* what was not touched for so long */
	WRITEBACK_ALL,
};

/* The longest time that an idle page can be told from one that is idle for longer. */
unsigned int store_idle_seconds_max(const struct store *store);

/*
 * Writes pages to the backing store now.  *bytes is the memory that they took.  0;
 * -ENODEV without a backing store; -ENOSPC if it is full, -EDQUOT if the budget of
 * the day is used up, or what the medium says: some may have been written then.  The work is
 * in bytes of payloads, about so many.
 */
int store_writeback(struct store *store, enum store_writeback what, unsigned int idle_seconds,
		    uint64_t *bytes, struct work *work);

/*
 * Changes how many bytes may be written to the backing store a day, or else a second; 0
 * for no limit.  0, or -ENODEV without a backing store.
 */
int store_set_allowance(struct store *store, bool day, uint64_t bytes);

/*
 * Something to say about the backing store, once each time that it becomes true: it
 * fails, it works again, it is full.  Whether there is: one line, without a newline.
 * For one thread at a time.
 */
bool store_backing_news(struct store *store, char *line, size_t size);

/*
 * Verifies the table against the pools, and both in themselves.  For a quiet
 * store (no other thread inside).  0, or -EUCLEAN with a line of why.  A second round of the work
 * is of the pages behind the pool.  Ended early it has found nothing wrong until then.
 */
int store_check(struct store *store, struct work *work, char *why, size_t why_size);

/*
 * Write requests since the start, and those of them that failed.  Takes no lock; for who
 * must not wait.
 */
void store_count_writes(const struct store *store, uint64_t *writes, uint64_t *failed);

/*
 * Requests of clients that have ended since the start; sets under_way where one has begun and not
 * ended.  What the background does is none: it goes on where clients wait.  Takes no lock; for who
 * must not wait.
 */
uint64_t store_count_ended(const struct store *store, bool *under_way);

/* Fills in what the store knows; fields that it does not know are left alone. */
void store_get_stats(struct store *store, struct ramzswap_stats *stats);

/* What requests took, and the payloads that they wrote: of one in HISTOGRAM_SAMPLE.  Any thread. */
void store_get_histograms(const struct store *store,
			  struct histogram_state states[HISTOGRAM_KINDS]);

#endif
