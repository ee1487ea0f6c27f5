/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To be loaded into nbdkit: of the protections of a swap server, those that need
 * CAP_SYS_RESOURCE are had without it.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int prctl(int option, ...);
EXPORTED int open(const char *path, int flags, ...);

int prctl(int option, ...)
{
	unsigned long argument[4];
	va_list list;

	if (option == PR_SET_IO_FLUSHER)
		return 0;
	va_start(list, option);
	for (int i = 0; i < 4; i++)
		argument[i] = va_arg(list, unsigned long);
	va_end(list);
	return (int)syscall(SYS_prctl, option, argument[0], argument[1], argument[2], argument[3]);
}

/* By the name that the plugin, built with the same size of file offsets, knows it by. */
int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list list;

	if (!strcmp(path, "/proc/self/oom_score_adj"))
		path = "/dev/null";
	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {
		va_start(list, flags);
		mode = va_arg(list, mode_t);
		va_end(list);
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
