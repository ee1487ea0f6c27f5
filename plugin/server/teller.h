/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the keeper of the disk should know is said by a thread of its own, which may wait: for the
 * log, and for memory.
 */
#ifndef RAMZSWAP_TELLER_H
#define RAMZSWAP_TELLER_H

/*
 * A step of that thread (worker.h): looks once at all that changes, says what is new, and ends the
 * server if it is to end.  opaque is the server.
 */
unsigned int teller_step(void *opaque);

#endif
