/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/swap_disks.h"

/* Devices upon devices: more than anybody has, and an end for what lies upon itself. */
#define DEPTH_MAX 16

/* Of a device's directory in /sys.  On the stack for each depth: threads have small ones. */
#define DIRECTORY_MAX 512

/* A file system that a file may be on. */
struct mount {
	size_t length; /* of the path where it is mounted; 0: none yet */
	unsigned int major, minor;
	char source[PATH_MAX];
};

struct search {
	const char *root;
	unsigned int depth;
	struct swap_disks found;
	char path[PATH_MAX]; /* of the area, file or device that is looked at */
	char line[2 * PATH_MAX];
	char place[PATH_MAX];
	struct mount mount, candidate;
};

static void look_at_device(struct search *search, const char *path);
static void look_at_file(struct search *search, const char *path);

static void add(struct search *search, const char *name)
{
	struct swap_disks *found = &search->found;

	if (swap_disks_have(found, name))
		return;
	if (found->count == SWAP_DISKS_MAX || strlen(name) >= SWAP_DISK_NAME_MAX) {
		found->more = true;
		return;
	}
	strcpy(found->names[found->count++], name);
}

/* Opens a file below the root. */
static FILE *open_below(const struct search *search, const char *name)
{
	char path[DIRECTORY_MAX];

	if (snprintf(path, sizeof(path), "%s%s", search->root, name) >= (int)sizeof(path))
		return NULL;
	return fopen(path, "re");
}

/* Reads one line of a file of a device, without its end, into search->path. */
static bool read_path(struct search *search, const char *directory, const char *name)
{
	char path[DIRECTORY_MAX];
	FILE *file;
	bool done;

	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
		return false;
	file = fopen(path, "re");
	if (!file)
		return false;
	done = fgets(search->path, sizeof(search->path), file) != NULL;
	fclose(file);
	if (done)
		search->path[strcspn(search->path, "\n")] = '\0';
	return done;
}

/* The kernel writes blanks and the like as \040. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && isdigit(from[2]) &&
		    isdigit(from[3])) {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static void look_below(struct search *search, const char *directory);

/* What a device of the kernel's mapper, or of md, is made of.  Whether there is anything. */
static bool look_at_slaves(struct search *search, const char *directory)
{
	char path[DIRECTORY_MAX];
	struct dirent *entry;
	bool any = false;
	DIR *slaves;

	if (snprintf(path, sizeof(path), "%s/slaves", directory) >= (int)sizeof(path))
		return false;
	slaves = opendir(path);
	if (!slaves)
		return false;
	while ((entry = readdir(slaves)) != NULL) {
		size_t length = strlen(path);

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path + length, sizeof(path) - length, "/%s", entry->d_name);
		look_below(search, path);
		path[length] = '\0';
		any = true;
	}
	closedir(slaves);
	return any;
}

/* Of what is behind a loop device. */
static bool is_node(const struct search *search, const char *path)
{
	struct stat node;

	if (*search->root)
		return strncmp(path, "/dev/", 5) == 0;
	return stat(path, &node) == 0 && S_ISBLK(node.st_mode);
}

static void look_below_disk(struct search *search, const char *directory)
{
	bool any = look_at_slaves(search, directory);

	if (read_path(search, directory, "loop/backing_file")) {
		if (is_node(search, search->path))
			look_at_device(search, search->path);
		else
			look_at_file(search, search->path);
		any = true;
	}
	/* What zram has no room for leaves for another device. */
	if (read_path(search, directory, "backing_dev") && *search->path == '/')
		look_at_device(search, search->path);
	if (!any)
		add(search, strrchr(directory, '/') + 1);
}

/* Of a device's directory in /sys, by whichever link to it. */
static void look_below(struct search *search, const char *link)
{
	char directory[DIRECTORY_MAX];
	char *whole = search->depth < DEPTH_MAX ? realpath(link, NULL) : NULL;

	if (!whole || strlen(whole) >= sizeof(directory)) {
		free(whole);
		search->found.more = true;
		return;
	}
	strcpy(directory, whole);
	free(whole);
	search->depth++;
	if (read_path(search, directory, "partition"))
		*strrchr(directory, '/') = '\0';
	look_below_disk(search, directory);
	search->depth--;
}

static void look_at_number(struct search *search, unsigned int major, unsigned int minor)
{
	char directory[DIRECTORY_MAX];

	snprintf(directory, sizeof(directory), "%s/sys/dev/block/%u:%u", search->root, major,
		 minor);
	look_below(search, directory);
}

/* By the name that the kernel has for it, where there is no such node (any more). */
static void look_at_name(struct search *search, const char *path)
{
	char directory[DIRECTORY_MAX];
	const char *name = strncmp(path, "/dev/", 5) ? path : path + 5;
	int start = snprintf(directory, sizeof(directory), "%s/sys/class/block/", search->root);
	int length = (int)strcspn(name, " "); /* " (deleted)" */

	snprintf(directory + start, sizeof(directory) - (size_t)start, "%.*s", length, name);
	for (char *slash = directory + start; (slash = strchr(slash, '/'));)
		*slash = '!';
	if (access(directory, F_OK) == 0)
		look_below(search, directory);
	else
		add(search, directory + start);
}

static void look_at_device(struct search *search, const char *path)
{
	struct stat node;

	/* Below another root there are no nodes. */
	if (!*search->root && stat(path, &node) == 0 && S_ISBLK(node.st_mode))
		look_at_number(search, major(node.st_rdev), minor(node.st_rdev));
	else
		look_at_name(search, path);
}

/* Reads search->line, of mountinfo.  Whether path is below that mount. */
static bool read_mount(struct search *search, const char *path)
{
	struct mount *mount = &search->candidate;
	const char *rest;

	if (sscanf(search->line, "%*d %*d %u:%u %*s %4095s", &mount->major, &mount->minor,
		   search->place) != 3)
		return false;
	unescape(search->place);
	mount->length = strlen(search->place);
	if (strncmp(path, search->place, mount->length) != 0 ||
	    (mount->length > 1 && path[mount->length] != '/'))
		return false;
	mount->source[0] = '\0';
	rest = strstr(search->line, " - ");
	if (rest && sscanf(rest, " - %*s %4095s", mount->source) == 1)
		unescape(mount->source);
	return true;
}

/* Into search->mount: the last one of those that cover most of the path hides the others. */
static bool find_mount(struct search *search, const char *path)
{
	FILE *mounts = open_below(search, "/proc/self/mountinfo");

	search->mount.length = 0;
	if (!mounts)
		return false;
	while (fgets(search->line, sizeof(search->line), mounts)) {
		if (read_mount(search, path) && search->candidate.length >= search->mount.length)
			search->mount = search->candidate;
	}
	fclose(mounts);
	return search->mount.length > 0;
}

static void look_at_file(struct search *search, const char *path)
{
	const struct mount *mount = &search->mount;

	if (!find_mount(search, path))
		search->found.more = true;
	else if (mount->major != 0)
		look_at_number(search, mount->major, mount->minor);
	else if (mount->source[0] == '/')
		/* A file system that numbers itself, as btrfs does. */
		look_at_device(search, mount->source);
}

/* A line of /proc/swaps. */
static void look_at_area(struct search *search)
{
	char type[32];

	if (sscanf(search->line, "%4095s %31s", search->path, type) != 2)
		return;
	unescape(search->path);
	if (strcmp(type, "file") == 0)
		look_at_file(search, search->path);
	else
		look_at_device(search, search->path);
}

bool swap_disks_find(const char *root, struct swap_disks *disks)
{
	struct search *search = calloc(1, sizeof(*search));
	FILE *swaps = NULL;

	if (search) {
		search->root = root;
		swaps = open_below(search, "/proc/swaps");
	}
	if (!swaps) {
		free(search);
		return false;
	}
	/* The heading first. */
	if (fgets(search->line, sizeof(search->line), swaps)) {
		while (fgets(search->line, sizeof(search->line), swaps))
			look_at_area(search);
	}
	fclose(swaps);
	*disks = search->found;
	free(search);
	return true;
}

bool swap_disks_have(const struct swap_disks *disks, const char *name)
{
	for (unsigned int i = 0; i < disks->count; i++) {
		if (strcmp(disks->names[i], name) == 0)
			return true;
	}
	return false;
}

bool swap_disks_have_of(const struct swap_disks *disks, const char *driver)
{
	size_t length = strlen(driver);

	for (unsigned int i = 0; i < disks->count; i++) {
		if (strncmp(disks->names[i], driver, length) == 0 &&
		    isdigit((unsigned char)disks->names[i][length]))
			return true;
	}
	return disks->more;
}

/* FNV-1a of the first word of each line, with its end. */
static uint64_t sum_of_names(const char *text, size_t length)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	bool name = true;

	for (size_t i = 0; i < length; i++) {
		if (name)
			sum = (sum ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
		if (text[i] == '\n')
			name = true;
		else if (text[i] == ' ' || text[i] == '\t')
			name = false;
	}
	return sum;
}

bool swap_disks_changed(int swaps, uint64_t *names)
{
	char text[4096];
	ssize_t length = swaps < 0 ? -1 : pread(swaps, text, sizeof(text), 0);
	uint64_t sum;

	if (length < 0)
		return false;
	sum = sum_of_names(text, (size_t)length);
	if (sum == *names)
		return false;
	*names = sum;
	return true;
}
