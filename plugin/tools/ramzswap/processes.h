/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two processes of a disk: its server, and the guard beside it. */
#ifndef RAMZSWAP_TOOL_PROCESSES_H
#define RAMZSWAP_TOOL_PROCESSES_H

#include <stdbool.h>
#include <sys/types.h>

struct host;
struct state;

/* The number that RUN/pid or RUN/guard names, if that is such a process and lives; else 0. */
pid_t server_process(const struct host *host);
pid_t guard_process(const struct host *host);

/* The same of RUN/waker, which lets programs go that were stopped for sleep. */
pid_t waker_process(const struct host *host);

/*
 * Whether anybody listens on the server's socket, and goes on with it: of a server that was killed
 * the last thread may be at its end still when the first has gone.  Waits for that.
 */
bool server_is_served(struct host *host);

/* Asks the server to end, waits for that, and removes its files.  Warns if it does not end. */
void server_end(struct host *host);

/* The same of the guard, whose files stay.  Whether there was one. */
bool guard_end(struct host *host);

/* Starts it as the state says; with the files that stop needs, which it keeps in memory. */
void guard_start(struct host *host, const struct state *state);

/* The program: what the state names, or else the host. */
const char *guard_program(const struct host *host, const struct state *state);

#endif
