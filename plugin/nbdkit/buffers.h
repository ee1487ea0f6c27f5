/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbdkit has a buffer for each of a connection's threads, which it makes as large as the request
 * that a client announces, before any callback.  It makes and frees them by realloc and
 * free, which it finds by a table that the loader filled in.  There our own take their place, which
 * count and refuse (server/request_memory.h).  nbdkit answers what is refused with ENOMEM.
 */
#ifndef RAMZSWAP_BUFFERS_H
#define RAMZSWAP_BUFFERS_H

#include <stdatomic.h>
#include <stdbool.h>

/*
 * Takes nbdkit's realloc and free over.  While *urgent is true, buffers are made as a task of a
 * real-time class where memory is short (urgent.h).  Whether both could be: if not, nothing is
 * changed.  While there is one thread; once.
 */
bool buffers_take_over(const atomic_bool *urgent);

/* Undoes it: before the plugin is unloaded. */
void buffers_give_back(void);

#endif
