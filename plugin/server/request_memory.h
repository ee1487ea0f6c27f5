/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What requests take of memory, beside the disk: the buffers into which the protocol's server
 * reads what is written, and from which it sends what was read.  It makes them as large as a
 * client says, before anybody can say no; so they are counted, and refused, where they are made.
 */
#ifndef RAMZSWAP_REQUEST_MEMORY_H
#define RAMZSWAP_REQUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/request.h"

/*
 * realloc and free for whoever makes buffers of requests.  NULL with ENOMEM, and block stays as it
 * is, for more than REQUEST_MAX, for what would pass REQUEST_LARGE_TOTAL, or where the system has
 * none.  Any thread; blocks of the C library may be mixed with these.
 */
void *request_memory_resize(void *block, size_t size);
void request_memory_free(void *block);

/*
 * Has so many threads' buffers of bytes each resident, where memory is locked, before anybody wants
 * them; see server/request_spares.h for the rest.
 */
bool request_memory_keep(unsigned int threads, size_t bytes);

/* From now on what these free is overwritten first. */
void request_memory_wipe(void);

/* Bytes that buffers of 64 KiB and more take now. */
uint64_t request_memory_bytes(void);

#endif
