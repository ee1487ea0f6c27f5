/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The owner of a door's device: gives the commands about it, and is there when the thread that
 * serves it cannot go on, for the kernel refuses it the ring.
 *
 * Nobody answers then, and all that waits for the device would wait for ever.  The guard sees that
 * and comes, as it does where a server is dead (guard/heir.h): it has the requests fail and swap
 * taken off.  Where it does not come in time the keeper has the device taken away.  Requests fail
 * by that, too, but a swap area there has no name for swapoff any more.
 *
 * Before another process may come for the requests the kernel wants the thread that had them to be
 * gone.  So the keeper is a thread of its own.  And it closes the queue that the other has left: by
 * the thread's end all goes back to the kernel as it does when a server dies.  With the
 * ring closed first, Linux 6.12 was seen to wait for ever, and to know no end of the server.
 */
#ifndef RAMZSWAP_UBLK_KEEPER_H
#define RAMZSWAP_UBLK_KEEPER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "ublk/device.h"
#include "ublk/queue.h"
#include "ublk/ublk.h"

/* What is behind heir_ms begins as zeroes; the rest is the caller's to make. */
struct ublk_keeper {
	struct ublk_control control;
	struct ublk_device_info info; /* of ublk_add */
	pthread_mutex_t commands;     /* of control: one at a time */
	pthread_t server;	      /* the thread that serves; the keeper joins it */
	struct ublk_queue *queue;     /* its, if it has not closed it when it ends */
	struct ublk_end *end;	      /* where the keeper tells that it has ended by itself */
	unsigned int heir_ms;	      /* so long the device waits for the guard */
	atomic_bool closing;	      /* the end is wanted */
	int error;		      /* why the thread that serves has ended: set first */
	atomic_bool has_ended;	      /* it has, or is about to */
	pthread_t thread;
	bool started;
};

/*
 * Starts one of the device's threads, named by name and the device's number.  All signals are for
 * other threads: a wait in a ring would end by them.  Its stack is small, for all of it is
 * resident.  0 or a negative errno; *thread is undefined then.
 */
int ublk_keeper_start_thread(const struct ublk_keeper *keeper, pthread_t *thread, const char *name,
			     void *(*run)(void *opaque), void *opaque);

/* Makes the thread, for a device that is served.  0 or a negative errno. */
int ublk_keeper_start(struct ublk_keeper *keeper);

/*
 * Takes /dev/ublkbN away, if it is the keeper's still, and waits until the thread that serves it
 * has ended, as it then does.
 */
void ublk_keeper_end(struct ublk_keeper *keeper);

/* Then deletes what is left of it, if that is the keeper's still. */
void ublk_keeper_delete(struct ublk_keeper *keeper);

#endif
