/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See files.h. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "tools/settings/files.h"

#define LINE_MAX_LENGTH 512

/* In the order in which they are read.  Drop-ins are those of all directories, by their names. */
static const char *const main_files[] = { SETTINGS_SHIPPED "/ramzswap.conf", "/etc/ramzswap.conf" };
static const char *const directories[] = { SETTINGS_SHIPPED "/ramzswap.conf.d",
					   "/etc/ramzswap.conf.d" };

struct reading {
	struct settings *settings;
	const char *path;
	unsigned int line;
	char disk[DISK_MAX];
	bool lost; /* in a section that is none: what it holds is not told as well */
	uint64_t ram;
	settings_complain *complain;
	void *context;
};

static void mistake(struct reading *reading, const char *what)
{
	char line[PATH_MAX + SETTINGS_WHY_MAX + 16];

	snprintf(line, sizeof(line), "%s:%u: %s", reading->path, reading->line, what);
	reading->settings->mistakes++;
	reading->complain(reading->context, reading->disk, line);
}

bool disk_is_named(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return name[0] >= 'a' && name[0] <= 'z' && !name[length] && length < DISK_MAX;
}

bool settings_have(const struct settings *settings, const char *disk)
{
	for (unsigned int i = 0; i < settings->disk_count; i++)
		if (strcmp(settings->disks[i], disk) == 0)
			return true;
	return strcmp(disk, DISK_DEFAULT) == 0;
}

static char *trimmed(char *text)
{
	size_t length;

	text += strspn(text, " \t");
	length = strlen(text);
	while (length > 0 && strchr(" \t", text[length - 1]))
		text[--length] = '\0';
	return text;
}

static void read_section(struct reading *reading, char *line)
{
	struct settings *settings = reading->settings;
	size_t length = strlen(line);
	char what[SETTINGS_WHY_MAX];

	reading->disk[0] = '\0';
	reading->lost = true;
	if (line[length - 1] != ']') {
		mistake(reading, "a section is a line such as [swap]");
		return;
	}
	line[length - 1] = '\0';
	line = trimmed(line + 1);
	if (!disk_is_named(line)) {
		snprintf(what, sizeof(what),
			 "[%.64s]: a disk's name begins with a letter a to z, and has letters, "
			 "digits, _ and - (%d at most)",
			 line, DISK_MAX - 1);
		mistake(reading, what);
		return;
	}
	strcpy(reading->disk, line);
	reading->lost = false;
	if (settings->disk_count == SETTINGS_MAX)
		return;
	for (unsigned int i = 0; i < settings->disk_count; i++)
		if (strcmp(settings->disks[i], line) == 0)
			return;
	strcpy(settings->disks[settings->disk_count++], line);
}

const struct key *settings_accept(const char *name, const char *value, uint64_t ram, char *resolved,
				  char *why, size_t why_size)
{
	const struct key *key = key_find(name), *near = key_near(name);

	if (!key && near)
		snprintf(why, why_size, "there is no setting '%.64s': is it '%s'?", name,
			 near->name);
	else if (!key)
		snprintf(why, why_size, "there is no setting '%.64s': see ramzswap.conf(5)", name);
	else if (strlen(value) >= VALUE_MAX)
		snprintf(why, why_size, "the value of %s is too long", name);
	else if (!key_value(key, value, ram, resolved, why, why_size))
		return NULL;
	/* They become words of a command line. */
	else if (strpbrk(resolved, " \t'\"*[]\\"))
		snprintf(why, why_size,
			 "the value of %s has a blank, a quote or one of * [ ] \\ in it", name);
	else
		return key;
	return NULL;
}

/* The quotes around a value are not of it. */
static char *unquoted(char *value)
{
	size_t length = strlen(value);

	if (length >= 2 && (*value == '"' || *value == '\'') && value[length - 1] == *value) {
		value[length - 1] = '\0';
		return value + 1;
	}
	return value;
}

static void read_setting(struct reading *reading, char *line)
{
	struct settings *settings = reading->settings;
	struct setting *setting = &settings->all[settings->count];
	char *equals = strchr(line, '='), *value;
	char what[SETTINGS_WHY_MAX];

	if (!equals) {
		mistake(reading, "this is none of NAME = VALUE, [DISK] and # COMMENT");
		return;
	}
	*equals = '\0';
	line = trimmed(line);
	value = unquoted(trimmed(equals + 1));
	if (settings->count == SETTINGS_MAX) {
		mistake(reading, "these are too many settings");
		return;
	}
	setting->key =
		settings_accept(line, value, reading->ram, setting->resolved, what, sizeof(what));
	if (!setting->key) {
		mistake(reading, what);
		return;
	}
	strcpy(setting->value, value);
	strcpy(setting->disk, reading->disk);
	setting->file = settings->file_count - 1;
	setting->line = reading->line;
	settings->count++;
}

static void read_line(struct reading *reading, char *line)
{
	reading->line++;
	for (const char *c = line; *c; c++)
		if ((*c > '\0' && *c < ' ' && *c != '\t') || *c == 127) {
			mistake(reading, *c == '\r' ? "this line ends with a carriage return"
						    : "this line has a control character in it");
			return;
		}
	line = trimmed(line);
	if (!*line || *line == '#' || *line == ';')
		return;
	if (*line == '[')
		read_section(reading, line);
	else if (!reading->lost)
		read_setting(reading, line);
}

/* 0 also where there is no such file. */
static int read_file(struct reading *reading, const char *root, const char *path)
{
	struct settings *settings = reading->settings;
	char line[LINE_MAX_LENGTH + 2], name[PATH_MAX];
	FILE *file;

	if ((size_t)snprintf(name, sizeof(name), "%s%s", root, path) >= sizeof(name) ||
	    settings->file_count == FILES_MAX)
		return -E2BIG;
	file = fopen(name, "re");
	if (!file)
		return errno == ENOENT ? 0 : -errno;
	strcpy(settings->files[settings->file_count++], name);
	reading->path = name;
	reading->line = 0;
	reading->disk[0] = '\0';
	reading->lost = false;
	while (fgets(line, sizeof(line), file)) {
		size_t length = strcspn(line, "\n");

		if (line[length] == '\n' || feof(file)) {
			line[length] = '\0';
			read_line(reading, line);
			continue;
		}
		reading->line++;
		mistake(reading, "this line is too long");
		while (fgets(line, sizeof(line), file) && !strchr(line, '\n'))
			;
	}
	fclose(file);
	return 0;
}

struct drop_in {
	char name[NAME_MAX + 1];
	unsigned int directory;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct drop_in *)a)->name, ((const struct drop_in *)b)->name);
}

static bool is_drop_in(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".conf") == 0;
}

/* Puts name among the drop-ins, or in the place of that of the same name. */
static unsigned int put_drop_in(struct drop_in *found, unsigned int count, const char *name,
				unsigned int directory)
{
	unsigned int i = 0;

	while (i < count && strcmp(found[i].name, name) != 0)
		i++;
	if (i == FILES_MAX)
		return count;
	snprintf(found[i].name, sizeof(found[i].name), "%s", name);
	found[i].directory = directory;
	return i == count ? count + 1 : count;
}

static int read_drop_ins(struct reading *reading, const char *root)
{
	static const unsigned int n = sizeof(directories) / sizeof(directories[0]);
	struct drop_in found[FILES_MAX];
	char path[PATH_MAX];
	unsigned int count = 0;
	int err = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct dirent *entry;
		DIR *directory;

		if ((size_t)snprintf(path, sizeof(path), "%s%s", root, directories[i]) >=
		    sizeof(path))
			return -E2BIG;
		directory = opendir(path);
		while (directory && (entry = readdir(directory)))
			if (is_drop_in(entry->d_name))
				count = put_drop_in(found, count, entry->d_name, i);
		if (directory)
			closedir(directory);
	}
	qsort(found, count, sizeof(found[0]), by_name);
	for (unsigned int i = 0; i < count && !err; i++) {
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", directories[found[i].directory],
				     found[i].name) >= sizeof(path))
			return -E2BIG;
		err = read_file(reading, root, path);
	}
	return err;
}

int settings_read(struct settings *settings, const char *root, uint64_t ram,
		  settings_complain *complain, void *context)
{
	struct reading reading = {
		.settings = settings, .ram = ram, .complain = complain, .context = context
	};
	int err = 0;

	memset(settings, 0, sizeof(*settings));
	for (size_t i = 0; i < sizeof(main_files) / sizeof(main_files[0]) && !err; i++)
		err = read_file(&reading, root, main_files[i]);
	return err ? err : read_drop_ins(&reading, root);
}

const struct setting *settings_find(const struct settings *settings, const char *disk,
				    const struct key *key)
{
	const struct setting *own = NULL, *shared = NULL;

	for (unsigned int i = 0; i < settings->count; i++) {
		const struct setting *setting = &settings->all[i];

		if (setting->key != key)
			continue;
		if (strcmp(setting->disk, disk) == 0)
			own = setting;
		else if (!setting->disk[0])
			shared = setting;
	}
	return own ? own : shared;
}
