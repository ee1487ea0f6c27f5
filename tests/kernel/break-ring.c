/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into a server.  As soon as there is a /run/break-ring the kernel refuses it the ring by
 * which its ublk device is served.  With a /run/lose-tag the kernel never hears of the last tag
 * that is fetched, and with a /run/refuse-tag it hears of one that it refuses.
 */
#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <string.h>
#include <unistd.h>

#include "ublk/uapi.h"

#define EXPORT __attribute__((visibility("default")))

/* The server alone: the guard, whose rings these are, too, inherits what is preloaded. */
static int is_server(void)
{
	return strstr(program_invocation_short_name, "nbdkit") != NULL;
}

/* Commands about the device go on: that is another ring. */
static int breaks(struct io_uring *ring, const char *file)
{
	return !(ring->flags & IORING_SETUP_SQE128) && is_server() && access(file, F_OK) == 0;
}

EXPORT int io_uring_submit_and_wait(struct io_uring *ring, unsigned int count)
{
	static int (*real)(struct io_uring *, unsigned int);

	if (breaks(ring, "/run/break-ring"))
		return -EBADF;
	if (!real)
		real = (int (*)(struct io_uring *, unsigned int))dlsym(RTLD_NEXT,
								       "io_uring_submit_and_wait");
	return real(ring, count);
}

EXPORT int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **completion,
					    unsigned int count, struct __kernel_timespec *time,
					    sigset_t *signals)
{
	static int (*real)(struct io_uring *, struct io_uring_cqe **, unsigned int,
			   struct __kernel_timespec *, sigset_t *);

	if (breaks(ring, "/run/break-ring"))
		return -EBADF;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "io_uring_submit_and_wait_timeout");
	return real(ring, completion, count, time, signals);
}

/* The first call of this is for all tags together. */
EXPORT int io_uring_submit_and_get_events(struct io_uring *ring)
{
	static int (*real)(struct io_uring *);
	const struct ublk_request_command nobodys = { .tag = UINT16_MAX };

	if (!real && breaks(ring, "/run/lose-tag"))
		ring->sq.sqe_tail--;
	if (!real && breaks(ring, "/run/refuse-tag"))
		memcpy(ring->sq.sqes[(ring->sq.sqe_tail - 1) & ring->sq.ring_mask].cmd, &nobodys,
		       sizeof(nobodys));
	if (!real)
		real = (int (*)(struct io_uring *))dlsym(RTLD_NEXT,
							 "io_uring_submit_and_get_events");
	return real(ring);
}
