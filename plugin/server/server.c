/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "backing/backing.h"
#include "control/control.h"
#include "base/machine.h"
#include "base/request.h"
#include "base/secrecy.h"
#include "server/request_memory.h"
#include "server/server.h"
#include "store/store.h"
#include "server/block_device.h"
#include "server/relief.h"
#include "server/teller.h"
#include "server/worker.h"
#include "ublk/ublk.h"

/*
 * Two buffers of a segment are held in memory: small where memlimit is, at most this
 * part of it each.
 */
#define SEGMENT_SHARE 64

#define PROTECTIONS_TEXT_MAX (PROTECTION_WHY_MAX + 96)

uint64_t server_memory_at_most(const struct params *params)
{
	uint64_t most = params->size + params->size / 8;

	return params->memlimit < most ? params->memlimit : most;
}

/* nbdkit has no level between error and debug, and stderr is still the user's. */
static void warn(const char *text)
{
	fprintf(stderr, "ramzswap: warning: %s\n", text);
}

/* -EPERM where what is missing must be there; else it is in text, if anything is. */
static int check_protections(const struct server *server, const char *when, char *text, size_t size)
{
	char missing[PROTECTION_WHY_MAX];

	*text = '\0';
	if (protection_missing(&server->protection, missing, sizeof(missing)) == 0)
		return 0;
	if (server->params.swap == SWAP_STRICT) {
		snprintf(text, size, "swap=strict: missing: %s", missing);
		return -EPERM;
	}
	snprintf(text, size, "%snot safe as swap of this machine, missing: %s", when, missing);
	return 0;
}

static int get_protections(struct server *server, char *why, size_t why_size)
{
	const struct params *params = &server->params;
	char text[PROTECTIONS_TEXT_MAX];
	int err;

	if (params->swap == SWAP_OFF)
		return 0;
	oom_call_prepare(&server->oom_call);
	(void)oom_victims_prepare(&server->victims);
	protection_prepare(&server->protection, server_memory_at_most(params));
	err = check_protections(server, "", text, sizeof(text));
	if (err)
		snprintf(why, why_size, "%s", text);
	else if (*text)
		warn(text);
	return err;
}

/* nbdkit may have changed its user since get_protections (-u), who may do less. */
static int keep_protections(struct server *server, char *why, size_t why_size)
{
	const struct protection had = server->protection;
	char text[PROTECTIONS_TEXT_MAX];
	int err;

	(void)protection_lock(&server->protection);
	if (server->protection.locked == had.locked &&
	    server->protection.real_time == had.real_time)
		return 0;
	err = check_protections(server, "warning: protections were lost (nbdkit -u?): ", text,
				sizeof(text));
	if (err)
		snprintf(why, why_size, "%s", text);
	else
		server->log(text);
	return err;
}

static uint32_t segment_size(const struct params *params)
{
	uint32_t size = BACKING_SEGMENT_MAX;

	while (size > BACKING_SEGMENT_MIN && size > params->memlimit / SEGMENT_SHARE)
		size /= 2;
	return size;
}

/* What can be told without asking anybody is told first. */
static int check_backing(const struct params *params, char *why, size_t why_size)
{
	if (params->swap != SWAP_STRICT || !params->backing || !medium_is_remote(params->backing))
		return 0;
	snprintf(why, why_size,
		 "backing: an NBD server cannot stand behind swap of this machine: "
		 "give a local file or device, or swap=off for a disk for others");
	return -EINVAL;
}

static void tell_dangers(const struct params *params, const struct medium *medium)
{
	char text[SERVER_WHY_MAX];

	if (medium->remote && params->swap == SWAP_AUTO)
		warn("backing: with an NBD server behind it this disk is not safe as swap of "
		     "this machine: what is sent needs memory");
	if (!medium->direct) {
		snprintf(text, sizeof(text),
			 "backing: '%s' has no direct I/O: what is written to it passes the page "
			 "cache, which needs memory",
			 params->backing);
		warn(text);
	}
}

static int open_backing(struct server *server, char *why, size_t why_size)
{
	const struct params *params = &server->params;
	struct medium_config config = {
		.where = params->backing,
		.size = params->backing_size,
		.size_default = params->size,
		.force = params->backing_force,
		.patience = params->backing_timeout,
		.urgent = server->protection.locked,
	};
	char reason[MEDIUM_WHY_MAX];
	struct medium *medium;
	int err;

	if (!params->backing)
		return 0;
	err = medium_open(&medium, &config, reason, sizeof(reason));
	if (!err) {
		err = backing_create(&server->backing, medium, segment_size(params),
				     params->backing_encrypt, reason, sizeof(reason));
		if (err)
			medium->ops->close(medium);
	}
	if (err) {
		snprintf(why, why_size, "backing: '%s' %s", params->backing, reason);
		return err;
	}
	tell_dangers(params, medium);
	return 0;
}

/* A limit that cannot be kept is said while there is somebody to read it. */
static int heed_group(struct server *server, char *why, size_t why_size)
{
	const struct params *params = &server->params;
	uint64_t least = store_memlimit_min(params->size);
	char line[GROUP_LIMIT_LINE_MAX];
	int err;

	if (least <= params->reserve)
		least = params->reserve + 1;
	group_limit_init(&server->group, params->size + params->size / 8, params->memlimit, least);
	err = group_limit_foresee(&server->group, &server->memlimit, line, sizeof(line));
	if (err)
		snprintf(why, why_size, "%s", line);
	else if (*line)
		warn(line);
	return err;
}

int server_prepare(struct server *server, char *why, size_t why_size)
{
	char reason[CONTROL_WHY_MAX];
	int err;

	err = check_backing(&server->params, why, why_size);
	if (!err)
		err = heed_group(server, why, why_size);
	if (!err && server->params.ublk != UBLK_OFF)
		err = ublk_door_check(server->params.ublk, why, why_size);
	if (!err)
		err = get_protections(server, why, why_size);
	/* The OOM score was written; the key of the backing store is not made yet. */
	secrecy_begin();
	if (!err)
		err = open_backing(server, why, why_size);
	if (err || !server->params.control)
		return err;
	err = control_bind(&server->control, server->params.control, reason, sizeof(reason));
	if (err)
		snprintf(why, why_size, "control: %s", reason);
	return err;
}

static unsigned int work(void *opaque)
{
	struct server *server = opaque;

	return store_work(server->store);
}

static unsigned int learn(void *opaque)
{
	struct server *server = opaque;

	return store_train_work(server->store);
}

static unsigned int write_back(void *opaque)
{
	struct server *server = opaque;

	return store_writeback_work(server->store);
}

static void kick(void *opaque)
{
	worker_kick(opaque);
}

static int make_store(struct server *server)
{
	const struct params *params = &server->params;
	struct store_config config = {
		.size = params->size,
		.memlimit = server->memlimit,
		.reserve = params->reserve,
		.codec = params->codec,
		.idle_codec = params->idle_codec,
		.dictionary = params->recompress_seconds ? params->dictionary : 0,
		.recompress_seconds = params->recompress_seconds,
		.recompress_percent = params->recompress_percent,
		.backing = server->backing,
		.backing_day = params->backing_budget,
		.backing_rate = params->backing_rate,
		.locked = server->protection.locked,
		.wipe = params->wipe,
		.checksum = params->checksum,
	};
	int err;

	if (params->wipe)
		request_memory_wipe();
	err = store_create(&server->store, &config);

	if (err)
		return err;
	/* All of the reserve before the first request. */
	while (store_refill(server->store))
		;
	return 0;
}

static int start_trainer(struct server *server)
{
	const struct params *params = &server->params;

	if (!params->recompress_seconds || !params->dictionary)
		return 0;
	return worker_start(&server->trainer, learn, server, WORKER_STACK_TRAINER);
}

static int start_threads(struct server *server)
{
	int err = worker_start(&server->worker, work, server, WORKER_STACK);

	if (err)
		return err;
	store_on_need(server->store, kick, server->worker);
	err = start_trainer(server);
	if (err)
		return err;
	err = worker_start(&server->teller, teller_step, server, WORKER_STACK);
	if (err)
		return err;
	if (server->backing) {
		err = worker_start(&server->writeback_worker, write_back, server, WORKER_STACK);
		if (err)
			return err;
		store_on_pressure(server->store, kick, server->writeback_worker);
	}
	if (server->oom_call.prepared) {
		err = worker_start(&server->oom_call_worker, relief_step, server, WORKER_STACK);
		if (err)
			return err;
	}
	return server->control ? control_run(server->control, &server_control_ops, server) : 0;
}

static void populate_code(const struct server *server)
{
	const char *libraries[4];
	size_t count = 0;

	if (server->params.codec->library)
		libraries[count++] = server->params.codec->library;
	/* Most of a megabyte: else when recompression is asked for (control_ops.c). */
	if (server->params.recompress_seconds && server->params.idle_codec->library)
		libraries[count++] = server->params.idle_codec->library;
	if (server->backing) {
		libraries[count++] = "libsodium.so";
		libraries[count++] = "libnbd.so";
	}
	if (server->params.ublk != UBLK_OFF)
		libraries[count++] = "liburing.so";
	protection_populate_code(&server->protection, libraries, count);
}

/* The steps of server_start, with what each is called in an error. */
static int start(struct server *server, const char **step)
{
	int err;

	*step = "backing";
	err = server->backing ? backing_start(server->backing, server->protection.locked) : 0;
	if (err)
		return err;
	*step = "memory for the disk";
	err = make_store(server);
	if (err)
		return err;
	server_keep_buffers(server);
	*step = "locking later memory";
	err = protection_populate(&server->protection, server_warm_heap(server));
	if (err && server->params.swap == SWAP_STRICT)
		return err;
	if (err)
		server->log("warning: later memory cannot be locked");
	if (!server->protection.locked)
		heap_prepare(false, 0);
	populate_code(server);
	*step = "threads";
	return start_threads(server);
}

static void tell_protections(const struct server *server)
{
	char text[PROTECTION_TEXT_MAX], line[PROTECTION_TEXT_MAX + 64];

	protection_describe(&server->protection, text, sizeof(text));
	snprintf(line, sizeof(line), "swap=%s: %s; reserve %llu kB",
		 swap_mode_name(server->params.swap), text,
		 (unsigned long long)server->params.reserve >> 10);
	server->note(line);
}

/* What swap is protected by takes privileges later, too, and a block device all the time. */
static bool may_drop_privileges(const struct params *params)
{
	return params->swap == SWAP_OFF && params->ublk == UBLK_OFF;
}

int server_start(struct server *server, char *why, size_t why_size)
{
	const char *step;
	int err;

	server->started = clock_uptime_seconds();
	atomic_store(&server->ublk_end.device, UBLK_ANY);
	/* Before threads are made, which have what this one has. */
	if (may_drop_privileges(&server->params) && privileges_drop() < 0)
		server->log("warning: privileges cannot be given up");
	/* Once more: nbdkit may have changed its user. */
	secrecy_begin();
	server->meminfo = machine_open();
	if (server->params.swap != SWAP_OFF)
		swap_watch_open(&server->swap);
	lost_link_init(&server->link, server->params.size);
	err = keep_protections(server, why, why_size);
	if (err)
		return err;
	err = start(server, &step);
	if (err) {
		snprintf(why, why_size, "%s: %s", step, strerror(-err));
		return err;
	}
	err = block_device_open(server, why, why_size);
	if (err)
		return err;
	if (server->params.swap != SWAP_OFF)
		attachment_init(&server->attachment, server->params.size, server->protection.locked,
				server->buffers_are_ours);
	/* Of a device that ends with swap on swapoff would not know the name any more. */
	if (server->params.swap != SWAP_OFF || server->ublk) {
		protection_hold_signals();
		server->signals_held = true;
	}
	if (server->params.swap != SWAP_OFF)
		tell_protections(server);
	return 0;
}

static void stop_worker(struct worker **worker)
{
	worker_stop(*worker);
	*worker = NULL;
}

void server_stop(struct server *server)
{
	struct worker **const workers[] = {
		&server->oom_call_worker,
		&server->writeback_worker,
		&server->trainer,
		&server->worker,
	};

	if (server->store)
		store_interrupt(server->store);
	/* Before the door that these two look at. */
	control_stop(server->control);
	server->control = NULL;
	stop_worker(&server->teller);
	/* While all that it uses is there. */
	ublk_door_close(server->ublk);
	server->ublk = NULL;
	for (size_t i = 0; i < sizeof(workers) / sizeof(workers[0]); i++)
		stop_worker(workers[i]);
	if (server->store)
		notices_end(&server->notices, server->store);
	store_destroy(server->store);
	server->store = NULL;
	notices_fini(&server->notices);
	backing_destroy(server->backing);
	server->backing = NULL;
	oom_call_finish(&server->oom_call);
	oom_victims_finish(&server->victims);
	swap_watch_close(&server->swap);
	/* Zeroed if it was never opened. */
	if (server->meminfo > 0)
		close(server->meminfo);
	server->meminfo = 0;
}
