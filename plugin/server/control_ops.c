/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the control socket can ask of a server. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "codec.h"
#include "control/control.h"
#include "server/request_memory.h"
#include "server/server.h"
#include "store/store.h"
#include "ublk/ublk.h"

static void get_stats(void *opaque, struct ramzswap_stats *stats)
{
	struct server *server = opaque;
	struct protection_faults faults;

	store_get_stats(server->store, stats);
	stats->freed_notices = notices_count(&server->notices);
	stats->notices_heeded = notices_are_heeded(&server->notices);
	protection_get_faults(&faults);
	stats->minor_faults = faults.minor;
	stats->major_faults = faults.major;
	stats->request_faults = faults.requests;
	stats->uptime_seconds = clock_uptime_seconds() - server->started;
	stats->connections = clients_inside(&server->clients);
	stats->group_limit = group_limit_of_groups(&server->group);
	stats->links_lost = atomic_load(&server->links_lost);
	stats->request_bytes = request_memory_bytes();
	stats->invalid_io = server->invalid_io;
	stats->locked = server->protection.locked;
	stats->io_flusher = server->protection.io_flusher;
	stats->oom_protected = server->protection.oom_protected;
	stats->real_time = server->protection.real_time;
	stats->oom_calls = atomic_load(&server->oom_calls);
	stats->oom_kills = atomic_load(&server->oom_kills);
}

static void get_histograms(void *opaque, struct histogram_state states[HISTOGRAM_KINDS])
{
	store_get_histograms(((struct server *)opaque)->store, states);
}

static void describe(void *opaque, struct control_about *about)
{
	const struct params *params = &((struct server *)opaque)->params;
	bool recompresses = params->recompress_seconds != 0;

	snprintf(about->version, sizeof(about->version), "%s", RAMZSWAP_VERSION);
	snprintf(about->codec, sizeof(about->codec), "%s", params->codec->name);
	snprintf(about->idle_codec, sizeof(about->idle_codec), "%s",
		 recompresses ? params->idle_codec->name : "none");
	snprintf(about->swap, sizeof(about->swap), "%s", swap_mode_name(params->swap));
	snprintf(about->pid, sizeof(about->pid), "%d", (int)getpid());
}

/* A limit that is taken, but will not do what is expected of one. */
static void note_memlimit(struct server *server, uint64_t bytes, char *note, size_t size)
{
	struct ramzswap_stats stats = { 0 };

	store_get_stats(server->store, &stats);
	if (bytes < stats.mem_used_total)
		snprintf(note, size,
			 "%llu MiB are in use, more than that: writes that need more memory fail "
			 "until enough is freed",
			 (unsigned long long)stats.mem_used_total >> 20);
	else if (server->params.ram && bytes > server->params.ram)
		snprintf(note, size,
			 "this machine has %llu MiB of memory: it ends before that limit does",
			 (unsigned long long)server->params.ram >> 20);
}

static int set_memlimit(void *opaque, uint64_t bytes, char *why, size_t why_size)
{
	struct server *server = opaque;
	uint64_t limit;
	int err = group_limit_ask(&server->group, server->store, bytes, &limit);

	if (err == -ENOSPC)
		snprintf(why, why_size,
			 "memlimit: %llu bytes do not fit into the %llu that the control group of "
			 "this server may have: give less, or none",
			 (unsigned long long)bytes, (unsigned long long)limit);
	else if (err)
		snprintf(why, why_size,
			 "memlimit: %llu bytes are too few: give more than %llu and than the "
			 "reserve of %llu (512M for megabytes), or none",
			 (unsigned long long)bytes,
			 (unsigned long long)store_memlimit_min(server->params.size),
			 (unsigned long long)server->params.reserve);
	else if (bytes != CONTROL_NO_LIMIT)
		note_memlimit(server, bytes, why, why_size);
	return err;
}

static int compact(void *opaque, struct work *work, uint64_t *bytes, char *why, size_t why_size)
{
	struct server *server = opaque;

	*bytes = store_compact(server->store, work);
	return 0;
}

static int recompress(void *opaque, struct work *work, uint64_t *bytes, char *why, size_t why_size)
{
	struct server *server = opaque;
	const char *library = server->params.idle_codec->library;

	/* From now on requests come to its code. */
	if (library)
		protection_populate_library(&server->protection, library);
	return store_recompress(server->store, bytes, work);
}

static int reset(void *opaque, char *why, size_t why_size)
{
	struct server *server = opaque;
	unsigned int clients = clients_hold(&server->clients);

	if (clients) {
		clients_release(&server->clients);
		if (clients == 1)
			snprintf(why, why_size,
				 "1 client is connected and would lose its data: disconnect it "
				 "first");
		else
			snprintf(why, why_size,
				 "%u clients are connected and would lose their data: disconnect "
				 "them first",
				 clients);
		return -EBUSY;
	}
	if (server->ublk && ublk_door_claim(server->ublk) != 0) {
		clients_release(&server->clients);
		snprintf(why, why_size,
			 "/dev/ublkb%d is swap of this machine, or mounted: swapoff or umount "
			 "first",
			 ublk_door_number(server->ublk));
		return -EBUSY;
	}
	/* Who comes meanwhile waits: what he is told was written must not be walked over. */
	store_reset(server->store);
	if (server->ublk)
		ublk_door_release(server->ublk);
	clients_release(&server->clients);
	return 0;
}

/*
 * Behind the held door, with somebody inside: who leaves ends them.  Or for the ublk device, which
 * is there as long as the server.
 */
static int take_freed(void *opaque, const struct control_freed *freed, char *why, size_t why_size)
{
	struct server *server = opaque;
	struct notices_request request = {
		.array = freed->array,
		.link = freed->link,
		.slots = freed->slots,
		.function = freed->function,
	};
	unsigned int clients = clients_hold(&server->clients);
	int err;

	memcpy(request.proof, freed->proof, sizeof(request.proof));
	if (clients > 0 || server->ublk) {
		err = notices_take(&server->notices, server->store, &request, why, why_size);
	} else {
		close(request.array);
		close(request.link);
		snprintf(why, why_size, "no client is connected: attach the device first");
		err = -ENOTCONN;
	}
	clients_release(&server->clients);
	return err;
}

static void end_freed(void *opaque)
{
	struct server *server = opaque;

	notices_end(&server->notices, server->store);
}

static void describe_freed(void *opaque, char *text, size_t size)
{
	struct server *server = opaque;

	notices_describe(&server->notices, text, size);
}

static int check(void *opaque, struct work *work, char *why, size_t why_size)
{
	struct server *server = opaque;

	return store_check(server->store, work, why, why_size);
}

static int set_allowance(void *opaque, bool day, uint64_t bytes, char *why, size_t why_size)
{
	struct server *server = opaque;
	int err = store_set_allowance(server->store, day, bytes);

	if (err)
		snprintf(why, why_size, "there is no backing store: start with backing=");
	return err;
}

static int writeback(void *opaque, struct work *work, enum control_writeback asked,
		     unsigned int idle_seconds, uint64_t *bytes, char *why, size_t why_size)
{
	struct server *server = opaque;
	static const enum store_writeback meaning[] = {
		[CONTROL_WRITEBACK_POLICY] = WRITEBACK_POLICY,
		[CONTROL_WRITEBACK_HUGE] = WRITEBACK_HUGE,
		[CONTROL_WRITEBACK_IDLE] = WRITEBACK_IDLE,
		[CONTROL_WRITEBACK_ALL] = WRITEBACK_ALL,
	};
	enum store_writeback what = meaning[asked];
	unsigned int most = store_idle_seconds_max(server->store);
	int err;

	if (what == WRITEBACK_IDLE && idle_seconds > most) {
		snprintf(why, why_size,
			 "idle %u: how long a page has been idle is told up to %u "
			 "seconds: give less",
			 idle_seconds, most);
		return -EINVAL;
	}
	err = store_writeback(server->store, what, idle_seconds, bytes, work);
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

const struct control_ops server_control_ops = {
	.set_allowance = set_allowance,
	.writeback = writeback,
	.get_stats = get_stats,
	.get_histograms = get_histograms,
	.describe = describe,
	.compact = compact,
	.set_memlimit = set_memlimit,
	.take_freed = take_freed,
	.end_freed = end_freed,
	.describe_freed = describe_freed,
	.reset = reset,
	.check = check,
	.recompress = recompress,
};
