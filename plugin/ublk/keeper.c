/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stack.h"
#include "ublk/keeper.h"

/* Between two looks for the guard. */
#define LOOK_MS 100

/* Resident for good. */
#define STACK ((size_t)64 << 10)

/* Not the next device that has the number. */
static bool is_there(struct ublk_keeper *keeper, struct ublk_device_info *now)
{
	bool there;

	pthread_mutex_lock(&keeper->commands);
	there = ublk_is_there(&keeper->control, &keeper->info, now);
	pthread_mutex_unlock(&keeper->commands);
	return there;
}

static void stop_device(struct ublk_keeper *keeper)
{
	struct ublk_device_info now;

	pthread_mutex_lock(&keeper->commands);
	if (ublk_is_there(&keeper->control, &keeper->info, &now))
		(void)ublk_stop(&keeper->control, keeper->info.device);
	pthread_mutex_unlock(&keeper->commands);
}

/* Whether what is asked of the device waits for nobody. */
static bool is_orphan(struct ublk_keeper *keeper)
{
	struct ublk_device_info now;

	return is_there(keeper, &now) && now.state != UBLK_DEAD &&
	       (now.server == getpid() || now.server <= 0);
}

static void leave_to_heir(struct ublk_keeper *keeper)
{
	uint64_t end = clock_ms() + keeper->heir_ms;

	while (clock_ms() < end) {
		if (atomic_load(&keeper->closing) || !is_orphan(keeper))
			return;
		clock_sleep_ms(LOOK_MS);
	}
	stop_device(keeper);
}

static void await_server(struct ublk_keeper *keeper)
{
	pthread_join(keeper->server, NULL);
	if (keeper->queue)
		ublk_queue_close(keeper->queue);
	keeper->queue = NULL;
}

/* Not of a start that has failed: that is an error of its own. */
static void tell_end(struct ublk_keeper *keeper)
{
	keeper->end->error = keeper->error;
	atomic_store(&keeper->end->device, (int)keeper->info.device);
}

static void *keep(void *opaque)
{
	struct ublk_keeper *keeper = opaque;
	struct ublk_device_info now;

	/* The kernel makes this thread's worker for commands: there may be no memory for it later. */
	(void)is_there(keeper, &now);
	await_server(keeper);
	if (atomic_load(&keeper->closing))
		return NULL;
	tell_end(keeper);
	if (keeper->error)
		leave_to_heir(keeper);
	return NULL;
}

int ublk_keeper_start(struct ublk_keeper *keeper)
{
	int err = ublk_keeper_start_thread(keeper, &keeper->thread, "keep", keep, keeper);

	keeper->started = err == 0;
	return err;
}

int ublk_keeper_start_thread(const struct ublk_keeper *keeper, pthread_t *thread, const char *name,
			     void *(*run)(void *opaque), void *opaque)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	char numbered[16];
	int err;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, stack_size(STACK));
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = -pthread_create(thread, &attributes, run, opaque);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (err)
		return err;
	snprintf(numbered, sizeof(numbered), "%s%u", name, keeper->info.device);
	(void)pthread_setname_np(*thread, numbered);
	return 0;
}

void ublk_keeper_end(struct ublk_keeper *keeper)
{
	atomic_store(&keeper->closing, true);
	/* The tags come back by this, and the thread ends when all are there. */
	stop_device(keeper);
	if (keeper->started)
		pthread_join(keeper->thread, NULL);
	else
		await_server(keeper);
}

void ublk_keeper_delete(struct ublk_keeper *keeper)
{
	struct ublk_device_info now;

	if (!is_there(keeper, &now))
		return;
	if (atomic_load(&keeper->end->device) == UBLK_ANY)
		(void)ublk_delete(&keeper->control, keeper->info.device);
	else
		(void)ublk_delete_later(&keeper->control, keeper->info.device);
}
