/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a program of this machine has to end, so that the others live: the server's part of
 * survival/oom_call.h and survival/oom_victims.h.
 */
#ifndef RAMZSWAP_RELIEF_H
#define RAMZSWAP_RELIEF_H

struct machine_memory;
struct server;

/*
 * Where swap is on and writes find no room for long, or the server itself no memory to go on, a
 * program must end.  Takes no lock and no memory, in a thread of its own: the others may be waiting
 * for memory.  A step of that worker, opaque is the server; returns milliseconds.
 */
unsigned int relief_step(void *opaque);

/*
 * Looks every two seconds for programs that may be ended, when there is hardly any memory left:
 * while there is much nobody has to know.  May wait for memory.  Of the teller alone, at each look.
 */
void relief_watch(struct server *server, const struct machine_memory *memory);

/* Has the log say what relief_step did: the log may need memory.  Of the teller alone. */
void relief_tell(struct server *server);

#endif
