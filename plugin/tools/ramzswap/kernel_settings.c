/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <limits.h>
#include <string.h>

#include "tools/ramzswap/host.h"
#include "tools/ramzswap/kernel_settings.h"

/* The run directory, with what a name may not hold taken out. */
static void name_of_user(const struct host *host, char *name, size_t size)
{
	snprintf(name, size, "%s", host->run);
	for (char *at = name; (at = strchr(at, '/'));)
		*at = '_';
}

bool kernel_user_file(const struct host *host, char *path, size_t size)
{
	char name[PATH_MAX];

	name_of_user(host, name, sizeof(name));
	return host_path(host, path, size, HOST_KERNEL "/%s.user", name);
}

/* Whether a file NAME.user is that of a disk in use. */
static bool is_in_use(const struct host *host, const char *file)
{
	const char *end = strrchr(file, '.');
	char run[PATH_MAX];

	return end && strcmp(end, ".user") == 0 &&
	       host_read(host, run, sizeof(run), HOST_KERNEL "/%s", file) && *run &&
	       host_exists(host, "%s/state", run);
}

static bool another_is_in_use(const struct host *host)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *directory;

	if (!host_path(host, path, sizeof(path), HOST_KERNEL))
		return false;
	directory = opendir(path);
	if (!directory)
		return false;
	while (!found && (entry = readdir(directory)))
		found = is_in_use(host, entry->d_name);
	closedir(directory);
	return found;
}

/* Lines "VALUE FILE". */
static void restore_saved(const struct host *host)
{
	char text[4096], *rest = text, *line, *file;

	if (!host_read(host, text, sizeof(text), HOST_KERNEL "/saved"))
		return;
	while ((line = strsep(&rest, "\n"))) {
		file = strchr(line, ' ');
		if (!file)
			continue;
		*file++ = '\0';
		if (strncmp(file, "/proc/sys/", strlen("/proc/sys/")) != 0 ||
		    !host_write(host, line, "%s", file))
			host_warn(host, "cannot restore %s to %s", file, line);
	}
}

static void give_back(const struct host *host)
{
	char name[PATH_MAX];

	if (!host_exists(host, HOST_KERNEL))
		return;
	name_of_user(host, name, sizeof(name));
	host_remove(host, HOST_KERNEL "/%s.user", name);
	if (another_is_in_use(host)) {
		host_say(host, "another disk is in use: the kernel's settings stay as they are");
		return;
	}
	restore_saved(host);
	host_remove(host, HOST_KERNEL);
}

void kernel_restore(struct host *host)
{
	char path[PATH_MAX];
	int lock = host_path(host, path, sizeof(path), HOST_KERNEL ".lock")
			   ? host->calls->lock(host, path)
			   : -1;

	if (lock < 0) {
		host_complain(host, HOST_KERNEL ".lock: cannot be written");
		return;
	}
	give_back(host);
	host->calls->unlock(host, lock);
}
