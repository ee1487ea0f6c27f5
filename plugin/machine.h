/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much memory this machine has left. */
#ifndef RAMZSWAP_MACHINE_H
#define RAMZSWAP_MACHINE_H

#include <stdint.h>

/* A file descriptor of /proc/meminfo, to be closed by the caller, or -1. */
int machine_open(void);

/* In bytes; all 0 where it is not known. */
struct machine_memory {
	uint64_t total;
	uint64_t available; /* can be had without swapping */
	uint64_t writeback; /* being written, to swap among others */
};

/* meminfo may be -1.  No allocation; any thread. */
void machine_memory(int meminfo, struct machine_memory *memory);

#endif
