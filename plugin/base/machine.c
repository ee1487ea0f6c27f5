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
	memory->free = bytes_of(text, "MemFree:");
	memory->available = bytes_of(text, "MemAvailable:");
	memory->cached = bytes_of(text, "SwapCached:");
	memory->swappable = bytes_of(text, "Active(anon):") + bytes_of(text, "Inactive(anon):");
	memory->files = bytes_of(text, "Active(file):") + bytes_of(text, "Inactive(file):");
	memory->writeback = bytes_of(text, "Writeback:");
}

uint64_t machine_room(const struct machine_memory *memory, uint64_t minimum)
{
	uint64_t above = minimum && memory->free > minimum ? memory->free - minimum : 0;

	if (memory->total == 0)
		return UINT64_MAX;
	return (above > memory->available ? above : memory->available) + memory->swappable;
}

int machine_lists_open(void)
{
	return open("/proc/sys/vm/percpu_pagelist_high_fraction", O_RDONLY | O_CLOEXEC);
}

/* However small the share: four batches on a list, each a 4096th of the memory. */
#define LIST_MIN_SHARE 1024

/* 0 where there is none. */
static uint64_t read_number(int fd)
{
	char text[32];
	ssize_t len = fd < 0 ? 0 : pread(fd, text, sizeof(text) - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	return strtoull(text, NULL, 10);
}

uint64_t machine_lists(int lists, unsigned int processors, uint64_t total)
{
	uint64_t share = read_number(lists), most, least;

	if (share == 0)
		return UINT64_MAX;
	most = total / share;
	least = total / LIST_MIN_SHARE * processors;
	return most > least ? most : least;
}

int machine_minimum_open(void)
{
	return open("/proc/sys/vm/min_free_kbytes", O_RDONLY | O_CLOEXEC);
}

uint64_t machine_minimum(int minimum)
{
	return read_number(minimum) << 10;
}

int machine_swaps_open(void)
{
	int fd = open("/proc/swaps", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

#define SWAPS_MAX 4096

/* Behind the path of a device that is gone. */
#define DELETED "\\040(deleted)"

/* The bytes read, 0 if none can be. */
static size_t read_swaps(int swaps, char text[SWAPS_MAX])
{
	ssize_t len = swaps < 0 ? 0 : pread(swaps, text, SWAPS_MAX - 1, 0);

	len = len > 0 ? len : 0;
	text[len] = '\0';
	return (size_t)len;
}

/* Whether a line of /proc/swaps tells of an area: not the heading, nor one of another form. */
static bool read_area(const char *line, struct machine_swap *area)
{
	unsigned long long size_kb, used_kb;
	int priority = 0;

	/* A path has no blanks there. */
	if (sscanf(line, "%*s %*s %llu %llu %d", &size_kb, &used_kb, &priority) < 2)
		return false;
	area->size = (uint64_t)size_kb << 10;
	area->used = (uint64_t)used_kb << 10;
	area->priority = priority;
	return true;
}

static bool begins(const char *line, const char *beginning)
{
	return strncmp(line, beginning, strlen(beginning)) == 0;
}

static bool is_served(const char *line)
{
	return begins(line, "/dev/nbd") || begins(line, "/dev/ublkb");
}

/* Writes to an area whose device is gone fail. */
static bool is_orphan(const char *line)
{
	size_t length = strcspn(line, " \t");

	return begins(line, "/dev/ublkb") && length > strlen(DELETED) &&
	       begins(line + length - strlen(DELETED), DELETED);
}

/* An area that is not the one that is looked for. */
static void add_other(const char *line, const struct machine_swap *area, struct machine_swap *found)
{
	uint64_t left = area->size > area->used ? area->size - area->used : 0;

	if (is_orphan(line))
		left = 0;
	found->elsewhere += left;
	if (is_served(line))
		found->other_server = true;
	else if (!begins(line, "/dev/zram"))
		found->lasting += left;
}

int machine_swap(int swaps, const char *device, struct machine_swap *swap)
{
	struct machine_swap found = { .size = 0 }, area;
	size_t name = strlen(device);
	char text[SWAPS_MAX];
	int err = -ENOENT;

	if (read_swaps(swaps, text) == 0)
		return -EIO;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!read_area(line, &area))
			continue;
		if (strncmp(line, device, name) == 0 && strchr(" \t", line[name])) {
			found.size = area.size;
			found.used = area.used;
			found.priority = area.priority;
			err = 0;
		} else {
			add_other(line, &area, &found);
		}
	}
	*swap = found;
	return err;
}

int machine_swap_orphan(int swaps, const char *device, struct machine_swap *swap)
{
	char name[64];

	if ((size_t)snprintf(name, sizeof(name), "%s" DELETED, device) >= sizeof(name))
		return -EINVAL;
	return machine_swap(swaps, name, swap);
}

bool machine_swap_area(int swaps, const char *device, uint64_t *size, uint64_t *used)
{
	struct machine_swap swap;

	if (machine_swap(swaps, device, &swap) != 0)
		return false;
	*size = swap.size;
	*used = swap.used;
	return true;
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
