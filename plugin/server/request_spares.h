/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Buffers of requests that were made before anybody wants them.  A request may be the one that is
 * to free memory: what it is received into cannot be made in its middle.  For each thread that
 * serves clients there is one of the largest request that may come, and the thread gets all of it
 * at its first request that is no small one.
 */
#ifndef RAMZSWAP_REQUEST_SPARES_H
#define RAMZSWAP_REQUEST_SPARES_H

#include <stdbool.h>
#include <stddef.h>

/* So many can be had. */
#define REQUEST_SPARES_MAX 512u

/*
 * Has count buffers of bytes each, those in use included, and gives back what is left over.  They
 * are written to, so that they are resident where memory is locked.  Whether it has; if not, what
 * could be made stays.  Allocates: not on the path of a request.  One caller at a time.
 */
bool request_spares_keep(unsigned int count, size_t bytes);

/*
 * As realloc, but NULL where no spare does and block is none that does: then block is as it was.
 * One that is small is left to realloc.  No allocation; any thread.
 */
void *request_spares_take(void *block, size_t size);

/* Has block, which may be one of these, belong to the C library from now on. */
void request_spares_forget(void *block);

/* As free, of any block.  A buffer that is still wanted is a spare again. */
void request_spares_free(void *block);

#endif
