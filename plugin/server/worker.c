/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/stack.h"
#include "survival/survival.h"
#include "server/worker.h"

struct worker {
	pthread_t thread;
	unsigned int (*step)(void *opaque);
	void *opaque;
	sem_t wake;
	atomic_bool kicked; /* wake was posted and not yet taken */
	atomic_bool stop;
};

static void sleep_until_kicked(struct worker *worker, unsigned int ms)
{
	struct timespec until = clock_timespec(clock_ns() + (uint64_t)ms * 1000000);

	while (sem_clockwait(&worker->wake, CLOCK_MONOTONIC, &until) != 0) {
		if (errno != EINTR)
			return;
	}
	atomic_store(&worker->kicked, false);
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;

	while (!atomic_load(&worker->stop)) {
		unsigned int ms = worker->step(worker->opaque);

		protection_note_background_faults();
		if (ms > 0)
			sleep_until_kicked(worker, ms);
	}
	return NULL;
}

static int start_thread(struct worker *worker, size_t stack)
{
	pthread_attr_t attr;
	int err;

	err = pthread_attr_init(&attr);
	if (err)
		return -err;
	err = pthread_attr_setstacksize(&attr, stack_size(stack));
	if (!err)
		err = pthread_create(&worker->thread, &attr, worker_main, worker);
	pthread_attr_destroy(&attr);
	return -err;
}

int worker_start(struct worker **workerp, unsigned int (*step)(void *opaque), void *opaque,
		 size_t stack)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int err;

	if (!worker)
		return -ENOMEM;
	worker->step = step;
	worker->opaque = opaque;
	sem_init(&worker->wake, 0, 0);
	err = start_thread(worker, stack);
	if (err) {
		sem_destroy(&worker->wake);
		free(worker);
		return err;
	}
	*workerp = worker;
	return 0;
}

void worker_kick(struct worker *worker)
{
	if (!atomic_load_explicit(&worker->kicked, memory_order_relaxed) &&
	    !atomic_exchange(&worker->kicked, true))
		sem_post(&worker->wake);
}

void worker_stop(struct worker *worker)
{
	if (!worker)
		return;
	atomic_store(&worker->stop, true);
	sem_post(&worker->wake);
	pthread_join(worker->thread, NULL);
	sem_destroy(&worker->wake);
	free(worker);
}
