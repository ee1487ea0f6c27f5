/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RAMZSWAP_PRIVILEGES_H
#define RAMZSWAP_PRIVILEGES_H

/*
 * Gives up every capability for good, of this thread and of all that it makes from now on, and any
 * way to gain some by a new program.  For a server that keeps no swap alive: all that it
 * needs was opened before.  0, or a negative errno: some may be left then.
 */
int privileges_drop(void);

#endif
