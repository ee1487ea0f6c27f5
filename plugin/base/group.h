/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the control groups of this process leave it of the machine's memory, in a container or
 * a unit with a limit.  Version 2, version 1, and both mounted beside each other.
 */
#ifndef RAMZSWAP_GROUP_H
#define RAMZSWAP_GROUP_H

#include <stdint.h>

#define GROUP_NO_LIMIT UINT64_MAX

/*
 * The least limit, in bytes, of the calling process's group and of all groups above it:
 * memory.max and memory.high, or memory.limit_in_bytes.  GROUP_NO_LIMIT where there is none or
 * none can be read.  root stands before /proc and /sys: "" but in tests.  Opens files; any thread.
 */
uint64_t group_memory_limit(const char *root);

/* In bytes; both GROUP_NO_LIMIT where no group has a limit. */
struct group_memory {
	uint64_t limit; /* of group_memory_limit */
	/*
	 * What the process can still get: the least that any of the groups with a limit has left,
	 * where what is kept of files counts as free, for the kernel gives that up first.
	 */
	uint64_t room;
};

/* The same, with what is left of it now. */
void group_memory_look(const char *root, struct group_memory *memory);

/*
 * Of a line of /proc/PID/cgroup, NUMBER:CONTROLLERS:PATH without its newline: the path inside it if
 * the controller is among those of version 1, or if that is "" and the line is of version 2, which
 * names none; else NULL.  "/" is the root.
 */
const char *group_in_line(const char *line, const char *controller);

#endif
