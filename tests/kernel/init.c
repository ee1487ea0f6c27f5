/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First process of a test guest, and the one that tells life from death.
 *
 * It is the one program of the guest that may neither be swapped out nor wait for
 * memory, so all its own is locked before the script starts.  It mounts what the
 * script needs, runs it, and when it ends or the deadline has passed, says so on
 * the console and in RESULTS/init, and powers off.  At the deadline the console gets
 * the kernel's blocked tasks, memory and all tasks.  A machine that can still start a
 * program is said to be late, not hung, and how many pages it swaps in ten seconds tells
 * whether its load goes on or waits for ever.
 *
 * Environment: RESULTS (directory of the host, mounted writable at its own path),
 * RIG (uml, qemu, or own where RESULTS is the guest's and is not mounted), SCRIPT, DEADLINE
 * (seconds).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int results = -1;

static void say(const char *line)
{
	if (write(STDOUT_FILENO, line, strlen(line)) < 0)
		results = -1;
	if (results >= 0 && write(results, line, strlen(line)) < 0)
		results = -1;
}

static void die(const char *what)
{
	char line[200];

	snprintf(line, sizeof(line), "init_error=%s: %s\n", what, strerror(errno));
	say(line);
	reboot(RB_POWER_OFF);
	_exit(1);
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	if (!value) {
		errno = EINVAL;
		die(name);
	}
	return value;
}

/* What is mounted already (an initramfs did it) is no error. */
static void mount_at(const char *source, const char *target, const char *type, const char *options)
{
	if (mount(source, target, type, 0, options) && errno != EBUSY)
		die(target);
}

static void mount_results(void)
{
	const char *path = environment("RESULTS");
	char file[4096];

	if (!strcmp(environment("RIG"), "uml"))
		mount_at("results", path, "hostfs", path);
	else if (strcmp(environment("RIG"), "own"))
		mount_at("results", path, "9p", "trans=virtio,version=9p2000.L,msize=131072");
	snprintf(file, sizeof(file), "%s/init", path);
	results = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_SYNC | O_NOCTTY, 0644);
	if (results < 0)
		die(file);
}

static void sysrq(char key)
{
	int file = open("/proc/sysrq-trigger", O_WRONLY);

	if (file < 0 || write(file, &key, 1) < 0)
		say("init_error=sysrq\n");
	if (file >= 0)
		close(file);
}

static void set(const char *path, const char *value)
{
	int file = open(path, O_WRONLY);

	if (file < 0 || write(file, value, strlen(value)) < 0)
		die(path);
	close(file);
}

static pid_t start(char *const argv[])
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		set("/proc/self/oom_score_adj", "0");
		setsid();
		execv(argv[0], argv);
		_exit(127);
	}
	return pid;
}

/* Seconds in which the machine did not sleep. */
static time_t awake(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Whether the process ended in time; reaps all others on the way, as pid 1 must. */
static int wait_for(pid_t pid, long seconds, int *status)
{
	time_t end = awake() + seconds;

	while (awake() < end) {
		pid_t ended = waitpid(-1, status, WNOHANG);

		if (ended == pid)
			return 1;
		if (ended <= 0)
			usleep(50000);
	}
	return 0;
}

/* A machine on which a program can be started is alive. */
static int is_alive(void)
{
	char *const argv[] = { "/bin/true", NULL };
	int status;

	return wait_for(start(argv), 60, &status) && status == 0;
}

/* Pages swapped in and out since the machine started; negative if that cannot be read. */
static long long pages_swapped(void)
{
	static char text[16384];
	int file = open("/proc/vmstat", O_RDONLY);
	ssize_t length = file < 0 ? -1 : read(file, text, sizeof(text) - 1);
	const char *in, *out;

	if (file >= 0)
		close(file);
	if (length < 0)
		return -1;
	text[length] = 0;
	in = strstr(text, "pswpin ");
	out = strstr(text, "pswpout ");
	if (!in || !out)
		return -1;
	return strtoll(in + strlen("pswpin "), NULL, 10) +
	       strtoll(out + strlen("pswpout "), NULL, 10);
}

/* In a machine that hangs this never ends, and the rig's bound does it. */
static void tell_late_from_hung(void)
{
	long long before = pages_swapped();
	int alive = is_alive();
	char line[100];

	sleep(10);
	snprintf(line, sizeof(line), "swapped_when_late=%lld\n", pages_swapped() - before);
	say(line);
	say(alive ? "late=1\n" : "hung=1\n");
}

int main(void)
{
	char *argv[] = { "/bin/sh", NULL, NULL };
	char line[100];
	long deadline;
	int status;
	pid_t script;

	mount_at("proc", "/proc", "proc", NULL);
	mount_at("sys", "/sys", "sysfs", NULL);
	mount_at("dev", "/dev", "devtmpfs", NULL);
	mount_at("run", "/run", "tmpfs", "size=16M");
	mount_results();
	set("/proc/sys/kernel/sysrq", "1");
	deadline = strtol(environment("DEADLINE"), NULL, 10);
	argv[1] = (char *)environment("SCRIPT");
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		die("mlockall");
	/* The OOM killer's choice of this process would panic the guest. */
	set("/proc/self/oom_score_adj", "-1000");

	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	script = start(argv);
	if (!wait_for(script, deadline, &status)) {
		/* In User-Mode Linux the list of blocked tasks may end in a panic: so it is last. */
		sysrq('m');
		sleep(1);
		tell_late_from_hung();
		sysrq('w');
		sysrq('t');
		sleep(1);
	} else {
		if (WIFSIGNALED(status)) {
			snprintf(line, sizeof(line), "script_signal=%d\n", WTERMSIG(status));
			say(line);
		} else {
			snprintf(line, sizeof(line), "script_status=%d\n", WEXITSTATUS(status));
			say(line);
		}
		say(is_alive() ? "alive=1\n" : "alive=0\n");
	}
	reboot(RB_POWER_OFF);
	return 1;
}
