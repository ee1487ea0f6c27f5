/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The heap of the process, which is nbdkit's: buffers of requests above all.
 *
 * While a client is there what was once needed stays, so that a request finds it.  With the last
 * client it goes back to the system: no request waits for it then.
 */
#ifndef RAMZSWAP_HEAP_H
#define RAMZSWAP_HEAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/request.h"

/*
 * How much is made resident.  nbdkit keeps a buffer of the largest request for each of a
 * connection's threads: so much for what else it keeps, and, where its buffers are not
 * ours (server/request_spares.h), for two of them.  By ublk nothing of swap comes that way.
 */
#define HEAP_WARM_NBD ((size_t)2 * (REQUEST_SWAP + 4096))
#define HEAP_WARM_UBLK ((size_t)64 << 10)

/*
 * Has large buffers come as mappings of their own, which go back to the system as they are
 * freed.  Where memory is locked the rest comes from one heap that does not shrink by itself, and
 * warm bytes of it are made resident now.  Before threads are made.
 */
void heap_prepare(bool locked, size_t warm);

/* Gives back what is free, but for warm bytes where memory is locked.  Any thread. */
void heap_trim(bool locked, size_t warm);

#endif
