/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/machine.h"

int machine_open(void)
{
	return open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
}

static uint64_t bytes_of(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

void machine_memory(int meminfo, struct machine_memory *memory)
{
	char text[1024];
	ssize_t len = meminfo < 0 ? 0 : pread(meminfo, text, sizeof(text) - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	memory->total = bytes_of(text, "MemTotal:");
	memory->available = bytes_of(text, "MemAvailable:");
	memory->swappable = bytes_of(text, "Active(anon):") + bytes_of(text, "Inactive(anon):");
	memory->writeback = bytes_of(text, "Writeback:");
}

uint64_t machine_room(const struct machine_memory *memory, bool swaps_to_it)
{
	if (memory->total == 0)
		return UINT64_MAX;
	return memory->available + (swaps_to_it ? memory->swappable : 0);
}

bool machine_swaps_to_nbd(int swaps)
{
	char text[4096];
	ssize_t len = swaps < 0 ? 0 : pread(swaps, text, sizeof(text) - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	return strstr(text, "/nbd") != NULL;
}
