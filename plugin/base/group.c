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

/* Lowers *limit to what the file says, where that is a number. */
static void heed(const char *path, uint64_t *limit)
{
	char text[32];
	char *end;
	uint64_t bytes;

	if (!read_text(path, text, sizeof(text)))
		return;
	bytes = strtoull(text, &end, 10);
	if (end != text && bytes < UNLIMITED_MIN && bytes < *limit)
		*limit = bytes;
}

/* The group's and those above it, up to the top of what is mounted at where. */
static void heed_group(const char *root, const char *where, const char *group,
		       const char *const files[], uint64_t *limit)
{
	size_t length = strcmp(group, "/") == 0 ? 0 : strlen(group);
	char path[PATH_MAX];

	for (;;) {
		for (size_t i = 0; files[i]; i++) {
			int needed = snprintf(path, sizeof(path), "%s%s%.*s/%s", root, where,
					      (int)length, group, files[i]);

			if (needed > 0 && (size_t)needed < sizeof(path))
				heed(path, limit);
		}
		if (length == 0)
			return;
		while (group[--length] != '/' && length > 0)
			;
	}
}

/* Whether memory is among the controllers of version 1 that a comma separates. */
static bool has_memory(const char *controllers)
{
	size_t length = strlen("memory");

	for (;; controllers++) {
		if (strncmp(controllers, "memory", length) == 0 &&
		    (controllers[length] == ',' || controllers[length] == '\0'))
			return true;
		controllers = strchr(controllers, ',');
		if (!controllers)
			return false;
	}
}

/* A line is NUMBER:CONTROLLERS:GROUP; version 2 has no controllers there. */
static void heed_line(const char *root, char *line, uint64_t *limit)
{
	static const char *const files[] = { "memory.max", "memory.high", NULL };
	static const char *const files_1[] = { "memory.limit_in_bytes", NULL };
	char *controllers = strchr(line, ':');
	char *group = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!group || group[1] != '/')
		return;
	*group++ = '\0';
	controllers++;
	if (*controllers == '\0')
		heed_group(root, "/sys/fs/cgroup", group, files, limit);
	else if (has_memory(controllers))
		heed_group(root, "/sys/fs/cgroup/memory", group, files_1, limit);
}

uint64_t group_memory_limit(const char *root)
{
	uint64_t limit = GROUP_NO_LIMIT;
	char path[PATH_MAX], text[4096];
	char *next = text;
	int needed = snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);

	if (needed < 0 || (size_t)needed >= sizeof(path) || !read_text(path, text, sizeof(text)))
		return limit;
	for (char *line; (line = strsep(&next, "\n"));)
		heed_line(root, line, &limit);
	return limit;
}
