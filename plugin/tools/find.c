/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/find.h"
#include "tools/processes.h"

/* Whether two paths lead to the same socket. */
static bool is_same(const char *one, const struct stat *other)
{
	struct stat is;

	return stat(one, &is) == 0 && is.st_dev == other->st_dev && is.st_ino == other->st_ino;
}

static void add(struct found *found, const char *path)
{
	struct stat is;

	if (found->count == FIND_MAX || strlen(path) >= DISK_SOCKET_MAX || stat(path, &is) != 0 ||
	    !S_ISSOCK(is.st_mode))
		return;
	for (size_t i = 0; i < found->count; i++)
		if (is_same(found->sockets[i], &is))
			return;
	strcpy(found->sockets[found->count++], path);
}

static void add_matching(struct found *found, const char *folder, const char *pattern)
{
	char whole[4096];
	glob_t all;

	if ((size_t)snprintf(whole, sizeof(whole), "%s/%s", folder, pattern) >= sizeof(whole))
		return;
	if (glob(whole, 0, NULL, &all) == 0)
		for (size_t i = 0; i < all.gl_pathc; i++)
			add(found, all.gl_pathv[i]);
	globfree(&all);
}

static void add_folder(struct found *found, const char *folder)
{
	add_matching(found, folder, "control");
	add_matching(found, folder, "*.control");
	add_matching(found, folder, "*/control");
	add_matching(found, folder, "*/*.control");
	add_matching(found, folder, "ramzswap/*/control");
}

/* nbdkit ... control=PATH ...  A relative path is of where it was started, which nobody knows. */
static bool add_server(void *opaque, const struct process *process)
{
	for (size_t i = 1; i < process->count; i++)
		if (!strncmp(process->words[i], "control=/", strlen("control=/")))
			add(opaque, process->words[i] + strlen("control="));
	return true;
}

static int by_name(const void *one, const void *other)
{
	return strcmp(one, other);
}

void find_sockets(struct found *found)
{
	const char *own = getenv("XDG_RUNTIME_DIR");

	found->count = 0;
	add_folder(found, "/run");
	if (own && *own == '/')
		add_folder(found, own);
	processes_named("nbdkit", add_server, found);
	/* As ramzswap(8) names it. */
	processes_named("@nbdkit", add_server, found);
	qsort(found->sockets, found->count, sizeof(found->sockets[0]), by_name);
}

static void tell_apart(struct disk *disks, size_t count)
{
	bool same[FIND_MAX] = { false };

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++)
			if (i != j && !strcmp(disks[i].name, disks[j].name))
				same[i] = true;
	for (size_t i = 0; i < count; i++)
		if (same[i])
			memcpy(disks[i].name, disks[i].socket, sizeof(disks[i].name));
}

size_t find_ask(struct disk *disks, const char *const *sockets, size_t count,
		void (*failed)(const char *socket, const char *why))
{
	char why[ASK_WHY_MAX];
	size_t answers = 0;

	for (size_t i = 0; i < count; i++) {
		if (disk_ask(&disks[i], sockets[i], why) == 0)
			answers++;
		else if (failed)
			failed(sockets[i], why);
	}
	tell_apart(disks, count);
	return answers;
}
