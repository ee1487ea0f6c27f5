/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command that a server carries out, and how far it is: lines "name value".  done and total are
 * in pages of the disk, or in bytes for writeback; total is 0 where it is not known, and an
 * estimate.
 */
#ifndef RAMZSWAP_CONTROL_PROGRESS_H
#define RAMZSWAP_CONTROL_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

struct control_progress {
	char command[16]; /* none: the server carries out nothing that takes long */
	uint64_t milliseconds, done, total;
	uint64_t round; /* from 1 on, 0 before: some commands go through the disk more than once */
};

#define CONTROL_PROGRESS_MAX 256

/* The length without the NUL, or -ENOSPC if size is too small, which CONTROL_PROGRESS_MAX never is.
 */
int control_progress_format(const struct control_progress *progress, char *text, size_t size);

/*
 * Reads such lines; the server may be of another version.  0, or -EBADMSG if there is no command
 * among them: *progress is untouched then.
 */
int control_progress_parse(struct control_progress *progress, const char *text);

#endif
