/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When pages go to the backing store, and which.
 *
 *	always		pages that do not compress, when they have not been touched for a while
 *	at the high	the coldest pages, those that do not compress before all others,
 *	watermark	until the low one is reached
 *	without room	the same, for the write that found none, whatever the allowances say
 *
 * Coldness: a histogram of a sample of the table says from which age on there is enough
 * to take, and a sweep, which goes on where the last one ended, takes what is as old.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_internal.h"

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

/* Table pages looked at to choose. */
#define SAMPLE_TABLE_PAGES 256

#define IDLE_MS 100
#define BUSY_MS 5
#define WAIT_MAX_MS 1000
#define BACKOFF_MIN_MS 250
#define BACKOFF_MAX_MS 30000
#define FULL_RETRY_MS 1000

#define DAY_MS (UINT64_C(24) * 3600 * 1000)

/* Pages at least so old; AGE_NEVER for none. */
struct choice {
	unsigned int payload_age;
	unsigned int raw_age;
};

#define AGES (1u << ENTRY_AGE_BITS)
#define AGE_NEVER AGES

static uint64_t writing_wait(struct writeback *wb)
{
	uint64_t day = allowance_wait(&wb->day), second = allowance_wait(&wb->second);

	return day > second ? day : second;
}

int store_set_allowance(struct store *store, bool day, uint64_t bytes)
{
	struct writeback *wb = &store->writeback;

	if (!wb->backing)
		return -ENODEV;
	if (day)
		allowance_set(&wb->day, bytes);
	else
		allowance_set(&wb->second, bytes);
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
	allowance_init(&wb->day, config->backing_day, DAY_MS, stats.segment_size);
	allowance_init(&wb->second, config->backing_rate, 1000, stats.segment_size);
	wb->meminfo = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
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

static uint64_t meminfo_bytes(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

/* The machine's memory, all and available, in bytes; both 0 if they are not known. */
static void look_at_machine(struct writeback *wb, uint64_t *total, uint64_t *available)
{
	char text[512];
	ssize_t len = wb->meminfo < 0 ? 0 : pread(wb->meminfo, text, sizeof(text) - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	*total = meminfo_bytes(text, "MemTotal:");
	*available = meminfo_bytes(text, "MemAvailable:");
}

static uint64_t machine_mark(uint64_t total, unsigned int shift)
{
	uint64_t mark = total >> shift;

	if (mark > MACHINE_MARK_MAX >> (shift - MACHINE_LOW_SHIFT))
		mark = MACHINE_MARK_MAX >> (shift - MACHINE_LOW_SHIFT);
	return mark;
}

/* Bytes that are to leave memory; 0 while below the high watermarks. */
static uint64_t bytes_too_many(struct store *store)
{
	struct writeback *wb = &store->writeback;
	uint64_t limit = atomic_load(&store->memlimit), used = bytes_in_use(store);
	uint64_t total, available, many = 0;
	bool high = false;

	if (limit != STORE_NO_LIMIT) {
		high = used > HIGH_MARK(limit);
		if (used > LOW_MARK(limit))
			many = used - LOW_MARK(limit);
	}
	look_at_machine(wb, &total, &available);
	if (used > total >> MACHINE_SHARE_SHIFT &&
	    available < machine_mark(total, MACHINE_LOW_SHIFT)) {
		uint64_t missing = machine_mark(total, MACHINE_LOW_SHIFT) - available;

		high = high || available < machine_mark(total, MACHINE_HIGH_SHIFT);
		many = many > missing ? many : missing;
	}
	wb->evicting = many > 0 && (high || wb->evicting);
	/* Room enough that what comes back need not leave again at once. */
	atomic_store_explicit(&wb->roomy, many == 0, memory_order_relaxed);
	return wb->evicting ? many : 0;
}

/*
 * Choosing pages.
 */

static bool wanted(const struct store *store, uint64_t entry, const struct choice *choice)
{
	enum table_kind kind = entry_kind(entry);

	if ((kind != KIND_RAW && kind != KIND_PAYLOAD) || (entry & ENTRY_LEAVING))
		return false;
	return age_of(store, entry) >= (kind == KIND_RAW ? choice->raw_age : choice->payload_age);
}

/* Copies wanted pages of a table page to the open segment.  Whether that is full. */
static bool sweep_table_page(struct store *store, uint64_t index, const struct choice *choice)
{
	struct writeback *wb = &store->writeback;
	unsigned int i = (unsigned int)(wb->cursor % TABLE_PAGE_ENTRIES);
	struct table_ref ref;
	bool full = false;

	if (wb->cursor / TABLE_PAGE_ENTRIES != index)
		i = 0;
	(void)table_pin(&store->table, index, false, &ref);
	for (; ref.entries && i < TABLE_PAGE_ENTRIES && !full; i++) {
		uint64_t seen = atomic_load_explicit(&ref.entries[i], memory_order_relaxed);

		if (!wanted(store, seen, choice)) {
			age_keep_old(store, &ref.entries[i], seen);
			continue;
		}
		full = backed_append(store, index * TABLE_PAGE_ENTRIES + i, &ref.entries[i]) ==
		       -ENOSPC;
	}
	table_unpin(&store->table, &ref);
	/* The page that did not fit is the first of the next segment. */
	wb->cursor = index * TABLE_PAGE_ENTRIES + i - full;
	if (!full)
		wb->cursor = (index + 1) * TABLE_PAGE_ENTRIES;
	return full;
}

/* Goes once through the table at most.  Whether the open segment is full. */
static bool sweep(struct store *store, const struct choice *choice)
{
	struct writeback *wb = &store->writeback;
	uint64_t start = wb->cursor / TABLE_PAGE_ENTRIES;
	bool wrapped = false;

	for (;;) {
		uint64_t index = table_next(&store->table, wb->cursor / TABLE_PAGE_ENTRIES);

		if (wrapped && index > start)
			return false;
		if (index >= store->table.directory_entries) {
			if (wrapped)
				return false;
			wrapped = true;
			wb->cursor = 0;
			continue;
		}
		if (sweep_table_page(store, index, choice))
			return true;
	}
}

/*
 * A page's place in the order in which pages leave: all that do not compress before
 * all others, each from the oldest on.
 */
static unsigned int rank(const struct store *store, uint64_t entry)
{
	return age_of(store, entry) + (entry_kind(entry) == KIND_RAW ? AGES : 0);
}

/* Counts pages in memory by rank, in every stride-th table page. */
static void sample(struct store *store, uint64_t stride, uint32_t *count)
{
	uint64_t index = 0;

	while ((index = table_next(&store->table, index)) < store->table.directory_entries) {
		const struct choice any = {0, 0};
		struct table_ref ref;

		(void)table_pin(&store->table, index, false, &ref);
		for (unsigned int i = 0; ref.entries && i < TABLE_PAGE_ENTRIES; i++) {
			uint64_t entry =
				atomic_load_explicit(&ref.entries[i], memory_order_relaxed);

			if (wanted(store, entry, &any))
				count[rank(store, entry)]++;
		}
		table_unpin(&store->table, &ref);
		index += stride;
	}
}

/* The coldest pages, about so many.  Whether they are not simply all. */
static bool choose(struct store *store, uint64_t pages, struct choice *choice)
{
	uint64_t stride = atomic_load(&store->table.table_pages) / SAMPLE_TABLE_PAGES + 1;
	uint32_t count[2 * AGES] = {0};
	unsigned int least = 2 * AGES;
	uint64_t sum = 0;

	sample(store, stride, count);
	while (least > 0 && sum < pages)
		sum += count[--least] * stride;
	choice->raw_age = least > AGES ? least - AGES : 0;
	choice->payload_age = least < AGES ? least : AGE_NEVER;
	return least > 0;
}

/* Pages that a segment takes, at the size that payloads have now. */
static uint64_t pages_of_segment(struct store *store)
{
	struct backing_stats backing;
	struct xv_stats pools;

	backing_get_stats(store->writeback.backing, &backing);
	pools_get_stats(&store->pools, &pools);
	return backing.segment_size / (pools.objects ? pools.requested / pools.objects + 32 : 32) +
	       1;
}

/* Fills the open segment with the coldest pages, or with all there are. */
static void fill_with_coldest(struct store *store)
{
	uint64_t pages = pages_of_segment(store);
	struct choice choice;

	while (choose(store, pages, &choice) && !sweep(store, &choice))
		pages *= 8;
	if (choice.payload_age == 0)
		(void)sweep(store, &choice);
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
	wb->retry_ms = monotonic_ms() + wb->backoff_ms;
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
	allowance_take(&wb->day, bytes);
	allowance_take(&wb->second, bytes);
	wb->backoff_ms = 0;
	atomic_store(&wb->error, 0);
	atomic_fetch_add(&wb->rounds, 1);
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
	uint64_t rounds = atomic_load(&wb->rounds);
	bool made;

	pthread_mutex_lock(&wb->lock);
	/* Somebody has made room while we waited? */
	made = atomic_load(&wb->rounds) != rounds;
	if (!made && monotonic_ms() >= wb->retry_ms) {
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
	now = monotonic_ms();
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
	struct choice choice = {.payload_age = AGE_NEVER, .raw_age = 0};
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
	if (allowance_wait(&wb->day) > WAIT_MAX_MS)
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
