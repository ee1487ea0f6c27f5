/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When pages go to the backing store, and which.
 *
 *	always		pages that do not compress, when they have not been touched for a while
 *	at the high	the coldest pages, those that do not compress before all others,
 *	watermark	until the low one is reached
 *	without room	the same, for the write that found none, whatever the allowances say
 *
 * What short of memory means is shortage.c's affair, and which pages are the coldest that of
 * victims.c.
 */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/machine.h"
#include "store/age.h"
#include "store/leave.h"
#include "store/request.h"
#include "store/shortage.h"
#include "store/victims.h"
#include "store/writeback.h"

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

/*
 * When asked to.
 */

static struct choice choice_of(const struct store *store, enum store_writeback what,
			       unsigned int idle_seconds)
{
	struct choice choice = { .payload_age = AGE_NEVER, .raw_age = 0 };

	if (what == WRITEBACK_ALL)
		choice.payload_age = 0;
	if (what == WRITEBACK_IDLE)
		choice.payload_age = choice.raw_age = age_ticks(store, idle_seconds);
	return choice;
}

/* Writes a segment of what is asked for.  0, -ENODATA when nothing is left, or an error. */
static int write_some(struct store *store, enum store_writeback what, unsigned int idle_seconds)
{
	struct writeback *wb = &store->writeback;
	const struct choice choice = choice_of(store, what, idle_seconds);
	int err;

	if (what == WRITEBACK_POLICY && bytes_too_many(store) > 0)
		return evict(store);
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

/* What is asked for, as far as it can be told before. */
static uint64_t bytes_asked_for(struct store *store, enum store_writeback what,
				unsigned int idle_seconds)
{
	const struct choice choice = choice_of(store, what, idle_seconds);
	uint64_t bytes = bytes_chosen(store, &choice), too_many = 0;

	if (what == WRITEBACK_POLICY) {
		pthread_mutex_lock(&store->writeback.lock);
		too_many = bytes_too_many(store);
		pthread_mutex_unlock(&store->writeback.lock);
	}
	return bytes > too_many ? bytes : too_many;
}

int store_writeback(struct store *store, enum store_writeback what, unsigned int idle_seconds,
		    uint64_t *bytes, struct work *work)
{
	struct writeback *wb = &store->writeback;
	uint64_t before = atomic_load(&wb->moved_bytes);
	int err;

	if (!wb->backing)
		return -ENODEV;
	if (work)
		work_round(work, bytes_asked_for(store, what, idle_seconds));
	do {
		err = write_allowed(store, what, idle_seconds);
		work_reach(work, atomic_load(&wb->moved_bytes) - before);
	} while (!err && !store_is_to_end(store, work));
	if (err && err != -ENODATA)
		return err;
	*bytes = atomic_load(&wb->moved_bytes) - before;
	return 0;
}
