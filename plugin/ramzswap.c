/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nbdkit plugin: callbacks only.  What they do is in the store. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "backing.h"
#include "control.h"
#include "params.h"
#include "residency.h"
#include "size.h"
#include "store.h"
#include "watch.h"
#include "worker.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

/* What nbdkit takes at most in one request. */
#define REQUEST_MAX (64u * 1024 * 1024)

static struct params params;
static struct residency residency;
static struct store *store;
static struct worker *worker;
static struct worker *writeback_worker;
static struct backing *backing;
static struct control *control;
static atomic_uint connections;
static atomic_uint_least64_t invalid_io;
static struct timespec started;
static atomic_bool signals_held;

/* -D ramzswap.requests=1: each request in the debug output. */
NBDKIT_DLL_PUBLIC int ramzswap_debug_requests;

static void ramzswap_load(void)
{
	params_init(&params, size_of_ram());
}

static int ramzswap_config(const char *key, const char *value)
{
	char why[PARAMS_WHY_MAX];

	if (params_set(&params, key, value, why, sizeof(why)) == 0)
		return 0;
	nbdkit_error("%s", why);
	return -1;
}

static int ramzswap_config_complete(void)
{
	char why[PARAMS_WHY_MAX];

	if (params_complete(&params, why, sizeof(why)) == 0)
		return 0;
	nbdkit_error("%s", why);
	return -1;
}

static uint64_t memory_at_most(void)
{
	uint64_t most = params.size + params.size / 8;

	return params.memlimit < most ? params.memlimit : most;
}

static int get_protections(void)
{
	char missing[RESIDENCY_WHY_MAX];

	if (params.swap == SWAP_OFF)
		return 0;
	residency_prepare(&residency, memory_at_most());
	if (residency_missing(&residency, missing, sizeof(missing)) == 0)
		return 0;
	if (params.swap == SWAP_STRICT) {
		nbdkit_error("swap=strict: missing: %s", missing);
		return -1;
	}
	/* nbdkit has no level between error and debug, and stderr is still the user's. */
	fprintf(stderr, "ramzswap: warning: not safe as swap of this machine, missing: %s\n",
		missing);
	return 0;
}

/*
 * Two buffers of a segment are held in memory: small where memlimit is, at most this
 * part of it each.
 */
#define SEGMENT_SHARE 64

static uint32_t segment_size(void)
{
	uint32_t size = BACKING_SEGMENT_MAX;

	while (size > BACKING_SEGMENT_MIN && size > params.memlimit / SEGMENT_SHARE)
		size /= 2;
	return size;
}

/* 0 if a server elsewhere is to be used all the same. */
static int warn_remote(void)
{
	if (params.swap == SWAP_STRICT) {
		nbdkit_error("backing: an NBD server cannot stand behind swap of this machine: "
			     "give a local file or device, or swap=off for a disk for others");
		return -1;
	}
	fprintf(stderr, "ramzswap: warning: backing: with an NBD server behind it this disk is not "
			"safe as swap of this machine: what is sent needs memory\n");
	return 0;
}

/* While the user reads what is wrong with it. */
static int open_backing(void)
{
	struct medium_config config = {
		.where = params.backing,
		.size = params.backing_size,
		.size_default = params.size,
		.force = params.backing_force,
		.patience = params.backing_timeout,
	};
	struct medium *medium;
	char why[MEDIUM_WHY_MAX];
	int err;

	if (!params.backing)
		return 0;
	err = medium_open(&medium, &config, why, sizeof(why));
	if (!err) {
		err = backing_create(&backing, medium, segment_size(), params.backing_encrypt, why,
				     sizeof(why));
		if (err)
			medium->ops->close(medium);
	}
	if (err) {
		nbdkit_error("backing: '%s' %s", params.backing, why);
		return -1;
	}
	if (medium->remote && params.swap != SWAP_OFF && warn_remote() < 0)
		return -1;
	if (!medium->direct)
		fprintf(stderr, "ramzswap: warning: backing: '%s' has no direct I/O: what is written "
				"to it passes the page cache, which needs memory\n", params.backing);
	return 0;
}

static int ramzswap_get_ready(void)
{
	char why[CONTROL_WHY_MAX];

	if (get_protections() < 0 || open_backing() < 0)
		return -1;
	if (!params.control)
		return 0;
	if (control_bind(&control, params.control, why, sizeof(why)) == 0)
		return 0;
	nbdkit_error("control: %s", why);
	return -1;
}

static void get_stats(void *opaque, struct ramzswap_stats *stats)
{
	struct residency_faults faults;
	struct timespec now;

	store_get_stats(store, stats);
	residency_get_faults(&faults);
	stats->minor_faults = faults.minor;
	stats->major_faults = faults.major;
	stats->request_faults = faults.requests;
	clock_gettime(CLOCK_BOOTTIME, &now);
	stats->uptime_seconds = (uint64_t)(now.tv_sec - started.tv_sec);
	stats->connections = connections;
	stats->invalid_io = invalid_io;
	stats->locked = residency.locked;
	stats->io_flusher = residency.io_flusher;
	stats->oom_protected = residency.oom_protected;
}

static int set_memlimit(void *opaque, uint64_t bytes, char *why, size_t why_size)
{
	int err = store_set_memlimit(store, bytes);

	if (err)
		snprintf(why, why_size,
			 "memlimit: %llu bytes are too few: give more than %llu and than the "
			 "reserve of %llu, or none",
			 (unsigned long long)bytes,
			 (unsigned long long)store_memlimit_min(params.size),
			 (unsigned long long)params.reserve);
	return err;
}

static int compact(void *opaque, uint64_t *bytes, char *why, size_t why_size)
{
	*bytes = store_compact(store);
	return 0;
}

static int recompress(void *opaque, uint64_t *bytes, char *why, size_t why_size)
{
	return store_recompress(store, bytes);
}

static int reset(void *opaque, char *why, size_t why_size)
{
	unsigned int clients = connections;

	if (clients) {
		snprintf(why, why_size,
			 "%u clients are connected and would lose their data: disconnect them first",
			 clients);
		return -EBUSY;
	}
	store_reset(store);
	return 0;
}

static int check(void *opaque, char *why, size_t why_size)
{
	return store_check(store, why, why_size);
}

static int set_allowance(void *opaque, bool day, uint64_t bytes, char *why, size_t why_size)
{
	int err = store_set_allowance(store, day, bytes);

	if (err)
		snprintf(why, why_size, "there is no backing store: start with backing=");
	return err;
}

static int writeback(void *opaque, enum control_writeback asked, unsigned int idle_seconds,
		     uint64_t *bytes, char *why, size_t why_size)
{
	static const enum store_writeback meaning[] = {
		[CONTROL_WRITEBACK_POLICY] = WRITEBACK_POLICY,
		[CONTROL_WRITEBACK_HUGE] = WRITEBACK_HUGE,
		[CONTROL_WRITEBACK_IDLE] = WRITEBACK_IDLE,
		[CONTROL_WRITEBACK_ALL] = WRITEBACK_ALL,
	};
	enum store_writeback what = meaning[asked];
	unsigned int most = store_idle_seconds_max(store);
	int err;

	if (what == WRITEBACK_IDLE && idle_seconds > most) {
		snprintf(why, why_size, "idle %u: how long a page has been idle is told up to %u "
					"seconds: give less", idle_seconds, most);
		return -EINVAL;
	}
	err = store_writeback(store, what, idle_seconds, bytes);
	if (err == -ENODEV)
		snprintf(why, why_size, "there is no backing store: start with backing=");
	else if (err == -ENOSPC)
		snprintf(why, why_size, "the backing store is full");
	else if (err == -EDQUOT)
		snprintf(why, why_size, "the budget of the day (backing-budget=) is used up");
	else if (err)
		snprintf(why, why_size, "the backing store takes no writes: %s", strerror(-err));
	return err;
}

static const struct control_ops control_ops = {
	.set_allowance = set_allowance,
	.writeback = writeback,
	.get_stats = get_stats,
	.compact = compact,
	.set_memlimit = set_memlimit,
	.reset = reset,
	.check = check,
	.recompress = recompress,
};

/* A server that swap depends on does not go away because it is asked to. */
static void quit_if_wanted(void)
{
	static bool said;

	if (!signals_held || !residency_quit_wanted())
		return;
	if (residency_swap_is_on()) {
		if (!said)
			nbdkit_error("asked to quit, but this machine swaps to an nbd device: "
				     "going on until swapoff");
		said = true;
		return;
	}
	signals_held = false;
	nbdkit_shutdown();
}

/* At most twice a second: what it reads takes locks. */
static void tell_what_changed(void)
{
	static struct watch watch;
	static struct timespec last;
	struct ramzswap_stats stats = { 0 };
	char line[WATCH_LINE_MAX];
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((now.tv_sec - last.tv_sec) * 1000 + (now.tv_nsec - last.tv_nsec) / 1000000 < 500)
		return;
	last = now;
	store_get_stats(store, &stats);
	if (watch_look(&watch, &stats, line, sizeof(line)))
		nbdkit_error("%s", line);
	if (store_backing_news(store, line, sizeof(line)))
		nbdkit_error("%s", line);
}

static unsigned int work(void *opaque)
{
	residency_note_background_faults();
	quit_if_wanted();
	tell_what_changed();
	return store_work(store);
}

static void kick(void *opaque)
{
	worker_kick(worker);
}

static unsigned int write_back(void *opaque)
{
	return store_writeback_work(store);
}

static void kick_writeback(void *opaque)
{
	worker_kick(writeback_worker);
}

static int start_backing(void)
{
	int err;

	if (!backing)
		return 0;
	err = backing_start(backing, residency.locked);
	if (!err)
		return 0;
	errno = -err;
	nbdkit_error("backing: '%s': %m", params.backing);
	return -1;
}

static int make_store(void)
{
	struct store_config config = {
		.size = params.size,
		.memlimit = params.memlimit,
		.reserve = params.reserve,
		.codec = params.codec,
		.recompress_seconds = params.recompress_seconds,
		.recompress_percent = params.recompress_percent,
		.backing = backing,
		.backing_day = params.backing_budget,
		.backing_rate = params.backing_rate,
		.locked = residency.locked,
	};
	int err = store_create(&store, &config);

	if (err) {
		errno = -err;
		nbdkit_error("a disk of %llu bytes: %m", (unsigned long long)params.size);
		return -1;
	}
	/* All of the reserve before the first request. */
	while (store_refill(store))
		;
	return 0;
}

static int start_threads(void)
{
	int err = worker_start(&worker, work, NULL);

	if (!err && backing)
		err = worker_start(&writeback_worker, write_back, NULL);
	if (!err) {
		if (backing)
			store_on_pressure(store, kick_writeback, NULL);
		store_on_need(store, kick, NULL);
		if (control)
			err = control_run(control, &control_ops, NULL);
	}
	if (!err)
		return 0;
	errno = -err;
	nbdkit_error("starting threads: %m");
	return -1;
}

static int ramzswap_after_fork(void)
{
	clock_gettime(CLOCK_BOOTTIME, &started);
	if (residency_lock(&residency) < 0)
		nbdkit_error("warning: memory cannot be locked: %m");
	if (start_backing() < 0 || make_store() < 0)
		return -1;
	if (residency_populate(&residency) < 0)
		nbdkit_error("warning: later memory cannot be locked: %m");
	if (start_threads() < 0)
		return -1;
	if (params.swap != SWAP_OFF) {
		residency_hold_signals();
		signals_held = true;
	}
	nbdkit_debug("swap=%s: locked=%d io_flusher=%d oom_protected=%d reserve=%llu",
		     swap_mode_name(params.swap), residency.locked, residency.io_flusher,
		     residency.oom_protected, (unsigned long long)params.reserve);
	return 0;
}

static void ramzswap_cleanup(void)
{
	control_stop(control);
	control = NULL;
	worker_stop(writeback_worker);
	writeback_worker = NULL;
	worker_stop(worker);
	worker = NULL;
	store_destroy(store);
	store = NULL;
	backing_destroy(backing);
	backing = NULL;
}

static void ramzswap_dump_plugin(void)
{
	printf("ramzswap_page_size=%u\n", STORE_PAGE_SIZE);
	printf("ramzswap_default_size=%llu\n", (unsigned long long)size_of_ram() / 4);
	printf("ramzswap_size_max=%llu\n", (unsigned long long)STORE_SIZE_MAX);
	printf("ramzswap_swap=%s\n", swap_mode_name(params.swap));
	printf("ramzswap_algorithms=");
	for (size_t i = 0; codecs[i]; i++)
		printf("%s%s", i ? " " : "", codecs[i]->name);
	printf("\n");
	if (params.swap != SWAP_OFF) {
		residency_prepare(&residency, memory_at_most());
		printf("ramzswap_locked=%d\n", residency.locked);
		printf("ramzswap_io_flusher=%d\n", residency.io_flusher);
		printf("ramzswap_oom_protected=%d\n", residency.oom_protected);
	}
}

static void *ramzswap_open(int readonly)
{
	atomic_fetch_add(&connections, 1);
	return NBDKIT_HANDLE_NOT_NEEDED;
}

static void ramzswap_close(void *handle)
{
	atomic_fetch_sub(&connections, 1);
}

static int64_t ramzswap_get_size(void *handle)
{
	return (int64_t)params.size;
}

static int ramzswap_block_size(void *handle, uint32_t *minimum, uint32_t *preferred,
			       uint32_t *maximum)
{
	*minimum = 1;
	*preferred = STORE_PAGE_SIZE;
	*maximum = REQUEST_MAX;
	return 0;
}

static const char *ramzswap_export_description(void *handle)
{
	return "ramzswap compressed RAM disk";
}

static int always(void *handle)
{
	return 1;
}

static int never(void *handle)
{
	return 0;
}

static int can_fua(void *handle)
{
	return NBDKIT_FUA_NATIVE;
}

static int can_cache(void *handle)
{
	return NBDKIT_CACHE_NATIVE;
}

/* The store says -errno; nbdkit wants an errno, a line, and -1. */
static int done(int err, const char *what, uint64_t count, uint64_t offset)
{
	if (!err)
		return 0;
	if (err == -EINVAL)
		atomic_fetch_add(&invalid_io, 1);
	nbdkit_set_error(-err);
	if (err != -ENOSPC) {
		errno = -err;
		nbdkit_error("%s of %llu bytes at %llu: %m", what, (unsigned long long)count,
			     (unsigned long long)offset);
	}
	return -1;
}

static void enter(const char *what, uint64_t count, uint64_t offset)
{
	if (ramzswap_debug_requests)
		nbdkit_debug("%s count=%llu offset=%llu", what, (unsigned long long)count,
			     (unsigned long long)offset);
}

static int ramzswap_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
	enter("read", count, offset);
	return done(store_read(store, buf, count, offset), "read", count, offset);
}

static int ramzswap_pwrite(void *handle, const void *buf, uint32_t count, uint64_t offset,
			   uint32_t flags)
{
	enter("write", count, offset);
	return done(store_write(store, buf, count, offset), "write", count, offset);
}

static int ramzswap_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	enter("zero", count, offset);
	return done(store_zero(store, count, offset), "zero", count, offset);
}

static int ramzswap_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	enter("trim", count, offset);
	return done(store_zero(store, count, offset), "trim", count, offset);
}

/* Everything is in memory, and a server that dies takes all of it along. */
static int ramzswap_flush(void *handle, uint32_t flags)
{
	return 0;
}

static int ramzswap_cache(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	return 0;
}

static int add_extent(void *opaque, uint64_t offset, uint64_t length, bool hole)
{
	uint32_t type = hole ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0;

	return nbdkit_add_extent(opaque, offset, length, type);
}

static int ramzswap_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags,
			    struct nbdkit_extents *extents)
{
	int err = store_extents(store, count, offset, add_extent, extents);

	return err < -1 ? done(err, "extents", count, offset) : err;
}

static struct nbdkit_plugin plugin = {
	.name = "ramzswap",
	.longname = "ramzswap: compressed RAM disk",
	.version = RAMZSWAP_VERSION,
	.description = "A RAM disk whose pages are compressed, safe as swap",
	.load = ramzswap_load,
	.config = ramzswap_config,
	.config_complete = ramzswap_config_complete,
	.magic_config_key = "size",
	.config_help =
		"[size=]SIZE           Size of the disk (default 25% of RAM); disksize= too.\n"
		"memlimit=SIZE|none    Most memory that the disk may take.\n"
		"reserve=SIZE          Memory kept ready ahead of need.\n"
		"algorithm=NAME        Codec for writes (default lzo).\n"
		"recompress=SECONDS|off  Recompress pages untouched for so long (default off).\n"
		"recompress-cpu=N%     Processor time that may take (default 20%).\n"
		"swap=auto|strict|off  Protections for swap on this machine.\n"
		"control=PATH          Control socket for rzscontrol.\n"
		"backing=FILE|DEVICE|URI|none  Store for what memory has no room for.\n"
		"backing-size=SIZE     Bytes of it to use; of a file that is made (default size).\n"
		"backing-budget=SIZE|none  Bytes written to it a day (default none).\n"
		"backing-rate=SIZE|none  Bytes written to it a second (default none).\n"
		"backing-timeout=SECONDS  Wait for a lost NBD server (default 30).\n"
		"backing-encrypt=on|off  Encrypt what is written to it (default on).\n"
		"backing-force=on|off  Overwrite whatever it holds (default off).",
	.dump_plugin = ramzswap_dump_plugin,
	.get_ready = ramzswap_get_ready,
	.after_fork = ramzswap_after_fork,
	.cleanup = ramzswap_cleanup,
	.open = ramzswap_open,
	.close = ramzswap_close,
	.get_size = ramzswap_get_size,
	.block_size = ramzswap_block_size,
	.export_description = ramzswap_export_description,
	.can_write = always,
	.can_flush = always,
	.is_rotational = never,
	.can_trim = always,
	.can_zero = always,
	.can_fast_zero = always,
	.can_extents = always,
	.can_multi_conn = always,
	.can_fua = can_fua,
	.can_cache = can_cache,
	.pread = ramzswap_pread,
	.pwrite = ramzswap_pwrite,
	.flush = ramzswap_flush,
	.trim = ramzswap_trim,
	.zero = ramzswap_zero,
	.cache = ramzswap_cache,
	.extents = ramzswap_extents,
	/* What a callback leaves in errno is not meant for the client. */
	.errno_is_preserved = 0,
};

NBDKIT_REGISTER_PLUGIN(plugin)
