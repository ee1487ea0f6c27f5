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

/*
 * Has large buffers come as mappings of their own, which go back to the system as they are
 * freed.  Where memory is locked the rest comes from one heap that does not shrink by itself, and
 * the buffers of swap's requests are made resident now.  Before threads are made.
 */
void heap_prepare(bool locked);

/* Gives back what is free, but for what heap_prepare made resident.  Any thread. */
void heap_trim(bool locked);

#endif
