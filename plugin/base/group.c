/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/group.h"

/* Version 1 has no word for none but the largest number of pages. */
#define UNLIMITED_MIN (UINT64_C(1) << 60)

/* False, and text untouched, where the file cannot be read. */
static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, text, size - 1);
	close(fd);
	if (length < 0)
		return false;
	text[length] = '\0';
	return true;
}

/* What one version calls its files. */
struct version {
	const char *mounted;
	const char *limits[3]; /* up to NULL */
	const char *usage;
	const char *files[2]; /* in memory.stat: what is kept of files */
};

static const struct version version_1 = {
	.mounted = "/sys/fs/cgroup/memory",
	.limits = { "memory.limit_in_bytes" },
	.usage = "memory.usage_in_bytes",
	.files = { "\ntotal_inactive_file ", "\ntotal_active_file " },
};
static const struct version version_2 = {
	.mounted = "/sys/fs/cgroup",
	.limits = { "memory.max", "memory.high" },
	.usage = "memory.current",
	.files = { "\ninactive_file ", "\nactive_file " },
};

/* A group, up to length of its path, of what is mounted below root. */
struct group {
	const char *root;
	const struct version *version;
	const char *path;
	int length;
};

static bool read_file(const struct group *group, const char *name, char *text, size_t size)
{
	char path[PATH_MAX];
	int needed = snprintf(path, sizeof(path), "%s%s%.*s/%s", group->root,
			      group->version->mounted, group->length, group->path, name);

	return needed > 0 && (size_t)needed < sizeof(path) && read_text(path, text, size);
}

/* False, and *bytes untouched, where the file has no number. */
static bool read_number(const struct group *group, const char *name, uint64_t *bytes)
{
	char text[32];
	char *end;
	uint64_t number;

	if (!read_file(group, name, text, sizeof(text)))
		return false;
	number = strtoull(text, &end, 10);
	if (end == text)
		return false;
	*bytes = number;
	return true;
}

static uint64_t limit_of(const struct group *group)
{
	uint64_t limit = GROUP_NO_LIMIT, bytes;

	for (size_t i = 0; group->version->limits[i]; i++) {
		if (read_number(group, group->version->limits[i], &bytes) &&
		    bytes < UNLIMITED_MIN && bytes < limit)
			limit = bytes;
	}
	return limit;
}

/* What the kernel gives up before it refuses anything. */
static uint64_t kept_of_files(const struct group *group)
{
	char text[8192];
	uint64_t kept = 0;

	if (!read_file(group, "memory.stat", text, sizeof(text)))
		return 0;
	for (size_t i = 0; i < sizeof(group->version->files) / sizeof(*group->version->files);
	     i++) {
		const char *at = strstr(text, group->version->files[i]);

		if (at)
			kept += strtoull(at + strlen(group->version->files[i]), NULL, 10);
	}
	return kept;
}

static uint64_t room_in(const struct group *group, uint64_t limit)
{
	uint64_t used = 0, kept;

	if (!read_number(group, group->version->usage, &used))
		return limit;
	kept = kept_of_files(group);
	used = used > kept ? used - kept : 0;
	return used < limit ? limit - used : 0;
}

static void heed(const struct group *group, struct group_memory *memory)
{
	uint64_t limit = limit_of(group), room;

	if (limit == GROUP_NO_LIMIT)
		return;
	if (limit < memory->limit)
		memory->limit = limit;
	room = room_in(group, limit);
	if (room < memory->room)
		memory->room = room;
}

/* The group's and those above it, up to the top of what is mounted. */
static void heed_all(const char *root, const struct version *version, const char *path,
		     struct group_memory *memory)
{
	struct group group = { .root = root, .version = version, .path = path };

	group.length = strcmp(path, "/") == 0 ? 0 : (int)strlen(path);
	for (;;) {
		heed(&group, memory);
		if (group.length == 0)
			return;
		while (path[--group.length] != '/' && group.length > 0)
			;
	}
}

/* Whether a comma separates the controller from others. */
static bool has_controller(const char *list, size_t length, const char *controller)
{
	size_t wanted = strlen(controller);
	const char *end = list + length, *comma;

	if (wanted == 0)
		return length == 0;
	for (; list < end; list = comma + 1) {
		comma = memchr(list, ',', (size_t)(end - list));
		if (!comma)
			comma = end;
		if ((size_t)(comma - list) == wanted && memcmp(list, controller, wanted) == 0)
			return true;
	}
	return false;
}

const char *group_in_line(const char *line, const char *controller)
{
	const char *list = strchr(line, ':');
	const char *path = list ? strchr(list + 1, ':') : NULL;

	if (!path || path[1] != '/' ||
	    !has_controller(list + 1, (size_t)(path - list - 1), controller))
		return NULL;
	return path + 1;
}

static void heed_line(const char *root, const char *line, struct group_memory *memory)
{
	const char *path = group_in_line(line, "");

	if (path)
		heed_all(root, &version_2, path, memory);
	else if ((path = group_in_line(line, "memory")))
		heed_all(root, &version_1, path, memory);
}

void group_memory_look(const char *root, struct group_memory *memory)
{
	char path[PATH_MAX], text[4096];
	char *next = text;
	int needed = snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);

	memory->limit = GROUP_NO_LIMIT;
	memory->room = GROUP_NO_LIMIT;
	if (needed < 0 || (size_t)needed >= sizeof(path) || !read_text(path, text, sizeof(text)))
		return;
	for (char *line; (line = strsep(&next, "\n"));)
		heed_line(root, line, memory);
}

uint64_t group_memory_limit(const char *root)
{
	struct group_memory memory;

	group_memory_look(root, &memory);
	return memory.limit;
}
