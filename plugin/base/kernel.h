/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What guard and stop have to know of the kernel. */
#ifndef RAMZSWAP_GUARD_KERNEL_H
#define RAMZSWAP_GUARD_KERNEL_H

#include <stdbool.h>
#include <stdio.h>

/*
 * Whether swapoff marks the pages that it cannot read as lost.  Before Linux 5.19 (commit
 * 9f186f9e5fa9) it gives them back to their programs with whatever was in memory.  release is
 * that of uname(2); one that cannot be read is none of which this is known.
 */
static inline bool kernel_marks_lost_pages(const char *release)
{
	unsigned int major, minor;

	if (sscanf(release, "%u.%u", &major, &minor) != 2)
		return false;
	return major > 5 || (major == 5 && minor >= 19);
}

#endif
