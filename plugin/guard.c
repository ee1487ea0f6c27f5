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
 * anyhow; programs that need it get SIGBUS, and the machine lives.  Where swapoff would
 * give them something else instead (guard_kernel.h) the device is only disconnected.
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
#include <sys/utsname.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "ballast.h"
#include "guard_kernel.h"
#include "guard_log.h"

/* Between two tries of swapoff, and how many: a minute in all. */
#define RETRY_MS 100
#define TRIES 600

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "ramzswap-guard: %s: %s\n", what, why);
	/* ramzswap(8) starts it without a terminal. */
	guard_log(LOG_ERR, "%s: %s", what, why);
	exit(EXIT_FAILURE);
}

static void protect(void)
{
	const struct sched_param priority = { .sched_priority = 1 };
	int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (file < 0 || write(file, "-1000", 5) < 0)
		guard_log(LOG_WARNING, "the OOM killer may choose this process: %s",
			  strerror(errno));
	if (file >= 0)
		close(file);
	if (sched_setscheduler(0, SCHED_RR, &priority))
		guard_log(LOG_WARNING, "no real-time class: %s", strerror(errno));
	if (mlockall(MCL_CURRENT))
		guard_log(LOG_WARNING, "memory cannot be locked: %s", strerror(errno));
}

static void rest(unsigned int ms)
{
	struct timespec time = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&time, NULL);
}

/*
 * Requests that the server took along end by this, and no new one is sent.  One that is
 * disconnected already is fine.
 */
static bool disconnect(const char *device)
{
	int fd = open(device, O_RDWR | O_CLOEXEC);
	bool done;

	if (fd < 0)
		return false;
	done = ioctl(fd, NBD_CLEAR_SOCK) == 0;
	close(fd);
	return done;
}

/*
 * In a child, since the OOM killer's first choice is whoever is at swapoff, whatever its
 * score.  The pages in the kernel's swap cache come back, all others are marked as lost.
 */
static bool take_swap_away(const char *device)
{
	int status = 0;
	unsigned int waited = 0;
	pid_t ended, child = fork();

	if (child == 0)
		_exit(swapoff(device) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
	if (child < 0)
		return false;
	/* It waits for requests: should one have come between, it ends by another disconnect. */
	while ((ended = waitpid(child, &status, WNOHANG)) == 0) {
		rest(RETRY_MS);
		if (++waited % 10 == 0)
			disconnect(device);
	}
	return ended == child && status == 0;
}

/* There is time now, but not for ever. */
static void report(const char *device, bool off)
{
	for (int i = 0; i < TRIES; i++) {
		if (guard_log(LOG_CRIT, off ?
			      "the server of %s is dead: swap there is off, programs with pages there "
			      "get SIGBUS; 'ramzswap stop' tidies up" :
			      "the server of %s is dead: programs with pages there get SIGBUS; this "
			      "kernel cannot take swap away safely: restart the machine",
			      device) != -EAGAIN)
			return;
		rest(RETRY_MS);
	}
}

static void bury(const char *device)
{
	struct utsname kernel;
	bool safe = uname(&kernel) == 0 && kernel_marks_lost_pages(kernel.release);
	uint64_t size, used;

	for (int i = 0; i < TRIES && area_read(device, &size, &used); i++) {
		/* Without it swapoff would wait for what the server took along, without end. */
		if (disconnect(device) && (!safe || take_swap_away(device))) {
			report(device, safe);
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

	guard_log_open(_PATH_LOG);
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
