/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of the files that a process runs nobody reads any more once it runs: the tables by which the
 * dynamic linker finds symbols, once all have been found (LD_BIND_NOW), and those by which a stack
 * is unwound (by C++, pthread_cancel, pthread_exit and debuggers).  Of Debian 12's C library that
 * is 324 KiB of 1,852 on amd64.  Where they share a segment with code, as on arm64, they stay.
 */
#ifndef RAMZSWAP_IMAGE_H
#define RAMZSWAP_IMAGE_H

#include <stdint.h>

struct dl_phdr_info;

/* Whole pages, from start to end; none where they are equal. */
struct image_part {
	uintptr_t start, end;
};

#define IMAGE_PARTS 2

/*
 * Finds those of one object, of dl_iterate_phdr.  What is not laid out as GNU ld does it has none.
 * Reads the tables.
 */
void image_unread(const struct dl_phdr_info *object, struct image_part parts[IMAGE_PARTS]);

/*
 * Unlocks them: they stay in memory until the kernel wants it for something else, and are read from
 * the file when somebody wants them after all.  To be called when all has been locked.  Without
 * locks it does nothing.  Any thread.
 */
void image_unlock(const struct image_part parts[IMAGE_PARTS]);

/* The same of all objects of the process. */
void image_unlock_all_unread(void);

#endif
