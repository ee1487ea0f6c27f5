/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the page store share.  store.c walks the pages of a request,
 * store_page.c handles one page, store_compact.c moves objects in the background,
 * store_stats.c counts and checks.
 *
 * Lock order, outermost first:
 *	recompress.lock	one thread recompresses at a time
 *	compact.lock	one thread compacts at a time
 *	writers.lock	held for a few instructions, nothing is taken inside
 *	a table entry	one at a time
 *	dense.lock	the workspace for the dense encoder
 *	pools.grow_lock, then a pool, then its source of spans
 * A table page is pinned before one of its entries is locked.
 */
#ifndef RAMZSWAP_STORE_INTERNAL_H
#define RAMZSWAP_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "pools.h"
#include "span.h"
#include "store.h"
#include "table.h"

/*
 * A payload longer than this is not worth decompressing at every read: the page is
 * stored raw.
 */
#define PAYLOAD_MAX (STORE_PAGE_SIZE - STORE_PAGE_SIZE / 16)

#define CACHE_LINE 64

/* Threads are spread over so many sets of counters, and over the pools alike. */
#define STRIPES 32u

enum store_counter {
	COUNT_READS,
	COUNT_WRITES,
	COUNT_FAILED_READS,
	COUNT_FAILED_WRITES,
	COUNT_NOTIFY_FREE,
	COUNT_ZERO,
	COUNT_SAME,
	COUNT_SAME_OBJ,
	COUNT_STORED,
	COUNT_GOOD,
	COUNT_RAW,
	STORE_COUNTERS,
};

/* Sums over all stripes are what counts: one stripe alone may be negative. */
struct stripe {
	_Alignas(CACHE_LINE) atomic_uint_least64_t begun; /* requests */
	atomic_uint_least64_t ended;
	_Atomic int64_t count[STORE_COUNTERS];
};

/* What one compression needs, made ready at the start. */
struct writer {
	struct writer *next;
	unsigned char *workspace;
	_Alignas(CACHE_LINE) unsigned char page[STORE_PAGE_SIZE];
	_Alignas(CACHE_LINE) unsigned char payload[CODEC_BOUND_MAX];
};

/* A stack: the writer used last is the one whose memory is still in the cache. */
struct writers {
	pthread_mutex_t lock;
	pthread_cond_t returned;
	unsigned int waiting; /* threads that wait for one */
	struct writer *top;
	unsigned char *memory;
	size_t memory_size;
};

/* Denser encoding: in the background, and for a page that is to fit where no room is. */
struct dense {
	pthread_mutex_t lock;
	unsigned char *workspace;
	size_t workspace_size;
	_Alignas(CACHE_LINE) unsigned char payload[CODEC_BOUND_MAX];
};

struct compaction {
	pthread_mutex_t lock;
	atomic_uint_least64_t pages;	/* moved since the start */
	atomic_uint_least64_t bytes;	/* given back since the start */
	bool running;			/* a pass has begun: spans are being drained */
	uint64_t cursor;		/* of the pass: the next table page */
	uint64_t pass_spans;		/* spans drained before the pass, to tell its yield */
	/* A pass that won nothing is not repeated at once: in the background, at need. */
	struct timespec rest_until;
	struct timespec forced_rest_until;
};

struct recompression {
	pthread_mutex_t lock;
	unsigned int idle_seconds; /* 0: only when asked to */
	unsigned int cpu_percent;  /* of one processor */
	unsigned int tick_ms;
	uint64_t next_tick;  /* all three: milliseconds of CLOCK_MONOTONIC */
	uint64_t rest_until;
	uint64_t cursor;	/* the next page of the disk */
	uint64_t requests_seen; /* when it was last asked whether the disk is at work */
	atomic_uint_least64_t pages; /* made smaller since the start */
	atomic_uint_least64_t bytes; /* won by that */
	atomic_uint_least64_t ns;    /* processor time taken */
	unsigned char *workspace;
	size_t workspace_size;
	_Alignas(CACHE_LINE) unsigned char page[STORE_PAGE_SIZE];
	_Alignas(CACHE_LINE) unsigned char payload[CODEC_BOUND_MAX];
};

struct store {
	uint64_t size;
	uint64_t pages;
	_Atomic uint64_t memlimit;
	uint64_t reserve;
	const struct codec *codec;
	struct span_budget budget;
	struct table table;
	struct pools pools;
	struct writers writers;
	struct dense dense;
	struct compaction compact;
	struct recompression recompress;
	atomic_uint age; /* the present age, ENTRY_AGE_BITS of it count */
	FILE *trace;
	pthread_mutex_t trace_lock;
	atomic_bool refill_refused; /* the last time: limit or system, asking again is idle */
	void (*kick)(void *opaque);
	void *kick_opaque;
	struct stripe stripe[STRIPES];
};

/* One request on its way through the store. */
struct request {
	struct store *store;
	struct stripe *stripe;
	unsigned int stripe_number;
	struct writer *writer; /* NULL until request_writer */
	int64_t count[STORE_COUNTERS];
};

void request_begin(struct request *req, struct store *store);
void request_end(struct request *req);

/* The request's writer; waits for one if all are at work. */
struct writer *request_writer(struct request *req);

/* store_page.c.  The caller has pinned ref; entry is in it. */

/* Fills page; slack as in codec.h.  0 or -EIO. */
int page_read(struct request *req, table_entry *entry, void *page, size_t slack);

/* 0, -ENOSPC, -ENOMEM; the old page stays on failure. */
int page_write(struct request *req, struct table_ref *ref, table_entry *entry, const void *page);

/*
 * Puts count bytes (zeroes if data is NULL) at offset into the page.  0, -EIO,
 * -ENOSPC, -ENOMEM.
 */
int page_modify(struct request *req, struct table_ref *ref, table_entry *entry,
		const void *data, size_t offset, size_t count);

/* Makes the page empty. */
void page_forget(struct request *req, struct table_ref *ref, table_entry *entry);

/* Adds sign (1 or -1) to what the gauges say of a page with this entry. */
void page_account(struct request *req, uint64_t entry, int sign);

/* Decodes what a locked entry says into page.  0 or -EIO. */
int page_decode(const struct store *store, uint64_t entry, void *page, size_t slack);

/* store_compact.c */

/*
 * Tries to win room for a write that found none.  Whether there is hope that it
 * finds some now.  No entry may be locked by the caller.
 */
bool store_make_room(struct store *store);

/* store_recompress.c */

/* 0 or -ENOMEM, -ENOSPC. */
int recompress_init(struct store *store, unsigned int idle_seconds, unsigned int cpu_percent);
void recompress_fini(struct store *store);

/* One step in the background.  Milliseconds until the next. */
unsigned int recompress_step(struct store *store);

/* store_stats.c: the number of reads and writes so far. */
uint64_t store_requests(const struct store *store);

/* store_trace.c: what is asked of the pools, one line each. */
void store_trace_alloc(struct store *store, unsigned int pool, uint32_t handle, size_t size);
void store_trace_free(struct store *store, unsigned int pool, uint32_t handle);

#endif
