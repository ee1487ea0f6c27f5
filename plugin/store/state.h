/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the page store share.  store.c walks the pages of a request,
 * store_page.c handles one page, store_compact.c moves objects in the background,
 * store_stats.c counts and checks.
 *
 * Lock order, outermost first:
 *	writeback.lock	one thread writes to the backing store at a time
 *	recompress.lock	one thread recompresses at a time
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
#ifndef RAMZSWAP_STORE_INTERNAL_H
#define RAMZSWAP_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

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
	COUNT_RAW, /* in memory */
	COUNT_BACKED,
	COUNT_BACKED_RAW, /* of them, pages that do not compress */
	STORE_COUNTERS,
};

/* Sums over all stripes are what counts: one stripe alone may be negative. */
struct stripe {
	_Alignas(CACHE_LINE) atomic_uint_least64_t begun; /* requests */
	atomic_uint_least64_t ended;
	_Atomic int64_t count[STORE_COUNTERS];
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
	unsigned int idle_seconds;   /* 0: only when asked to */
	unsigned int cpu_percent;    /* of one processor */
	uint64_t rest_until;	     /* milliseconds of clock_ms */
	uint64_t cursor;	     /* the next page of the disk */
	enum codec_effort effort;    /* of the walk */
	uint64_t quiet_since;	     /* milliseconds: no request since then */
	double own_load;	     /* what of the load average is our own work */
	uint64_t own_ms, own_ns;     /* the time, and ns, when that was worked out */
	uint64_t requests_seen;	     /* when it was last asked whether the disk is at work */
	atomic_uint_least64_t pages; /* made smaller since the start */
	atomic_uint_least64_t bytes; /* won by that */
	atomic_uint_least64_t ns;    /* processor time taken */
	unsigned char *workspace;
	size_t workspace_size;
	_Alignas(CACHE_LINE) unsigned char page[STORE_PAGE_SIZE];
	_Alignas(CACHE_LINE) unsigned char payload[CODEC_BOUND_MAX];
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

struct store {
	uint64_t size;
	uint64_t pages;
	_Atomic uint64_t memlimit;
	uint64_t reserve;
	const struct codec *codec;
	struct span_budget budget;
	struct table table;
	struct pools pools;
	struct encoders encoders;
	struct dense dense;
	struct compaction compact;
	struct writeback writeback;
	struct recompression recompress;
	atomic_uint age;		    /* the present age, ENTRY_AGE_BITS of it count */
	unsigned int tick_ms;		    /* it grows by one in this time */
	atomic_uint_least64_t next_tick_ms; /* of clock_ms */
	FILE *trace;
	pthread_mutex_t trace_lock;
	atomic_uint_least64_t room_made; /* times that eviction or compaction made room */
	atomic_bool interrupted;	 /* what takes long is to end early */
	atomic_bool refill_refused;	 /* the last time: limit or system, asking again is idle */
	void (*kick)(void *opaque);
	void *kick_opaque;
	struct stripe stripe[STRIPES];
};

/* One request on its way through the store. */
struct request {
	struct store *store;
	struct stripe *stripe;
	unsigned int turn;	   /* of the pools: see pools_alloc */
	struct encoder *encoder;   /* NULL until request_encoder */
	bool held_back;		   /* room was refused for what the machine is short of */
	bool pressing;		   /* and is not any more: there is none to be made otherwise */
	uint64_t room_seen;	   /* store->room_made before the last attempt to find room */
	struct backing_range near; /* in the backing store: where the next pages are */
	int64_t count[STORE_COUNTERS];
};

void request_begin(struct request *req, struct store *store);
void request_end(struct request *req);

/* The request's encoder; waits for one if all are at work. */
struct encoder *request_encoder(struct request *req);

/* Gives the encoder back, if the request has one: others may wait for it. */
void request_release_encoder(struct request *req);

/*
 * As store_make_room, without keeping an encoder from others meanwhile; and there is hope too
 * where others have made room since the request last tried to find some.
 */
bool request_make_room(struct request *req);

/* store_page.c.  The caller has pinned ref; entry is in it. */

/* Fills page; slack as in codec.h.  0 or -EIO. */
int page_read(struct request *req, struct table_ref *ref, table_entry *entry, void *page,
	      size_t slack);

/* 0, -ENOSPC, -ENOMEM; the old page stays on failure. */
int page_write(struct request *req, struct table_ref *ref, table_entry *entry, const void *page);

/*
 * Puts count bytes (zeroes if data is NULL) at offset into the page.  0, -EIO,
 * -ENOSPC, -ENOMEM.
 */
int page_modify(struct request *req, struct table_ref *ref, table_entry *entry, const void *data,
		size_t offset, size_t count);

/* Makes the page empty. */
void page_forget(struct request *req, struct table_ref *ref, table_entry *entry);

/*
 * Memory for an object.  With a backing store none is taken from the system while the machine
 * is short of it, as that would wait for pages that it swaps out to us: -ENOSPC, and room
 * is to be made there.  Else as pools_alloc.
 */
int request_alloc(struct request *req, size_t size, unsigned int *pool, uint32_t *handle);

/* Adds sign (1 or -1) to what the gauges say of a page with this entry. */
void page_account(struct request *req, uint64_t entry, int sign);

/* Decodes what the locked entry of page number says into page.  0 or -EIO. */
int page_decode(const struct store *store, uint64_t number, uint64_t entry, void *page,
		size_t slack);

/* Frees what an entry named that is not in the table any more. */
void page_free(struct store *store, uint64_t entry);

/* The entry as one that was touched now. */
uint64_t entry_touched(const struct store *store, uint64_t entry);

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

/*
 * What a thread adds to the load average of the last minute, which it added `before` to so
 * many milliseconds ago and ran for busy_ns of them.
 */
double recompress_own_load(double before, uint64_t ms, uint64_t busy_ns);

/* Whether, but for our own work, the processors have so little to do that a page may take long. */
bool recompress_may_take_long(double load, double own, long processors);

/* store_stats.c: the number of reads and writes so far; any counter's sum. */
uint64_t store_counter(const struct store *store, enum store_counter which);
uint64_t store_requests(const struct store *store);

/* store_backing.c */

/* 0 or -ENOMEM, -ENOSPC. */
int writeback_init(struct store *store, const struct store_config *config);
void writeback_fini(struct store *store);

/*
 * As page_read for a KIND_BACKED entry that is locked and says *content; may bring it
 * back to memory: *content is what the entry has to say from now on.
 */
int backed_read(struct request *req, uint64_t number, uint64_t *content, void *page, size_t slack);

/*
 * Before the page of a KIND_BACKED entry is read, and as many behind it as the request still
 * has to: reads those that lie close to it at once.  No entry may be locked by the caller.
 */
void backed_look_ahead(struct request *req, const struct table_ref *ref, const table_entry *entry,
		       size_t pages_behind);

/* Decodes the payload of a KIND_BACKED entry that is locked.  0 or -EIO. */
int backed_decode(const struct store *store, uint64_t number, uint64_t content, void *page,
		  size_t slack);

/* After backing_write: has the table name what was written, and frees its memory. */
void backed_publish(struct store *store);

/* Instead: the pages of the open segment stay where they are. */
void backed_abandon(struct store *store);

/* Copies a page to the open segment.  0, -ENOSPC if that is full, -EAGAIN if not wanted. */
int backed_append(struct store *store, uint64_t number, table_entry *entry);

/* Copies the live records of sparse segments to the open one.  Whether there were any. */
bool backed_clean(struct store *store, unsigned int percent);

/* store_choose.c */

/* Pages at least so old are to leave; AGE_NEVER for none. */
struct choice {
	unsigned int payload_age;
	unsigned int raw_age;
};

#define AGE_NEVER (1u << ENTRY_AGE_BITS)

/*
 * Copies chosen pages to the open segment, going once through the table at most.  Whether
 * the segment is full.  For the thread that holds writeback.lock, as the next.
 */
bool sweep(struct store *store, const struct choice *choice);

/* Fills the open segment with the coldest pages, or with all there are. */
void fill_with_coldest(struct store *store);

/* store_writeback.c */

/* As store_make_room, by writing pages to the backing store. */
bool writeback_make_room(struct store *store);

/* At the end of a request: has the background evict before there is no room. */
void writeback_kick_if_short(struct store *store);

/* Whether so little memory is available that pages should leave. */
bool writeback_machine_is_short(struct store *store);

/* Fills in what is known of the backing store. */
void writeback_get_stats(struct store *store, struct ramzswap_stats *stats);

/* Whether a page that is read often may come back. */
static inline bool writeback_roomy(const struct store *store)
{
	return atomic_load_explicit(&store->writeback.roomy, memory_order_relaxed);
}

/* store_age.c */

/* Ticks are so long that idle_seconds can be told; 0 for what suits without. */
void age_init(struct store *store, unsigned int idle_seconds);

/* Lets time pass. */
void age_work(struct store *store);

/* How many ticks so many seconds are, at least one. */
unsigned int age_ticks(const struct store *store, unsigned int seconds);

/* What is older than this is not told apart any more. */
#define AGE_TICKS_OLD 400u

/* Ticks since the page was touched. */
static inline unsigned int age_of(const struct store *store, uint64_t entry)
{
	return (atomic_load_explicit(&store->age, memory_order_relaxed) - entry_age(entry)) %
	       (1u << ENTRY_AGE_BITS);
}

/*
 * Keeps a page that was seen to be old from looking young when the age wraps around.
 * To be called for every entry every hundred ticks.
 */
void age_keep_old(struct store *store, table_entry *entry, uint64_t seen);

/* store_trace.c: what is asked of the pools, one line each. */
void store_trace_alloc(struct store *store, unsigned int pool, uint32_t handle, size_t size);
void store_trace_free(struct store *store, unsigned int pool, uint32_t handle);

#endif
