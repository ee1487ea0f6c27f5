/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ramzswap-settings: reads the settings of disks of swap, for ramzswap(8) and for people.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/size.h"
#include "tools/settings/files.h"

/* What "set" writes. */
#define SET_DIRECTORY "/etc/ramzswap.conf.d"
#define SET_FILE SET_DIRECTORY "/90-set.conf"

/* Whose mistakes count. */
struct judge {
	const char *disk; /* NULL: all */
	unsigned int mistakes;
};

static void usage(FILE *to)
{
	fputs("usage: ramzswap-settings COMMAND\n"
	      "\n"
	      "Commands:\n"
	      "  check                    tell all mistakes, of all disks\n"
	      "  list                     list the disks\n"
	      "  show [DISK]              show what is set, and where\n"
	      "  set [DISK] NAME=VALUE... write settings\n"
	      "  shell [DISK]             show them as ramzswap reads them\n"
	      "\n"
	      "Options:\n"
	      "  -h, --help     show this text\n"
	      "  -V, --version  show the version\n"
	      "\n"
	      "DISK is swap where none is named.  ramzswap.conf(5) has the settings.\n",
	      to);
}

static int mistake(const char *what)
{
	fprintf(stderr, "ramzswap: %s: 'ramzswap-settings --help' shows what it takes\n", what);
	return EXIT_FAILURE;
}

static const char *root(void)
{
	const char *named = getenv("RAMZSWAP_SETTINGS_ROOT");

	return named ? named : "";
}

static void complain(void *context, const char *disk, const char *line)
{
	struct judge *judge = context;

	/* Another disk's mistakes are no reason not to start this one. */
	if (judge->disk && disk[0] && strcmp(disk, judge->disk) != 0)
		return;
	judge->mistakes++;
	fprintf(stderr, "ramzswap: %s\n", line);
}

/* Exit status: whether the settings of the disk, or of all, are right. */
static int read_all(struct settings *settings, const char *disk)
{
	struct judge judge = { .disk = disk };
	int err = settings_read(settings, root(), size_of_ram(), complain, &judge);

	if (err) {
		fprintf(stderr, "ramzswap: the settings cannot be read: %s\n", strerror(-err));
		return EXIT_FAILURE;
	}
	return judge.mistakes ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int find_disk(struct settings *settings, const char *disk)
{
	if (read_all(settings, disk))
		return EXIT_FAILURE;
	if (settings_have(settings, disk))
		return EXIT_SUCCESS;
	fprintf(stderr, "ramzswap: there is no disk '%s': it wants a line [%s] in %s\n", disk, disk,
		"/etc/ramzswap.conf");
	return EXIT_FAILURE;
}

/* No value has a quote in it (files.c), and so no one ends early. */
static int shell(struct settings *settings, const char *disk)
{
	if (find_disk(settings, disk))
		return EXIT_FAILURE;
	for (const struct key *key = keys; key->name; key++) {
		const struct setting *setting = settings_find(settings, disk, key);

		if (setting && key->variable)
			printf("%s='%s'\n", key->variable, setting->resolved);
		else if (setting)
			printf("OPTIONS=\"${OPTIONS-} \"'%s=%s'\n", key->name, setting->resolved);
	}
	return EXIT_SUCCESS;
}

static int show(struct settings *settings, const char *disk)
{
	if (find_disk(settings, disk))
		return EXIT_FAILURE;
	printf("[%s]\n", disk);
	for (const struct key *key = keys; key->name; key++) {
		const struct setting *setting = settings_find(settings, disk, key);

		if (!setting)
			continue;
		printf("%s = %s", key->name, setting->value);
		if (strcmp(setting->value, setting->resolved) != 0)
			printf(" (%s bytes)", setting->resolved);
		printf("    # %s:%u\n", settings->files[setting->file], setting->line);
	}
	return EXIT_SUCCESS;
}

static int list(struct settings *settings)
{
	int status = read_all(settings, NULL);

	puts(DISK_DEFAULT);
	for (unsigned int i = 0; i < settings->disk_count; i++)
		if (strcmp(settings->disks[i], DISK_DEFAULT) != 0)
			puts(settings->disks[i]);
	return status;
}

/* The key of a word NAME=VALUE, or NULL. */
static const struct key *key_of(char *word)
{
	char *equals = strchr(word, '=');
	const struct key *key;

	*equals = '\0';
	key = key_find(word);
	*equals = '=';
	return key;
}

/* Each NAME=VALUE is set to what it is, and what was set of another name stays.  0 or a negative
 * errno. */
static int write_set(FILE *file, const struct settings *settings, const char *disk, int count,
		     char **words)
{
	bool failed = fputs("# Written by ramzswap set.\n", file) < 0;
	char own[PATH_MAX], section[DISK_MAX] = "";

	snprintf(own, sizeof(own), "%s%s", root(), SET_FILE);
	for (unsigned int i = 0; i < settings->count; i++) {
		const struct setting *setting = &settings->all[i];
		bool replaced = false;

		if (strcmp(settings->files[setting->file], own) != 0)
			continue;
		for (int j = 0; j < count && strcmp(setting->disk, disk) == 0; j++)
			replaced |= key_of(words[j]) == setting->key;
		if (replaced)
			continue;
		if (strcmp(section, setting->disk) != 0)
			failed |= fprintf(file, "[%s]\n", setting->disk) < 0;
		strcpy(section, setting->disk);
		failed |= fprintf(file, "%s = %s\n", setting->key->name, setting->value) < 0;
	}
	failed |= fprintf(file, "[%s]\n", disk) < 0;
	for (int j = 0; j < count; j++)
		failed |= fprintf(file, "%s\n", words[j]) < 0;
	failed |= fflush(file) != 0 || fsync(fileno(file)) != 0;
	return failed ? -EIO : 0;
}

static int cannot_write(const char *path)
{
	fprintf(stderr, "ramzswap: %s: cannot be written: %s\n", path, strerror(errno));
	return EXIT_FAILURE;
}

/* The file is there as it was or as it is to be, and never in between. */
static int replace_set(const struct settings *settings, const char *disk, int count, char **words)
{
	char path[PATH_MAX], made[PATH_MAX];
	FILE *file;
	int err;

	snprintf(path, sizeof(path), "%s%s", root(), SET_DIRECTORY);
	if (mkdir(path, 0755) && errno != EEXIST)
		return cannot_write(path);
	snprintf(path, sizeof(path), "%s%s", root(), SET_FILE);
	snprintf(made, sizeof(made), "%s%s.new", root(), SET_FILE);
	file = fopen(made, "we");
	if (!file)
		return cannot_write(made);
	err = write_set(file, settings, disk, count, words);
	if (fclose(file) || err || rename(made, path)) {
		cannot_write(path);
		unlink(made);
		return EXIT_FAILURE;
	}
	printf("ramzswap: written to %s; 'ramzswap reload' says what of it holds now\n", path);
	return EXIT_SUCCESS;
}

/* Whether an earlier one of these words NAME=VALUE sets the same as the last one. */
static bool is_set_twice(int last, char **words)
{
	for (int i = 0; i < last; i++)
		if (key_of(words[i]) == key_of(words[last]))
			return true;
	return false;
}

static int set(struct settings *settings, int count, char **words)
{
	const char *disk = DISK_DEFAULT;
	char resolved[VALUE_MAX], why[SETTINGS_WHY_MAX];

	if (count > 0 && !strchr(words[0], '=')) {
		disk = *words++;
		count--;
	}
	if (count == 0 || !disk_is_named(disk)) {
		fputs("ramzswap: set takes [DISK] NAME=VALUE..., such as set size=50%\n", stderr);
		return EXIT_FAILURE;
	}
	for (int i = 0; i < count; i++) {
		char *equals = strchr(words[i], '=');
		bool right;

		if (!equals || strpbrk(words[i], "\r\n")) {
			fprintf(stderr,
				"ramzswap: '%s' is not NAME=VALUE, without blanks, such as "
				"size=50%%\n",
				words[i]);
			return EXIT_FAILURE;
		}
		*equals = '\0';
		right = settings_accept(words[i], equals + 1, size_of_ram(), resolved, why,
					sizeof(why));
		*equals = '=';
		if (!right) {
			fprintf(stderr, "ramzswap: %s\n", why);
			return EXIT_FAILURE;
		}
		if (is_set_twice(i, words)) {
			fprintf(stderr, "ramzswap: %s is set twice, last by '%s': leave one out\n",
				key_of(words[i])->name, words[i]);
			return EXIT_FAILURE;
		}
	}
	/* Mistakes of other files are theirs; of its own there are none but by hand. */
	read_all(settings, disk);
	return replace_set(settings, disk, count, words);
}

static int run(struct settings *settings, int argc, char **argv)
{
	const char *disk = argc > 2 ? argv[2] : DISK_DEFAULT;
	const char *command = argv[1];

	if (strcmp(command, "set") == 0)
		return set(settings, argc - 2, argv + 2);
	if (strcmp(command, "check") == 0)
		return argc == 2 ? read_all(settings, NULL)
				 : mistake("settings check takes no arguments");
	if (strcmp(command, "list") == 0)
		return argc == 2 ? list(settings) : mistake("settings list takes no arguments");
	if (strcmp(command, "show") == 0)
		return argc <= 3 ? show(settings, disk) : mistake("settings show takes one disk");
	if (strcmp(command, "shell") == 0)
		return argc <= 3 ? shell(settings, disk) : mistake("settings shell takes one disk");
	return mistake("ramzswap-settings takes check, list, show, set or shell");
}

int main(int argc, char **argv)
{
	struct settings *settings;
	int status;

	if (argc < 2)
		return mistake("ramzswap-settings takes check, list, show, set or shell");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return EXIT_SUCCESS;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts("ramzswap-settings " RAMZSWAP_VERSION);
		return EXIT_SUCCESS;
	}
	settings = malloc(sizeof(*settings));
	if (!settings) {
		fprintf(stderr, "ramzswap: %s\n", strerror(ENOMEM));
		return EXIT_FAILURE;
	}
	status = run(settings, argc, argv);
	free(settings);
	return status;
}
