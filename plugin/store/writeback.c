/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When pages go to the backing store, and which.
 *
 *	always		pages that do not compress, when they have not been touched for a while
 *	at the high	the coldest pages, those that do not compress before all others,
 *	watermark	until the low one is reached
 *	without room	the same, for the write that found none, whatever the allowances say
 *
 * Which pages are the coldest is store_choose.c's affair.
 */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/machine.h"
#include "store/state.h"

/* Of memlimit: eviction begins above 7/8 and ends below 3/4. */
#define HIGH_MARK(limit) ((limit) - (limit) / 8)
#define LOW_MARK(limit) ((limit) - (limit) / 4)

/*
 * Of the machine's memory: eviction begins when less than 1/2^5 of it is available, and
 * ends at 1/2^4, no more than these many bytes; and only while the store holds more than
 * 1/2^2 of it: with less, it is not the store that makes memory short.
 */
#define MACHINE_HIGH_SHIFT 5
#define MACHINE_LOW_SHIFT 4
#define MACHINE_MARK_MAX (UINT64_C(2) << 30)
#define MACHINE_SHARE_SHIFT 2

/* Pages that do not compress leave, with memory to spare, after so many seconds. */
#define RAW_IDLE_SECONDS 30
#define RAW_SWEEP_MS 5000

/* In the background, segments emptier than this are cleaned when few are free: 1/2^4... */
#define CLEAN_PERCENT 75
#define CLEAN_FREE_SHIFT 4
/* ...and when none is, these. */
#define CLEAN_PERCENT_FORCED 90

#define IDLE_MS 100
#define BUSY_MS 5
#define WAIT_MAX_MS 1000
#define BACKOFF_MIN_MS 250
#define BACKOFF_MAX_MS 30000
#define FULL_RETRY_MS 1000

#define DAY_MS (UINT64_C(24) * 3600 * 1000)

static uint64_t writing_wait(struct writeback *wb)
{
	uint64_t day = rate_wait(&wb->day), second = rate_wait(&wb->second);

	return day > second ? day : second;
}

int store_set_allowance(struct store *store, bool day, uint64_t bytes)
{
	struct writeback *wb = &store->writeback;

	if (!wb->backing)
		return -ENODEV;
	if (day)
		rate_set(&wb->day, bytes);
	else
		rate_set(&wb->second, bytes);
	return 0;
}

/*
 * Making and unmaking.
 */

int writeback_init(struct store *store, const struct store_config *config)
{
	struct writeback *wb = &store->writeback;
	struct backing_stats stats;

	wb->meminfo = -1;
	pthread_mutex_init(&wb->lock, NULL);
	if (!config->backing)
		return 0;
	wb->backing = config->backing;
	backing_get_stats(wb->backing, &stats);
	rate_init(&wb->day, config->backing_day, DAY_MS, stats.segment_size);
	rate_init(&wb->second, config->backing_rate, 1000, stats.segment_size);
	wb->meminfo = machine_open();
	return span_budget_charge(&store->budget, stats.memory);
}

void writeback_fini(struct store *store)
{
	if (store->writeback.meminfo >= 0)
		close(store->writeback.meminfo);
}

void store_on_pressure(struct store *store, void (*kick)(void *opaque), void *opaque)
{
	store->writeback.kick_opaque = opaque;
	store->writeback.kick = kick;
}

/*
 * How much memory there should be less of.
 */

/* What the store needs for what it holds: not what is free inside, or ready. */
static uint64_t bytes_in_use(struct store *store)
{
	struct span_source_stats spans, tables;
	uint64_t used = atomic_load(&store->budget.used), idle;
	struct xv_stats pools;

	pools_get_stats(&store->pools, &pools);
	span_source_get_stats(store->pools.source, &spans);
	span_source_get_stats(store->table.source, &tables);
	idle = pools.free + spans.units_ready * XV_SPAN_SIZE + tables.units_ready * TABLE_PAGE_SIZE;
	return used > idle ? used - idle : 0;
}

static uint64_t machine_mark(uint64_t total, unsigned int shift)
{
	uint64_t mark = total >> shift;

	if (mark > MACHINE_MARK_MAX >> (shift - MACHINE_LOW_SHIFT))
		mark = MACHINE_MARK_MAX >> (shift - MACHINE_LOW_SHIFT);
	return mark;
}

bool writeback_machine_is_short(struct store *store)
{
	struct machine_memory machine;

	machine_memory(store->writeback.meminfo, &machine);
	return machine.available < machine_mark(machine.total, MACHINE_HIGH_SHIFT);
}

/* Bytes that are to leave memory; 0 while below the high watermarks. */
static uint64_t bytes_too_many(struct store *store)
{
	struct writeback *wb = &store->writeback;
	uint64_t limit = atomic_load(&store->memlimit), used = bytes_in_use(store);
	struct machine_memory machine;
	uint64_t many = 0;
	bool high = false;

	if (limit != STORE_NO_LIMIT) {
		high = used > HIGH_MARK(limit);
		if (used > LOW_MARK(limit))
			many = used - LOW_MARK(limit);
	}
	machine_memory(wb->meminfo, &machine);
	if (used > machine.total >> MACHINE_SHARE_SHIFT &&
	    machine.available < machine_mark(machine.total, MACHINE_LOW_SHIFT)) {
		uint64_t missing =
			machine_mark(machine.total, MACHINE_LOW_SHIFT) - machine.available;

		high = high || machine.available < machine_mark(machine.total, MACHINE_HIGH_SHIFT);
		many = many > missing ? many : missing;
	}
	wb->evicting = many > 0 && (high || wb->evicting);
	/* Room enough that what comes back need not leave again at once. */
	atomic_store_explicit(&wb->roomy, many == 0, memory_order_relaxed);
	return wb->evicting ? many : 0;
}

/*
 * Writing.
 */

static void note_failure(struct writeback *wb, int err)
{
	uint64_t most = err == -ENOSPC ? FULL_RETRY_MS : BACKOFF_MAX_MS;

	atomic_store(&wb->error, err);
	wb->backoff_ms = wb->backoff_ms ? wb->backoff_ms * 2 : BACKOFF_MIN_MS;
	if (wb->backoff_ms > most)
		wb->backoff_ms = most;
	wb->retry_ms = clock_ms() + wb->backoff_ms;
}

/* Writes the open segment.  On failure its pages stay in memory. */
static int write_open(struct store *store)
{
	struct writeback *wb = &store->writeback;
	uint64_t bytes = backing_pending(wb->backing);
	int err = backing_write(wb->backing);

	if (err) {
		backed_abandon(store);
		note_failure(wb, err);
		return err;
	}
	backed_publish(store);
	rate_take(&wb->day, bytes);
	rate_take(&wb->second, bytes);
	wb->backoff_ms = 0;
	atomic_store(&wb->error, 0);
	atomic_fetch_add(&store->room_made, 1);
	return 0;
}

/* Empties sparse segments into one.  Whether there is a free segment more for it. */
static bool clean_once(struct store *store, unsigned int percent)
{
	struct backing *backing = store->writeback.backing;
	uint64_t free = backing_free_segments(backing);

	/* What waits there would need a free segment too. */
	if (backing_records(backing) > 0)
		backed_abandon(store);
	if (!backed_clean(store, percent) || backing_clean_picked(backing) < 2) {
		backed_abandon(store);
		return backing_free_segments(backing) > free;
	}
	return write_open(store) == 0;
}

static int free_segment(struct store *store)
{
	struct writeback *wb = &store->writeback;

	while (backing_free_segments(wb->backing) == 0) {
		if (clean_once(store, CLEAN_PERCENT_FORCED))
			continue;
		if (atomic_load(&wb->error) == 0)
			note_failure(wb, -ENOSPC);
		return atomic_load(&wb->error);
	}
	return 0;
}

/* Writes a segment of the coldest pages.  0, -ENODATA if there are none, or an error. */
static int evict(struct store *store)
{
	struct backing *backing = store->writeback.backing;
	int err = free_segment(store);

	if (err)
		return err;
	fill_with_coldest(store);
	return backing_records(backing) == 0 ? -ENODATA : write_open(store);
}

bool writeback_make_room(struct store *store)
{
	struct writeback *wb = &store->writeback;
	uint64_t made_before = atomic_load(&store->room_made);
	bool made;

	pthread_mutex_lock(&wb->lock);
	/* Somebody has made room while we waited? */
	made = atomic_load(&store->room_made) != made_before;
	if (!made && clock_ms() >= wb->retry_ms) {
		bool over = writing_wait(wb) > 0;
		uint64_t before = atomic_load(&wb->moved_bytes);

		made = evict(store) == 0;
		if (over)
			atomic_fetch_add(&wb->over_budget, atomic_load(&wb->moved_bytes) - before);
	}
	pthread_mutex_unlock(&wb->lock);
	return made;
}

/* Whether enough pages that do not compress have been left alone to fill a segment. */
static bool write_raw(struct store *store, uint64_t now)
{
	struct writeback *wb = &store->writeback;
	const struct choice choice = {
		.payload_age = AGE_NEVER,
		.raw_age = age_ticks(store, RAW_IDLE_SECONDS),
	};
	struct backing_stats stats;

	if (now < wb->raw_sweep_ms)
		return false;
	wb->raw_sweep_ms = now + RAW_SWEEP_MS;
	backing_get_stats(wb->backing, &stats);
	if (store_counter(store, COUNT_RAW) * STORE_PAGE_SIZE < stats.segment_size)
		return false;
	if (backing_free_segments(wb->backing) == 0)
		return false;
	/* What does not fill it waits in it for more. */
	if (!sweep(store, &choice) || write_open(store) != 0)
		return false;
	wb->raw_sweep_ms = now;
	return true;
}

static bool few_free(struct writeback *wb)
{
	return backing_free_segments(wb->backing) <= backing_segments(wb->backing) >>
	       CLEAN_FREE_SHIFT;
}

/* One thing that is to be done.  Whether there may be more. */
static bool work(struct store *store, uint64_t now)
{
	struct writeback *wb = &store->writeback;

	if (bytes_too_many(store) > 0)
		return evict(store) == 0;
	if (write_raw(store, now))
		return true;
	if (few_free(wb) && clean_once(store, CLEAN_PERCENT))
		return true;
	backing_discard_free(wb->backing);
	return false;
}

static unsigned int at_most(uint64_t ms, unsigned int most)
{
	return ms < most ? (unsigned int)ms : most;
}

unsigned int store_writeback_work(struct store *store)
{
	struct writeback *wb = &store->writeback;
	unsigned int rest = IDLE_MS;
	uint64_t now, wait;

	if (!wb->backing)
		return WAIT_MAX_MS;
	if (pthread_mutex_trylock(&wb->lock) != 0)
		return BUSY_MS;
	now = clock_ms();
	wait = writing_wait(wb);
	if (now < wb->retry_ms)
		rest = at_most(wb->retry_ms - now, IDLE_MS);
	else if (wait > 0)
		rest = at_most(wait, IDLE_MS);
	else if (work(store, now))
		rest = 0;
	pthread_mutex_unlock(&wb->lock);
	return rest;
}

void writeback_kick_if_short(struct store *store)
{
	uint64_t limit = atomic_load_explicit(&store->memlimit, memory_order_relaxed);

	if (store->writeback.kick && limit != STORE_NO_LIMIT &&
	    atomic_load_explicit(&store->budget.used, memory_order_relaxed) > HIGH_MARK(limit))
		store->writeback.kick(store->writeback.kick_opaque);
}

/*
 * When asked to.
 */

/* Writes a segment of what is asked for.  0, -ENODATA when nothing is left, or an error. */
static int write_some(struct store *store, enum store_writeback what, unsigned int idle_seconds)
{
	struct writeback *wb = &store->writeback;
	struct choice choice = { .payload_age = AGE_NEVER, .raw_age = 0 };
	int err;

	if (what == WRITEBACK_POLICY && bytes_too_many(store) > 0)
		return evict(store);
	if (what == WRITEBACK_ALL)
		choice.payload_age = 0;
	if (what == WRITEBACK_IDLE)
		choice.payload_age = choice.raw_age = age_ticks(store, idle_seconds);
	err = free_segment(store);
	if (err)
		return err;
	(void)sweep(store, &choice);
	return backing_records(wb->backing) == 0 ? -ENODATA : write_open(store);
}

/* As much as the allowance of the second lets through; the day's may be used up. */
static int write_allowed(struct store *store, enum store_writeback what, unsigned int idle_seconds)
{
	struct writeback *wb = &store->writeback;
	uint64_t wait;
	int err = 0;

	pthread_mutex_lock(&wb->lock);
	wait = writing_wait(wb);
	if (rate_wait(&wb->day) > WAIT_MAX_MS)
		err = -EDQUOT;
	else if (wait == 0)
		err = write_some(store, what, idle_seconds);
	pthread_mutex_unlock(&wb->lock);
	if (!err && wait > 0)
		usleep((useconds_t)at_most(wait, WAIT_MAX_MS) * 1000);
	return err;
}

int store_writeback(struct store *store, enum store_writeback what, unsigned int idle_seconds,
		    uint64_t *bytes)
{
	struct writeback *wb = &store->writeback;
	uint64_t before = atomic_load(&wb->moved_bytes);
	int err;

	if (!wb->backing)
		return -ENODEV;
	do
		err = write_allowed(store, what, idle_seconds);
	while (!err);
	if (err != -ENODATA)
		return err;
	*bytes = atomic_load(&wb->moved_bytes) - before;
	return 0;
}
