/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded: a kernel that is what it is not.  PRETEND_RELEASE is its release, and PRETEND_SWAPOFF
 * the errno that every swapoff ends with.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

__attribute__((visibility("default"))) int uname(struct utsname *name)
{
	const char *release = getenv("PRETEND_RELEASE");
	int status = (int)syscall(SYS_uname, name);

	if (status == 0 && release)
		snprintf(name->release, sizeof(name->release), "%s", release);
	return status;
}

__attribute__((visibility("default"))) int swapoff(const char *path)
{
	const char *error = getenv("PRETEND_SWAPOFF");

	if (!error)
		return (int)syscall(SYS_swapoff, path);
	errno = atoi(error);
	return -1;
}
