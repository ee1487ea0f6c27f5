/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into a server: as soon as there is a /run/break-ring the kernel refuses it the ring by
 * which its ublk device is served.
 */
#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The server alone: the guard, whose rings these are, too, inherits what is preloaded. */
static int is_server(void)
{
	return strstr(program_invocation_short_name, "nbdkit") != NULL;
}

EXPORT int io_uring_submit_and_wait(struct io_uring *ring, unsigned int count)
{
	static int (*real)(struct io_uring *, unsigned int);

	/* Commands about the device go on: that is another ring. */
	if (!(ring->flags & IORING_SETUP_SQE128) && is_server() &&
	    access("/run/break-ring", F_OK) == 0)
		return -EBADF;
	if (!real)
		real = (int (*)(struct io_uring *, unsigned int))dlsym(RTLD_NEXT,
								       "io_uring_submit_and_wait");
	return real(ring, count);
}
