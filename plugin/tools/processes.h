/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes of this machine by name, with what they were started with. */
#ifndef RAMZSWAP_PROCESSES_H
#define RAMZSWAP_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Of a command line that is longer the rest is not seen. */
#define PROCESS_WORDS_MAX 64

struct process {
	pid_t pid;
	size_t count; /* of words */
	const char *words[PROCESS_WORDS_MAX];
};

/*
 * Calls look for each process whose command (comm) begins with this, until it returns false.  What
 * the process has is good during the call only.  Processes that end meanwhile, or that may not be
 * seen, are left out.
 */
void processes_named(const char *command, bool (*look)(void *opaque, const struct process *process),
		     void *opaque);

#endif
