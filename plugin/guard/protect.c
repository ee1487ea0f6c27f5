/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "base/image.h"
#include "base/secrecy.h"
#include "guard/log.h"
#include "guard/protect.h"

/* All frames of the guard's functions together are less than half of it. */
#define STACK_KEPT (UINT64_C(64) << 10)

/*
 * The kernel maps more of a stack than a process uses, and to lock all that is mapped makes it
 * resident.  Below the stack nothing is mapped.
 */
static void give_unused_stack_back(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t at = ((uintptr_t)__builtin_frame_address(0) & ~(page - 1)) - STACK_KEPT;
	unsigned char resident;

	for (; mincore((void *)(at - page), page, &resident) == 0; at -= page) {
		munlock((void *)(at - page), page);
		madvise((void *)(at - page), page, MADV_DONTNEED);
	}
}

static void give_unread_back(void)
{
	give_unused_stack_back();
	image_unlock_all_unread();
}

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
	malloc_trim(0);
	if (mlockall(MCL_CURRENT))
		guard_log(LOG_WARNING,
			  "the guard may itself be swapped out: its memory cannot be locked: %s",
			  strerror(errno));
	else
		give_unread_back();
	secrecy_begin();
}
