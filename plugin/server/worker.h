/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread that does in the background what no request should wait for: it calls
 * a step again and again, and sleeps in between.
 */
#ifndef RAMZSWAP_WORKER_H
#define RAMZSWAP_WORKER_H

struct worker;

/*
 * Starts the thread.  step returns the milliseconds until it wants to be called
 * again.  0 or a negative errno; *worker is untouched then.
 */
int worker_start(struct worker **worker, unsigned int (*step)(void *opaque), void *opaque);

/* Has the next step come now.  Any thread, holding anything; cheap while one is due. */
void worker_kick(struct worker *worker);

/* Waits for the step under way and ends the thread.  NULL is accepted. */
void worker_stop(struct worker *worker);

#endif
