/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread that does in the background what no request should wait for: it calls
 * a step again and again, and sleeps in between.
 */
#ifndef RAMZSWAP_WORKER_H
#define RAMZSWAP_WORKER_H

#include <stddef.h>

struct worker;

/*
 * Bytes of stack, small because all of it may be locked.  The dense encoders were seen to touch
 * 24 KiB, and who trains a dictionary has 16 more in one function alone.
 */
#define WORKER_STACK ((size_t)64 << 10)
#define WORKER_STACK_TRAINER ((size_t)128 << 10)

/*
 * Starts the thread, with so many bytes of stack.  step returns the milliseconds until it wants to
 * be called again.  0 or a negative errno; *worker is untouched then.
 */
int worker_start(struct worker **worker, unsigned int (*step)(void *opaque), void *opaque,
		 size_t stack);

/* Has the next step come now.  Any thread, holding anything; cheap while one is due. */
void worker_kick(struct worker *worker);

/* Waits for the step under way and ends the thread.  NULL is accepted. */
void worker_stop(struct worker *worker);

#endif
