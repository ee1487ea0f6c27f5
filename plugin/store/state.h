/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store as data: what its files share, and nothing that runs.  Each file has a header
 * of its own that says what it does for others; docs/ARCHITECTURE.md says who stands above whom.
 *
 * Lock order, outermost first:
 *	freed.lock	one thread forgets what the kernel has freed at a time
 *	writeback.lock	one thread writes to the backing store at a time
 *	recompress.lock	one thread recompresses at a time, or changes dictionaries
 *	compact.lock	one thread compacts at a time
 *	encoders.lock	held for a few instructions, nothing is taken inside
 *	a table entry	one at a time
 *	dense.lock	the workspace for the dense encoder
 *	pools.grow_lock, then a pool, then its source of spans
 * A table page is pinned before one of its entries is locked.
 *
 * The backing store is read under the page's entry alone, and written under
 * writeback.lock alone.  Who waits for either holds no encoder, for which others wait
 * whose pages are in memory.
 */
#ifndef RAMZSWAP_STORE_STATE_H
#define RAMZSWAP_STORE_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/histogram.h"
#include "base/work.h"
#include "store/rate.h"
#include "backing/backing.h"
#include "store/pools.h"
#include "span.h"
#include "store/store.h"
#include "store/table.h"

/*
 * A payload longer than this is not worth decompressing at every read: the page is
 * stored raw.
 */
#define PAYLOAD_MAX (STORE_PAGE_SIZE - STORE_PAGE_SIZE / 16)

#define CACHE_LINE 64

/* Threads are spread over so many sets of counters, and over the pools alike. */
#define STRIPES 32u

/* One more set, of what no client asked for. */
#define STRIPE_OF_BACKGROUND STRIPES
#define STRIPES_IN_ALL (STRIPES + 1)

enum store_counter {
	/* Those that most requests count stand side by side: see request_end. */
	COUNT_READS,
	COUNT_WRITES,
	COUNT_WRITTEN,	     /* pages with a payload */
	COUNT_WRITTEN_BYTES, /* of their payloads */
	COUNT_STORED,
	COUNT_GOOD,
	COUNT_NOTIFY_FREE,
	COUNT_ZERO_WRITES,
	COUNT_FAILED_READS,
	COUNT_FAILED_WRITES,
	COUNT_MISALIGNED_TRIMS,
	COUNT_MISALIGNED_WRITES,
	COUNT_ZERO,
	COUNT_SAME,
	COUNT_SAME_OBJ,
	COUNT_RAW, /* in memory */
	COUNT_BACKED,
	COUNT_BACKED_RAW, /* of them, pages that do not compress */
	COUNT_IDLE,	  /* in the codec for idle pages, in memory or behind it */
	COUNT_DICTIONARY, /* of them, that need the dictionary of generation 0 */
	COUNT_DICTIONARY_1,
	STORE_COUNTERS,
};

/* A request's counters are looked at in groups of so many. */
#define COUNTERS_AT_ONCE 4u
#define COUNTERS_PADDED \
	((STORE_COUNTERS + COUNTERS_AT_ONCE - 1) / COUNTERS_AT_ONCE * COUNTERS_AT_ONCE)

/* Sums over all stripes are what counts: one stripe alone may be negative. */
struct stripe {
	_Alignas(CACHE_LINE) atomic_uint_least64_t begun; /* requests */
	atomic_uint_least64_t ended;
	_Atomic int64_t count[COUNTERS_PADDED];
};

/* What one compression needs, made ready at the start. */
struct encoder {
	struct encoder *next;
	unsigned char *workspace;
	_Alignas(CACHE_LINE) unsigned char page[STORE_PAGE_SIZE];
	_Alignas(CACHE_LINE) unsigned char payload[CODEC_BOUND_MAX];
};

/* A stack: the encoder used last is the one whose memory is still in the cache. */
struct encoders {
	pthread_mutex_t lock;
	pthread_cond_t returned;
	unsigned int waiting; /* threads that wait for one */
	struct encoder *top;
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
	atomic_uint_least64_t pages; /* moved since the start */
	atomic_uint_least64_t bytes; /* given back since the start */
	bool running;		     /* a pass has begun: spans are being drained */
	uint64_t cursor;	     /* of the pass: the next table page */
	uint64_t pass_spans;	     /* spans drained before the pass, to tell its yield */
	/* A pass that won nothing is not repeated at once: in the background, at need. */
	uint64_t rest_until; /* milliseconds of clock_ms */
	uint64_t forced_rest_until;
};

struct recompression {
	pthread_mutex_t lock;
	unsigned int idle_seconds;	/* 0: only when asked to */
	unsigned int cpu_percent;	/* of one processor */
	uint64_t rest_until;		/* milliseconds of clock_ms */
	enum codec_effort effort;	/* of the walk */
	uint64_t cursor[CODEC_EFFORTS]; /* of the walk at each effort: the next page of the disk */
	bool little;			/* the walk takes pages of which little is to be won, too */
	bool dense;			/* at dense_age all idle pages were encoded densely */
	unsigned int dense_age;
	struct work *work;		/* of a walk that was asked for and is watched, or NULL */
	uint64_t quiet_since;		/* milliseconds: no request since then */
	double own_load;		/* what of the load average is our own work */
	uint64_t own_ms, own_ns;	/* the time, and ns, when that was worked out */
	uint64_t requests_seen;		/* when it was last asked whether the disk is at work */
	atomic_uint_least64_t pages;	/* made smaller since the start */
	atomic_uint_least64_t bytes;	/* won by that */
	atomic_uint_least64_t ns;	/* processor time taken */
	atomic_uint_least64_t returned; /* pages that were read often, encoded for speed again */
	unsigned char *workspace;
	size_t workspace_size;
	enum table_kind kind;	  /* of what is below, as it is to be stored */
	enum entry_coding coding; /* of the payload below */
	size_t readers_size;	  /* what the codec for idle pages made ready, charged */
	_Alignas(CACHE_LINE) unsigned char page[STORE_PAGE_SIZE];
	_Alignas(CACHE_LINE) unsigned char back[STORE_PAGE_SIZE];
	_Alignas(CACHE_LINE) unsigned char payload[CODEC_BOUND_MAX];
	_Alignas(CACHE_LINE) unsigned char plain[CODEC_BOUND_MAX]; /* beside that by a dictionary */
};

/* Dictionaries that pages may need at the same time: what a table entry can number. */
#define GENERATIONS 2

/* A dictionary and what reads by it.  Nothing in it changes while a page needs it. */
struct generation {
	unsigned char *memory; /* the dictionary, and the reader behind it; NULL: there is none */
	size_t memory_size;    /* charged */
	size_t size;	       /* of the dictionary */
	size_t suited;	       /* what size suited then, had there been memory to make it */
	const void *reader;
	uint64_t checksum; /* of all of the memory */
	uint64_t born_ms;
};

/* dictionary.h.  All but the readers, which requests use, is guarded by recompress.lock. */
struct dictionaries {
	size_t size_max; /* of one; 0: there are none */
	struct generation generation[GENERATIONS];
	int current;  /* the generation that pages are encoded with, or -1 */
	int training; /* the generation that is being made, or -1 */
	bool wanted;  /* one is to be made */
	bool stale;   /* what is being made is of pages that are gone */
	uint64_t retry_ms;
	int meminfo; /* file descriptor of /proc/meminfo, or -1 */

	unsigned char *writer; /* of the current one, or NULL: made when there is use for it */
	size_t writer_size;    /* charged */
	uint64_t writer_used_ms;
	uint64_t verify_ms; /* the next look whether the current one is what it was */

	/* Of every so many pages: their payloads with it and without. */
	uint64_t with, without;
	unsigned int pages, compared;
	double won_first; /* the share that it won of pages that it was not made of */
	double won_lately;

	atomic_uint_least64_t bytes; /* of memory, of all that is in use */
	atomic_uint_least64_t won;   /* bytes, by the comparison */
	atomic_uint_least64_t born;  /* milliseconds of clock_ms; of the current one, or 0 */
	atomic_uint made, damaged;
};

struct writeback {
	struct backing *backing; /* NULL: none, and nothing else here counts */
	pthread_mutex_t lock;
	struct rate day, second;
	uint64_t cursor;       /* the page of the disk where the sweep goes on */
	bool evicting;	       /* between the watermarks, on the way down */
	uint64_t retry_ms;     /* after failures, not before */
	uint64_t backoff_ms;   /* 0: it did not fail last */
	uint64_t raw_sweep_ms; /* the next look for pages that do not compress, not before */
	int meminfo;	       /* file descriptor of /proc/meminfo, or -1 */
	void (*kick)(void *opaque);
	void *kick_opaque;
	atomic_bool roomy;		   /* pages may come back to memory */
	atomic_uint_least64_t moved_bytes; /* of payloads that left memory */
	atomic_uint_least64_t promoted;	   /* pages that came back to memory */
	atomic_uint_least64_t over_budget; /* bytes written because a write had no room */
	atomic_int error;		   /* of the last write, negative errno; 0: it went well */
	int error_said;			   /* what store_backing_news said last */
	bool read_error_said;
};

/* What freed.h is about. */
struct freed {
	_Atomic(_Atomic uint64_t *) bits; /* NULL before the first time that they are heeded */
	pthread_mutex_t lock;
	bool heeded;
	bool charged;		     /* the budget is, for the bits */
	uint64_t cursor;	     /* the next word */
	atomic_uint_least64_t pages; /* forgotten since the start */
};

struct store {
	uint64_t size;
	uint64_t pages;
	_Atomic uint64_t memlimit;
	uint64_t reserve;
	const struct codec *codec;	/* of what is written */
	const struct codec *idle_codec; /* of what is recompressed; may be the same */
	unsigned int trailer;		/* bytes of a checksum behind each object, or 0 */
	atomic_uint_least64_t checksum_errors;
	struct span_budget budget;
	struct table table;
	struct pools pools;
	struct encoders encoders;
	struct dense dense;
	struct compaction compact;
	struct writeback writeback;
	struct recompression recompress;
	struct freed freed;
	struct dictionaries dictionary;
	atomic_uint age;		    /* the present age, ENTRY_AGE_BITS of it count */
	unsigned int tick_ms;		    /* it grows by one in this time */
	atomic_uint_least64_t next_tick_ms; /* of clock_ms */
	bool wipe;			    /* no copy of a page outlives its use: see store_wipe */
	FILE *trace;
	pthread_mutex_t trace_lock;
	atomic_uint_least64_t room_made; /* times that eviction or compaction made room */
	atomic_bool interrupted;	 /* what takes long is to end early */
	atomic_bool refill_refused;	 /* the last time: limit or system, asking again is idle */
	atomic_bool refill_waits;	 /* the last time: the kernel gave nothing at once */
	void (*kick)(void *opaque);
	void *kick_opaque;
	struct histogram histogram[HISTOGRAM_KINDS]; /* of one request in HISTOGRAM_SAMPLE */
	struct stripe stripe[STRIPES_IN_ALL];
};

/* Whether work that takes long is to end early. */
static inline bool store_is_to_end(const struct store *store, const struct work *work)
{
	return atomic_load(&store->interrupted) || work_is_cancelled(work);
}

/* Pages of the disk that a walk over the table looks at. */
static inline uint64_t store_walk_length(const struct store *store)
{
	return atomic_load_explicit(&store->table.table_pages, memory_order_relaxed) *
	       TABLE_PAGE_ENTRIES;
}

/* Overwrites a copy of a page that was worked on, if the store is to. */
static inline void store_wipe(const struct store *store, void *copy, size_t size)
{
	if (store->wipe)
		explicit_bzero(copy, size);
}

#endif
