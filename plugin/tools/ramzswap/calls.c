/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The calls of host.h on the machine itself. */
#include <errno.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/swap.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/machine.h"
#include "tools/progress.h"
#include "tools/ramzswap/host.h"
#include "urgent.h"

/* More than the shell that starts us leaves open: standard streams and its locks. */
#define DESCRIPTORS 64

static const int user_signals[] = { SIGINT, SIGTERM, SIGHUP };

#define USER_SIGNALS (sizeof(user_signals) / sizeof(user_signals[0]))

/* For who takes them: the last that came, and the process that is at swapoff. */
static volatile sig_atomic_t user_signal, swapoff_process;

/* One that is ignored, as by nohup, stays so. */
static void handle_signals(void (*handler)(int number))
{
	struct sigaction action = { .sa_flags = SA_RESTART }, before;

	action.sa_handler = handler;
	for (size_t i = 0; i < USER_SIGNALS; i++)
		if (sigaction(user_signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(user_signals[i], &action, NULL);
}

/* What a child is to have of this process: nothing that keeps others from the processor. */
static void become_ordinary(const struct host *host)
{
	urgent_end(host->class_before);
	handle_signals(SIG_DFL);
}

/* Has who is at a terminal see how much is still swapped out, until the child ends. */
static void show_swapoff(struct host *host, pid_t child, const char *device)
{
	uint64_t start = clock_ms(), size, used, before = 0;
	struct pollfd ended = { .fd = -1, .events = POLLIN };
	struct progress progress;

	progress_begin(&progress, host->err);
	if (progress_is_seen(&progress))
		ended.fd = pidfd_open(child, 0);
	while (ended.fd >= 0 && poll(&ended, 1, PROGRESS_LOOK_MS) <= 0) {
		struct progress_look look = { .milliseconds = clock_ms() - start };

		if (!machine_swap_area(host->swaps, device, &size, &used))
			continue;
		if (before < used)
			before = used;
		look.total = before;
		look.done = before - used;
		progress_show(&progress, "swapoff", &look);
	}
	progress_end(&progress);
	if (ended.fd >= 0)
		close(ended.fd);
}

/* The status of a child, or a negative errno of how it ended. */
static int await(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return WTERMSIG(status) == SIGKILL ? -ENOMEM : -EINTR;
}

/*
 * In a child: the OOM killer's first choice is whoever is at swapoff, and the guard has to be
 * started again then.  Not urgent: it searches every program's memory, and the server has to
 * answer meanwhile.
 */
static int call_swapoff(struct host *host, const char *device)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return -errno;
	if (child == 0) {
		become_ordinary(host);
		/* It may have come before it could end this process. */
		if (user_signal)
			_exit(EINTR);
		_exit(swapoff(device) == 0 ? 0 : errno);
	}
	swapoff_process = child;
	/* It may have come before there was a child to end. */
	if (user_signal)
		kill(child, user_signal);
	show_swapoff(host, child, device);
	status = await(child);
	swapoff_process = 0;
	return status < 0 ? status : -status;
}

static int call_swapon(struct host *host, const char *device, int priority)
{
	int flags = SWAP_FLAG_DISCARD;

	if (priority >= 0)
		flags |= SWAP_FLAG_PREFER | (priority & SWAP_FLAG_PRIO_MASK);
	return swapon(device, flags) == 0 ? 0 : -errno;
}

/* These two work for a device that was attached over netlink, too. */
static int call_disconnect(struct host *host, const char *device)
{
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	(void)ioctl(fd, NBD_DISCONNECT);
	if (ioctl(fd, NBD_CLEAR_SOCK) != 0)
		err = -errno;
	close(fd);
	return err;
}

static int call_end(struct host *host, pid_t process)
{
	int err = kill(process, SIGTERM) == 0 ? 0 : -errno;

	/* One that sleep has stopped ends no sooner than it goes on. */
	(void)kill(process, SIGCONT);
	return err;
}

static int call_hold(struct host *host, pid_t process, bool stopped)
{
	return kill(process, stopped ? SIGSTOP : SIGCONT) == 0 ? 0 : -errno;
}

static int call_bury(struct host *host, const char *guard, const char *device)
{
	char *const argv[] = { (char *)guard, (char *)"--bury", (char *)device, NULL };
	pid_t child = fork();
	int status;

	if (child < 0)
		return -errno;
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);

		become_ordinary(host);
		dup2(null, STDERR_FILENO);
		execvp(guard, argv);
		_exit(127);
	}
	status = await(child);
	return status > 0 ? -EIO : status;
}

/* In the child: symbols are looked up now.  Later that would read pages that are in no memory. */
static void run_linked(char *const argv[])
{
	setenv("LD_BIND_NOW", "1", 1);
	execvp(argv[0], argv);
	_exit(127);
}

static bool replace(int fd, const char *path, int flags)
{
	int file = open(path, flags | O_CLOEXEC, 0600);

	return file >= 0 && dup2(file, fd) == fd;
}

/* In the child: whoever outlives us keeps nothing of us, the lock of a start above all. */
static void run_apart(struct host *host, char *const argv[], const char *pid, const char *said)
{
	int file = open(pid, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	become_ordinary(host);
	setsid();
	if (file < 0 || dprintf(file, "%d\n", (int)getpid()) < 0)
		_exit(127);
	if (!replace(STDIN_FILENO, "/dev/null", O_RDONLY) ||
	    !replace(STDOUT_FILENO, said, O_WRONLY | O_CREAT | O_TRUNC) ||
	    !replace(STDERR_FILENO, "/dev/null", O_WRONLY))
		_exit(127);
	for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS; fd++)
		close(fd);
	run_linked(argv);
}

static int call_launch(struct host *host, char *const argv[], const char *pid, const char *said)
{
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (child == 0)
		run_apart(host, argv, pid, said);
	return 0;
}

static int call_lock(struct host *host, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX) != 0) {
		if (errno == EINTR)
			continue;
		close(fd);
		return -ENOLCK;
	}
	return fd;
}

static void call_unlock(struct host *host, int lock)
{
	close(lock);
}

static pid_t call_self(const struct host *host)
{
	return getpid();
}

/* Whoever gave it may have given it to this process alone. */
static void end_swapoff(int number)
{
	int err = errno;

	user_signal = number;
	if (swapoff_process)
		kill(swapoff_process, number);
	errno = err;
}

static void call_commit(struct host *host)
{
	handle_signals(end_swapoff);
}

static bool call_interrupted(const struct host *host)
{
	return user_signal != 0;
}

static void call_rest(struct host *host, unsigned int ms)
{
	clock_sleep_ms(ms);
}

static uint64_t call_now_ms(struct host *host)
{
	return clock_ms();
}

static const char *call_release(struct host *host)
{
	return uname(&host->kernel) == 0 ? host->kernel.release : "";
}

static const struct host_calls calls = {
	.swapoff = call_swapoff,
	.swapon = call_swapon,
	.disconnect = call_disconnect,
	.end = call_end,
	.hold = call_hold,
	.bury = call_bury,
	.launch = call_launch,
	.lock = call_lock,
	.unlock = call_unlock,
	.self = call_self,
	.commit = call_commit,
	.interrupted = call_interrupted,
	.rest = call_rest,
	.now_ms = call_now_ms,
	.release = call_release,
};

void host_open(struct host *host)
{
	*host = (struct host){
		.root = "",
		.swaps = machine_swaps_open(),
		.meminfo = machine_open(),
		.out = stdout,
		.err = stderr,
		.class_before = URGENT_LEFT_ALONE,
		.calls = &calls,
	};
}
