/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ramzswap-guard: keeps the kernel from writing without end to swap that takes no write.
 *
 * usage: ramzswap-guard DEVICE CONTROL-SOCKET SERVER-PID
 *
 * Started and ended by ramzswap(8) beside its server.  While the server lives it keeps the
 * swap area as full as the pool is (ballast.h).  When the server is dead, all the kernel's
 * writes fail, and a kernel that is short of memory tries them for ever: so the device is
 * disconnected and swap taken away from it at once.  What was there is lost then
 * anyhow; programs that need it get SIGBUS, and the machine lives.
 *
 * It has to run when the machine is short of memory: what it needs is locked, and it is of
 * a real-time class, whose processes may take a part of what the kernel keeps free where
 * all others wait in reclaim.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "ballast.h"

/* Between two tries of swapoff, and how many: a minute in all. */
#define RETRY_MS 100
#define TRIES 600

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "ramzswap-guard: %s: %s\n", what, why);
	/* ramzswap(8) starts it without a terminal. */
	syslog(LOG_ERR, "%s: %s", what, why);
	exit(EXIT_FAILURE);
}

static void protect(void)
{
	const struct sched_param priority = { .sched_priority = 1 };
	int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (file < 0 || write(file, "-1000", 5) < 0)
		syslog(LOG_WARNING, "the OOM killer may choose this process: %m");
	if (file >= 0)
		close(file);
	if (sched_setscheduler(0, SCHED_RR, &priority))
		syslog(LOG_WARNING, "no real-time class: %m");
	if (mlockall(MCL_CURRENT))
		syslog(LOG_WARNING, "memory cannot be locked: %m");
}

static void rest(unsigned int ms)
{
	struct timespec time = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&time, NULL);
}

/* Requests that the server took along end by this, and no new one is sent. */
static void disconnect(const char *device)
{
	int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	ioctl(fd, NBD_CLEAR_SOCK);
	close(fd);
}

/*
 * In a child, since the OOM killer's first choice is whoever is at swapoff, whatever its
 * score.  The pages in the kernel's swap cache come back, all others are marked as lost.
 */
static bool take_swap_away(const char *device)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(swapoff(device) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void bury(const char *device)
{
	uint64_t size, used;

	for (int i = 0; i < TRIES && area_read(device, &size, &used); i++) {
		disconnect(device);
		if (take_swap_away(device)) {
			syslog(LOG_CRIT, "the server of %s is dead: swap there is off, programs "
			       "with pages there get SIGBUS; 'ramzswap stop' tidies up", device);
			return;
		}
		rest(RETRY_MS);
	}
}

int main(int argc, char **argv)
{
	struct ballast ballast;
	struct pollfd server = { .events = POLLIN };
	uint64_t size, used;
	int err;

	openlog("ramzswap-guard", LOG_NDELAY, LOG_DAEMON);
	if (argc != 4)
		fail("usage", "ramzswap-guard DEVICE CONTROL-SOCKET SERVER-PID");
	server.fd = (int)syscall(SYS_pidfd_open, atoi(argv[3]), 0);
	if (server.fd < 0)
		fail(argv[3], strerror(errno));
	protect();
	err = ballast_init(&ballast, argv[1], argv[2]);
	if (err)
		fail(argv[1], strerror(-err));
	while (area_read(argv[1], &size, &used)) {
		unsigned int ms = ballast_look(&ballast);

		if (poll(&server, 1, (int)ms) > 0) {
			bury(argv[1]);
			break;
		}
	}
	return EXIT_SUCCESS;
}
