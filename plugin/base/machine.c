/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

int machine_swaps_open(void)
{
	int fd = open("/proc/swaps", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

#define SWAPS_MAX 4096

static void read_swaps(int swaps, char text[SWAPS_MAX])
{
	ssize_t len = swaps < 0 ? 0 : pread(swaps, text, SWAPS_MAX - 1, 0);

	text[len > 0 ? len : 0] = '\0';
}

bool machine_swap_area(int swaps, const char *device, uint64_t *size, uint64_t *used)
{
	size_t name = strlen(device);
	char text[SWAPS_MAX];

	read_swaps(swaps, text);
	for (const char *line = text; line; line = strchr(line, '\n')) {
		unsigned long long size_kb, used_kb;

		line += *line == '\n';
		if (!strncmp(line, device, name) &&
		    sscanf(line + name, " %*s %llu %llu", &size_kb, &used_kb) == 2) {
			*size = (uint64_t)size_kb << 10;
			*used = (uint64_t)used_kb << 10;
			return true;
		}
	}
	return false;
}

static bool swaps_to(int swaps, const char *name)
{
	char text[SWAPS_MAX];

	read_swaps(swaps, text);
	return strstr(text, name) != NULL;
}

bool machine_swaps_to_nbd(int swaps)
{
	return swaps_to(swaps, "/nbd");
}

bool machine_swaps_to_ublk(int swaps)
{
	return swaps_to(swaps, "/ublkb");
}
