/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What more than one room has to know of the kernel. */
#ifndef RAMZSWAP_GUARD_KERNEL_H
#define RAMZSWAP_GUARD_KERNEL_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>

/* Headers may be older than the kernel. */
#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57 /* Linux 5.6 */
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21 /* Linux 5.4 */
#endif

/* Whether it is that version or a later one. */
static inline bool kernel_is_from(const char *release, unsigned int major, unsigned int minor)
{
	unsigned int is_major, is_minor;

	if (sscanf(release, "%u.%u", &is_major, &is_minor) != 2)
		return false;
	return is_major > major || (is_major == major && is_minor >= minor);
}

/*
 * Whether swapoff marks the pages that it cannot read as lost.  Before Linux 5.19 (commit
 * 9f186f9e5fa9) it gives them back to their programs with whatever was in memory.  release is
 * that of uname(2); one that cannot be read is none of which this is known.
 */
static inline bool kernel_marks_lost_pages(const char *release)
{
	return kernel_is_from(release, 5, 19);
}

/*
 * Whether a page of zeroes that is swapped out takes a slot but is never written: the kernel notes
 * it beside the slot, and the page's memory is free at once.
 */
static inline bool kernel_notes_zero_pages(const char *release)
{
	return kernel_is_from(release, 6, 12);
}

#endif
