/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/secrecy.h"

void secrecy_begin(void)
{
	const char *off = getenv(SECRECY_OFF);
	struct rlimit limit;

	if (off && strcmp(off, "1") == 0)
		return;
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* Where something makes the process dumpable again; the hard limit is for the children. */
	if (getrlimit(RLIMIT_CORE, &limit) == 0) {
		limit.rlim_cur = 0;
		(void)setrlimit(RLIMIT_CORE, &limit);
	}
}
