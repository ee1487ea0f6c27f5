/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lets a process of the guard run where the machine is short of memory. */
#ifndef RAMZSWAP_GUARD_PROTECT_H
#define RAMZSWAP_GUARD_PROTECT_H

/*
 * The calling process is not the OOM killer's, is of a real-time class, has what it has mapped by
 * now locked, and leaves no core of it.  What cannot be had is said in the log.
 */
void guard_protect(void);

#endif
