/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clients of a disk, counted at its door.  What may only be done without clients, or looks
 * at them and then acts, holds the door meanwhile: a look at the number alone is worth nothing
 * by the time that somebody acts on it.
 */
#ifndef RAMZSWAP_CLIENTS_H
#define RAMZSWAP_CLIENTS_H

#include <pthread.h>
#include <stdbool.h>

struct clients {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* held or closed */
	unsigned int inside;
	unsigned int came; /* since the start; wraps */
	bool held;
	bool closed;
};

/* Nobody inside, and the door open. */
#define CLIENTS_INITIALIZER                                                            \
	{                                                                              \
		.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER \
	}

/*
 * Lets a client in; waits as long as the door is held.  0, or -ESHUTDOWN once it is closed.
 * Before the client's first request, by any thread that holds nothing.
 */
int clients_enter(struct clients *clients);

/* After the last request of a client that was let in. */
void clients_leave(struct clients *clients);

/* How many are inside.  By the next line it may be wrong. */
unsigned int clients_inside(struct clients *clients);

/*
 * Whether all who came since the last call with this *came have left: once, after each time that
 * somebody came.  *came is 0 at first, and the caller's.
 */
bool clients_have_gone(struct clients *clients, unsigned int *came);

/*
 * Holds the door: from now on nobody comes in, but those inside may leave.  Returns how many
 * those are.  Waits for another who holds it.  clients_release or clients_close is due, by the same
 * thread.
 */
unsigned int clients_hold(struct clients *clients);

/* Lets those in who wait, and all who come. */
void clients_release(struct clients *clients);

/* Instead: nobody is let in ever again, those who wait included. */
void clients_close(struct clients *clients);

#endif
