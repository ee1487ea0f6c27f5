/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/group.h"
#include "tools/ramzswap/freezer.h"
#include "tools/ramzswap/host.h"

/* The group for members of the root. */
#define OURS "/ramzswap-asleep"

/* So long until all are frozen, and between two looks. */
#define FREEZE_MS 10000
#define LOOK_MS 50

/* Who is born while we move the root's members is moved the next time. */
#define MOVES 5

#define SPARED_MAX 16384

/* One version of control groups. */
struct version {
	const char *name; /* in RUN/asleep */
	const char *mount;
	const char *file; /* that freezes a group */
	const char *on, *off;
	const char *state;	/* that says whether it is frozen... */
	const char *frozen;	/* ...by these words */
	const char *controller; /* of /proc/PID/cgroup */
};

static const struct version versions[] = {
	{ "2", "/sys/fs/cgroup", "cgroup.freeze", "1", "0", "cgroup.events", "frozen 1", "" },
	{ "2u", "/sys/fs/cgroup/unified", "cgroup.freeze", "1", "0", "cgroup.events", "frozen 1",
	  "" },
	{ "1", "/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", "THAWED", "freezer.state",
	  "FROZEN", "freezer" },
};

#define VERSIONS (sizeof(versions) / sizeof(versions[0]))

struct freezer {
	struct host *host;
	const struct version *version;
	FILE *record;
	size_t spared_length;
	char spared[SPARED_MAX]; /* paths of groups, each with a newline behind it */
};

/* Makes our group, which shows whether groups of this version can be frozen. */
static bool is_usable(const struct host *host, const struct version *version)
{
	char path[PATH_MAX];

	if (!host_exists(host, "%s/cgroup.procs", version->mount) ||
	    !host_path(host, path, sizeof(path), "%s" OURS, version->mount) ||
	    (mkdir(path, 0755) != 0 && errno != EEXIST))
		return false;
	if (host_exists(host, "%s" OURS "/%s", version->mount, version->file))
		return true;
	rmdir(path);
	return false;
}

static const struct version *choose_version(const struct host *host)
{
	for (size_t i = 0; i < VERSIONS; i++)
		if (is_usable(host, &versions[i]))
			return &versions[i];
	return NULL;
}

/* The path of a process's group, in text that this changes; "" for the root, NULL if it is not
 * told. */
static const char *group_in(char *text, const char *controller)
{
	const char *path = NULL;
	char *line;

	while (!path && (line = strsep(&text, "\n")))
		path = group_in_line(line, controller);
	return path && strcmp(path, "/") == 0 ? "" : path;
}

static const char *group_of(const struct freezer *freezer, pid_t process, char *text, size_t size)
{
	if (!host_read(freezer->host, text, size, "/proc/%d/cgroup", (int)process))
		return NULL;
	return group_in(text, freezer->version->controller);
}

static void spare(struct freezer *freezer, const char *group)
{
	size_t left = sizeof(freezer->spared) - freezer->spared_length;
	int length = snprintf(freezer->spared + freezer->spared_length, left, "%s\n", group);

	if (length > 0 && (size_t)length < left)
		freezer->spared_length += (size_t)length;
	else
		freezer->spared[freezer->spared_length] = '\0';
}

/* Whether a group, or one below it, is spared. */
static bool is_spared(const struct freezer *freezer, const char *group)
{
	size_t length = strlen(group);
	const char *line = freezer->spared;

	while (*line) {
		if (strncmp(line, group, length) == 0 && strchr("/\n", line[length]))
			return true;
		line = strchr(line, '\n') + 1;
	}
	return false;
}

static pid_t parent_of(const struct host *host, pid_t process)
{
	char text[32];

	host_read_field(host, text, sizeof(text), "PPid:", "/proc/%d/status", (int)process);
	return atoi(text);
}

/* Whoever asked for sleep, up to process 1. */
static bool is_of_ours(const struct host *host, pid_t process)
{
	pid_t at = host->calls->self(host);

	while (at > 1 && at != process)
		at = parent_of(host, at);
	return process == 1 || at == process;
}

/*
 * A server of swap, ours or another, and what stands beside it.  And the parts of systemd and its
 * bus: they are small, and what puts the machine to sleep asks them.
 */
static bool is_needed(const struct host *host, pid_t process)
{
	static const char *const beginnings[] = { "ramzswap-", "systemd", "dbus-" };
	char name[32];

	host_read(host, name, sizeof(name), "/proc/%d/comm", (int)process);
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
		if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return strstr(name, "nbdkit") || strstr(name, "bd-client");
}

static bool is_spared_process(const struct host *host, pid_t process)
{
	return is_of_ours(host, process) || is_needed(host, process);
}

/* Calls for each process; those that are born meanwhile may be left out. */
static void each_process(struct freezer *freezer,
			 void (*call)(struct freezer *freezer, pid_t process))
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;

	if (!host_path(freezer->host, path, sizeof(path), "/proc"))
		return;
	directory = opendir(path);
	if (!directory)
		return;
	while ((entry = readdir(directory)))
		if (isdigit((unsigned char)entry->d_name[0]))
			call(freezer, atoi(entry->d_name));
	closedir(directory);
}

static void spare_group_of(struct freezer *freezer, pid_t process)
{
	char text[4096];
	const char *group;

	if (!is_spared_process(freezer->host, process))
		return;
	group = group_of(freezer, process, text, sizeof(text));
	if (group && *group && !is_spared(freezer, group))
		spare(freezer, group);
}

/* Kernel threads have no memory of their own, and are refused. */
static void move_out_of_root(struct freezer *freezer, pid_t process)
{
	char text[4096], number[16];
	const char *group = group_of(freezer, process, text, sizeof(text));

	if (!group || *group || is_spared_process(freezer->host, process))
		return;
	if (!host_read_field(freezer->host, text, sizeof(text), "VmSize:", "/proc/%d/status",
			     (int)process))
		return;
	snprintf(number, sizeof(number), "%d", (int)process);
	host_write(freezer->host, number, "%s" OURS "/cgroup.procs", freezer->version->mount);
}

/* One that somebody else has frozen is his to let go. */
static void freeze(struct freezer *freezer, const char *group)
{
	const struct version *version = freezer->version;
	char now[64];

	host_read(freezer->host, now, sizeof(now), "%s%s/%s", version->mount, group, version->file);
	if (strcmp(now, version->on) == 0)
		return;
	/* Written down first: what is frozen is let go whatever happens. */
	fprintf(freezer->record, "%s\n", group);
	fflush(freezer->record);
	host_write(freezer->host, version->on, "%s%s/%s", version->mount, group, version->file);
}

/* All groups below one that is spared, or the root. */
static void freeze_below(struct freezer *freezer, const char *group)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;

	if (!host_path(freezer->host, path, sizeof(path), "%s%s", freezer->version->mount, group))
		return;
	directory = opendir(path);
	if (!directory)
		return;
	while ((entry = readdir(directory))) {
		struct stat file;

		if (entry->d_name[0] == '.' ||
		    fstatat(dirfd(directory), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISDIR(file.st_mode))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", group, entry->d_name) >= PATH_MAX)
			continue;
		if (is_spared(freezer, path))
			freeze_below(freezer, path);
		else
			freeze(freezer, path);
	}
	closedir(directory);
}

/* Whether each group of a record says so. */
static bool all_are_frozen(const struct freezer *freezer)
{
	const struct version *version = freezer->version;
	char line[PATH_MAX], text[256];
	bool all = true;

	rewind(freezer->record);
	if (!fgets(line, sizeof(line), freezer->record))
		return false;
	while (fgets(line, sizeof(line), freezer->record)) {
		line[strcspn(line, "\n")] = '\0';
		/* One that is gone has no members. */
		if (host_read(freezer->host, text, sizeof(text), "%s%s/%s", version->mount, line,
			      version->state) &&
		    !strstr(text, version->frozen))
			all = false;
	}
	return all;
}

static bool await_frozen(const struct freezer *freezer)
{
	struct host *host = freezer->host;
	uint64_t end = host->calls->now_ms(host) + FREEZE_MS;

	while (!all_are_frozen(freezer)) {
		if (host->calls->now_ms(host) >= end)
			return false;
		host->calls->rest(host, LOOK_MS);
	}
	return true;
}

int freezer_stop_all(struct host *host, bool *slow)
{
	struct freezer freezer = { .host = host, .version = choose_version(host) };
	char path[PATH_MAX];

	if (!freezer.version)
		return -ENOSYS;
	if (!host_path(host, path, sizeof(path), "%s/asleep", host->run))
		return -ENAMETOOLONG;
	freezer.record = fopen(path, "w+e");
	if (!freezer.record)
		return -errno;
	fprintf(freezer.record, "%s\n", freezer.version->name);
	each_process(&freezer, spare_group_of);
	for (int i = 0; i < MOVES; i++)
		each_process(&freezer, move_out_of_root);
	freeze_below(&freezer, "");
	*slow = !await_frozen(&freezer);
	fclose(freezer.record);
	return 0;
}

static void move_back(const struct host *host, const struct version *version)
{
	char members[65536], *rest = members, *process;
	char path[PATH_MAX];

	host_read(host, members, sizeof(members), "%s" OURS "/cgroup.procs", version->mount);
	while ((process = strsep(&rest, "\n")))
		if (*process)
			host_write(host, process, "%s/cgroup.procs", version->mount);
	if (host_path(host, path, sizeof(path), "%s" OURS, version->mount))
		rmdir(path);
}

static const struct version *version_named(const char *name)
{
	for (size_t i = 0; i < VERSIONS; i++)
		if (strcmp(versions[i].name, name) == 0)
			return &versions[i];
	return NULL;
}

void freezer_let_go(struct host *host)
{
	const struct version *version;
	char path[PATH_MAX], line[PATH_MAX];
	FILE *record;

	if (!host_path(host, path, sizeof(path), "%s/asleep", host->run))
		return;
	record = fopen(path, "re");
	if (!record)
		return;
	version = fgets(line, sizeof(line), record) ? version_named(strtok(line, "\n")) : NULL;
	while (version && fgets(line, sizeof(line), record)) {
		line[strcspn(line, "\n")] = '\0';
		host_write(host, version->off, "%s%s/%s", version->mount, line, version->file);
	}
	fclose(record);
	if (version)
		move_back(host, version);
	unlink(path);
}
