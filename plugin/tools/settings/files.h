/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of settings: which there are, in which order, and what they say of a disk.
 */
#ifndef RAMZSWAP_SETTINGS_FILES_H
#define RAMZSWAP_SETTINGS_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/size.h"
#include "tools/settings/keys.h"

#define DISK_MAX 32	 /* bytes of a disk's name with its end */
#define SETTINGS_MAX 512 /* lines that set something, of all files together */
#define FILES_MAX 64

/* Room for any line that says what is wrong with a setting. */
#define SETTINGS_WHY_MAX (SIZE_WHY_MAX + VALUE_MAX + 128)

/* The disk of "ramzswap start" without a name. */
#define DISK_DEFAULT "swap"

/* One line.  What stands before any section is of all disks: disk is "" then. */
struct setting {
	char disk[DISK_MAX];
	const struct key *key;
	char value[VALUE_MAX];	  /* as it is written */
	char resolved[VALUE_MAX]; /* as ramzswap is told it */
	unsigned int file;	  /* among the files */
	unsigned int line;	  /* from 1 */
};

struct settings {
	char files[FILES_MAX][PATH_MAX];
	unsigned int file_count;
	struct setting all[SETTINGS_MAX]; /* in the order in which they are read: the last wins */
	unsigned int count;
	char disks[SETTINGS_MAX][DISK_MAX]; /* that have a section */
	unsigned int disk_count;
	unsigned int mistakes; /* of all files */
};

/* Called for each mistake: of which disk's settings ("" for all), and one line that says where. */
typedef void settings_complain(void *context, const char *disk, const char *line);

/*
 * Reads all files below root ("" for the machine's own): the shipped one and its drop-ins, and
 * those of /etc (see ramzswap.conf(5)).  A drop-in of /etc takes the place of a shipped one of the
 * same name.  What is no file is none.  ram is what shares are of.  Mistakes are told and counted,
 * and what is wrong is left out.  0, or a negative errno where a file that is there cannot be read.
 */
int settings_read(struct settings *settings, const char *root, uint64_t ram,
		  settings_complain *complain, void *context);

/*
 * The key of this name, if it may have this value: resolved (VALUE_MAX bytes) is what ramzswap is
 * told. Else NULL, and why has one line.
 */
const struct key *settings_accept(const char *name, const char *value, uint64_t ram, char *resolved,
				  char *why, size_t why_size);

/* What holds for the disk of this key, or NULL: its own section's wins over that of all disks. */
const struct setting *settings_find(const struct settings *settings, const char *disk,
				    const struct key *key);

/* Whether this may be the name of a disk: a to z, 0 to 9, _ and -, beginning with a letter. */
bool disk_is_named(const char *name);

/* Whether a disk of this name is there: the default one, or one with a section. */
bool settings_have(const struct settings *settings, const char *disk);

#endif
