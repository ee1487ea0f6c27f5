/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "survival/queue.h"

#define SECTOR 512u

/* Only the driver that sends the rest of a request by itself has it. */
static const char mended[] = "nbd_pending_cmd_work";

/* One line of a file of a device, without its end.  False where there is none. */
static bool read_line(const char *sys_block, const char *device, const char *name, char *line,
		      int size)
{
	char path[PATH_MAX];
	FILE *file;
	bool done;

	if (snprintf(path, sizeof(path), "%s/%s/%s", sys_block, device, name) >= (int)sizeof(path))
		return false;
	file = fopen(path, "re");
	if (!file)
		return false;
	done = fgets(line, size, file) != NULL;
	fclose(file);
	if (done)
		line[strcspn(line, "\n")] = '\0';
	return done;
}

static uint64_t read_number(const char *sys_block, const char *device, const char *name)
{
	char line[QUEUE_NAME_MAX];

	return read_line(sys_block, device, name, line, sizeof(line)) ? strtoull(line, NULL, 10)
								      : 0;
}

/* The kernel tells who attached a device for as long as it is attached. */
static bool is_attached(const char *sys_block, const char *device)
{
	return read_number(sys_block, device, "pid") > 0;
}

/* The chosen one stands in brackets. */
static bool read_scheduler(const char *sys_block, const char *device, char *scheduler)
{
	char line[256];
	char *start, *end;

	if (!read_line(sys_block, device, "queue/scheduler", line, sizeof(line)))
		return false;
	start = strchr(line, '[');
	end = start ? strchr(start, ']') : NULL;
	if (!end || end - start > QUEUE_NAME_MAX)
		return false;
	*end = '\0';
	strcpy(scheduler, start + 1);
	return strcmp(scheduler, "none") != 0;
}

static void look_at(struct queue *queue, const char *sys_block, const char *device)
{
	uint64_t bytes = read_number(sys_block, device, "queue/max_sectors_kb") << 10;
	char scheduler[QUEUE_NAME_MAX];

	if (bytes > queue->request_bytes) {
		queue->request_bytes = bytes;
		strcpy(queue->device, device);
	}
	if (read_scheduler(sys_block, device, scheduler)) {
		strcpy(queue->scheduler, scheduler);
		strcpy(queue->scheduled, device);
	}
}

static bool is_ours(const char *sys_block, const char *device, uint64_t disk_bytes)
{
	return !strncmp(device, "nbd", 3) && strlen(device) < QUEUE_NAME_MAX &&
	       is_attached(sys_block, device) &&
	       read_number(sys_block, device, "size") * SECTOR == disk_bytes;
}

void queue_look(struct queue *queue, const char *sys_block, uint64_t disk_bytes)
{
	DIR *directory = opendir(sys_block);
	struct dirent *entry;

	memset(queue, 0, sizeof(*queue));
	if (!directory)
		return;
	while ((entry = readdir(directory)) != NULL) {
		if (is_ours(sys_block, entry->d_name, disk_bytes))
			look_at(queue, sys_block, entry->d_name);
	}
	closedir(directory);
}

bool queue_find(const char *sys_block, uint64_t disk_bytes, long long client, bool surely,
		char device[QUEUE_NAME_MAX])
{
	DIR *directory = opendir(sys_block);
	char found[QUEUE_NAME_MAX];
	unsigned int count = 0;
	bool sure = false;
	struct dirent *entry;

	if (!directory)
		return false;
	while (!sure && (entry = readdir(directory)) != NULL) {
		if (!is_ours(sys_block, entry->d_name, disk_bytes))
			continue;
		count++;
		strcpy(found, entry->d_name);
		sure = client > 0 &&
		       read_number(sys_block, found, "pid") == (unsigned long long)client;
	}
	closedir(directory);
	if (!sure && (surely || count != 1))
		return false;
	strcpy(device, found);
	return true;
}

static bool has_symbol(const char *kallsyms, const char *symbol)
{
	FILE *file = fopen(kallsyms, "re");
	char line[1024];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, symbol) != NULL;
	if (file)
		fclose(file);
	return found;
}

bool queue_scheduler_is_unsafe(const char *kallsyms, const char *release)
{
	unsigned int major, minor;

	if (sscanf(release, "%u.%u", &major, &minor) == 2 &&
	    (major < 6 || (major == 6 && minor < 6)))
		return false;
	return !has_symbol(kallsyms, mended);
}
