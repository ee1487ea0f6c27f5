/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The block device of a disk: whose it is, its queue, and how it is let go. */
#ifndef RAMZSWAP_TOOL_DEVICE_H
#define RAMZSWAP_TOOL_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

struct host;
struct state;

/*
 * Whether somebody else has attached it since, or of ublk made another one of its name: it is no
 * longer ours to touch.
 */
bool device_is_taken(const struct host *host, const struct state *state);

/* Whether it is attached, by us.  Of nbd; always true for ublk, whose server makes the device. */
bool device_is_attached(const struct host *host, const struct state *state);

/*
 * Whether the kernel has lost a server that lives: it has no client, or serves a ublk device no
 * more. As long as swap is on /sys has the device as before.  False where the server does not tell.
 */
bool device_is_lost(const struct host *host, const struct state *state);

/* Whether somebody took it away from a server that lives: of ublk, where nobody is attached. */
bool device_is_removed(const struct host *host, const struct state *state);

/* Whether the kernel has the swap area of a removed device still: then for good. */
bool device_is_orphan(const struct host *host, const struct state *state);

/* Lets go what is ours: disconnects nbd, deletes what a dead server left of ublk.  Warns. */
void device_detach(struct host *host, const struct state *state);

/* One setting of its queue; of those that can be chosen, the one in brackets.  Or empty. */
void device_read_queue(const struct host *host, const struct state *state, const char *setting,
		       char *text, size_t size);

/* What somebody else has changed since start did is not ours to restore.  Warns. */
void device_restore_queue(const struct host *host, const struct state *state);

#endif
