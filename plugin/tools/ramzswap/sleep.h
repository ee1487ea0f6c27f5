/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What has to be done before the machine sleeps, and after: the kernel stops all processes for it,
 * the server too, in no order.
 *
 * Hibernation takes memory until half of it is free, which is swapping out: to a server that is
 * stopped. So swap is taken off before.  Suspend fails where a program waits for a page, so all
 * that might are stopped before (freezer.h).
 */
#ifndef RAMZSWAP_TOOL_SLEEP_H
#define RAMZSWAP_TOOL_SLEEP_H

#include <stdbool.h>

struct host;

/* All of these: the caller has the lock of the disk; the exit status; why is said. */

/*
 * Takes swap off, or says how much is missing for that: then nothing was changed.  Swap on another
 * server is refused, but where others_follow: those disks are asked next.
 */
int sleep_before_hibernation(struct host *host, bool others_follow);

/*
 * Stops whoever might wait for a page.  They are let go after a minute awake, whatever happens: by
 * a process that this starts.
 */
int sleep_before_suspend(struct host *host);

/* So long that process waits, by a clock that stands still while the machine sleeps. */
#define SLEEP_AWAKE_MS 60000

/* Undoes what either has done.  Nothing to be undone is a success. */
int sleep_wake(struct host *host);

#endif
