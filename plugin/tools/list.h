/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disks as a table, one a row, as zramctl(8) has those of zram. */
#ifndef RAMZSWAP_LIST_H
#define RAMZSWAP_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "tools/disk.h"

struct list_form {
	const char *columns; /* names with commas between; NULL: those that are usual */
	bool raw, json, noheadings, bytes;
};

/*
 * Writes those of the disks that answer, "none" for people if there are none.  Sizes are in bytes
 * for programs.  0; -EINVAL for a column that there is not, with a line of why; or another negative
 * errno, as if the stream fails.
 */
int list_write(const struct disk *disks, size_t count, const struct list_form *form, FILE *out,
	       char why[ASK_WHY_MAX]);

#endif
