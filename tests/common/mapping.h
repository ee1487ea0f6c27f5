/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel says of one mapping of this process. */
#ifndef RAMZSWAP_TESTS_MAPPING_H
#define RAMZSWAP_TESTS_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/*
 * What stands behind key ("Locked:") in the lines of /proc/self/smaps about the mapping that the
 * address lies in.  Returns false, with value untouched, if there is none.
 */
static inline bool mapping_value(uintptr_t address, const char *key, char *value, size_t size)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	bool inside = false, found = false;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		uintptr_t start, end;

		if (sscanf(line, "%zx-%zx ", &start, &end) == 2) {
			inside = address >= start && address < end;
		} else if (inside && strncmp(line, key, strlen(key)) == 0) {
			snprintf(value, size, "%s", line + strlen(key));
			found = true;
		}
	}
	if (maps)
		fclose(maps);
	return found;
}

#endif
