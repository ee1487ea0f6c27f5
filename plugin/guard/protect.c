/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "base/secrecy.h"
#include "guard/log.h"
#include "guard/protect.h"

void guard_protect(void)
{
	const struct sched_param priority = { .sched_priority = 1 };
	int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (file < 0 || write(file, "-1000", 5) < 0)
		guard_log(LOG_WARNING,
			  "the kernel may end the guard itself where memory is short: no OOM "
			  "score: %s",
			  strerror(errno));
	if (file >= 0)
		close(file);
	if (sched_setscheduler(0, SCHED_RR, &priority))
		guard_log(LOG_WARNING,
			  "the guard may come too late where memory is short: no real-time "
			  "class: %s",
			  strerror(errno));
	if (mlockall(MCL_CURRENT))
		guard_log(LOG_WARNING,
			  "the guard may itself be swapped out: its memory cannot be locked: %s",
			  strerror(errno));
	secrecy_begin();
}
