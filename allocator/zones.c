/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See zones.h. */
#include "zones.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More, of machines with many nodes, and no zone is looked at. */
#define ZONES_MAX 32

/* A line of /proc/buddyinfo has a number for each order, of up to six digits, and a name. */
#define LINE_MAX_BYTES 128

struct zone {
	int node;
	char name[12];
	uint64_t managed, kept; /* pages */
};

static struct zone zones[ZONES_MAX];
static unsigned int count;
static uint64_t managed_in_all;
static int free_file = -1;
static const char *proc = "/proc";

/* Pages that are kept from who may have any zone, but no more than there are. */
static uint64_t read_protection(const char *at, uint64_t managed)
{
	uint64_t most = 0;

	for (; at; at = strchr(at + 1, ',')) {
		uint64_t kept = strtoull(at + 1, NULL, 10);

		most = kept > most ? kept : most;
	}
	return most < managed ? most : managed;
}

static void read_zones(FILE *file)
{
	struct zone zone = { .node = -1 };
	unsigned long managed = 0;
	char line[512];

	while (fgets(line, sizeof(line), file)) {
		const char *protection = strstr(line, "protection: (");

		if (sscanf(line, "Node %d, zone %11s", &zone.node, zone.name) == 2)
			managed = 0;
		sscanf(line, " managed %lu", &managed);
		if (!protection || zone.node < 0)
			continue;
		zone.managed = managed;
		zone.kept = read_protection(strchr(protection, '('), managed);
		if (count < ZONES_MAX)
			zones[count] = zone;
		count++;
		managed_in_all += managed;
	}
}

static int open_below(const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", proc, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

void zones_prepare(void)
{
	int fd = open_below("zoneinfo");
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	uint64_t bytes;

	count = 0;
	managed_in_all = 0;
	if (free_file >= 0)
		close(free_file);
	free_file = open_below("buddyinfo");
	if (!file)
		return;
	read_zones(file);
	fclose(file);
	/* The kernel takes its buffer for this at the first read. */
	(void)zones_spare(0, &bytes);
}

uint64_t zones_kept(void)
{
	uint64_t pages = 0;

	for (unsigned int i = 0; i < count && i < ZONES_MAX; i++)
		pages += zones[i].kept;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static const struct zone *find(int node, const char *name)
{
	for (unsigned int i = 0; i < count; i++) {
		if (zones[i].node == node && strcmp(zones[i].name, name) == 0)
			return &zones[i];
	}
	return NULL;
}

/* Free pages of one line: a number of blocks for each order. */
static uint64_t free_pages(const char *numbers)
{
	uint64_t pages = 0;
	char *end;

	for (unsigned int order = 0;; order++, numbers = end) {
		uint64_t blocks = strtoull(numbers, &end, 10);

		if (end == numbers)
			return pages;
		pages += blocks << order;
	}
}

static uint64_t spare_of(const char *line, uint64_t minimum)
{
	const struct zone *zone;
	uint64_t floor, pages;
	char name[12];
	int node, len = 0;

	if (sscanf(line, "Node %d, zone %11s%n", &node, name, &len) != 2)
		return 0;
	zone = find(node, name);
	if (!zone || !managed_in_all)
		return 0;
	floor = minimum / 2 * zone->managed / managed_in_all + zone->kept;
	pages = free_pages(line + len);
	return pages > floor ? pages - floor : 0;
}

bool zones_spare(uint64_t minimum, uint64_t *bytes)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), pages = 0;
	char text[ZONES_MAX * LINE_MAX_BYTES], *line = text, *end;
	ssize_t len;

	if (count == 0 || count > ZONES_MAX)
		return false;
	len = free_file < 0 ? -1 : pread(free_file, text, sizeof(text) - 1, 0);
	if (len <= 0)
		return false;
	text[len] = '\0';
	for (; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		pages += spare_of(line, minimum / page);
	}
	*bytes = pages * page;
	return true;
}

void zones_look_at(const char *directory)
{
	proc = directory;
	zones_prepare();
}
