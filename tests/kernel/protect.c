/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into nbdkit, gives any of its plugins the protections that a server of
 * swap needs, so that nbdkit's memory plugin can be compared with ours on equal terms.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

/* Locks do not survive the fork by which nbdkit goes into the background. */
static void lock_memory(void)
{
	mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

__attribute__((constructor)) static void protect(void)
{
	int file;

	if (!strstr(program_invocation_short_name, "nbdkit"))
		return;
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	file = open("/proc/self/oom_score_adj", O_WRONLY);
	if (file >= 0) {
		if (write(file, "-1000", 5) < 0)
			_exit(1);
		close(file);
	}
	pthread_atfork(NULL, NULL, lock_memory);
}
