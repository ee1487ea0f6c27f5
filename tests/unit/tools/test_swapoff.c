/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stop at a terminal: how far swapoff is, and that Ctrl-C ends it and leaves swap on.  Of the
 * machine processes, signals and the terminal are real; swapoff(2) takes as long as a test wants.
 */
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_host.h"
#include "tools/ramzswap/stop.h"

#define USED_KB 131072
#define STEP_KB 4096
#define STEP_MS 100
#define SEEN_MAX 8192

static struct fake_host *machine;

/* In place, where the file is never half there and the disk below it is not waited for. */
static void tell_used(unsigned long kilobytes)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/proc/swaps", machine->root);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	dprintf(fd, "Filename Type Size Used Priority\n/dev/nbd0 partition 262140 %6lu 100\n",
		kilobytes);
	close(fd);
}

/* In the process that is at it; the linker puts it in the place of the kernel's. */
int __wrap_swapoff(const char *device);

int __wrap_swapoff(const char *device)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000 };

	for (unsigned long used = USED_KB; used > 0; used -= STEP_KB) {
		tell_used(used);
		nanosleep(&step, NULL);
	}
	fake_swaps(machine, 0, 0);
	return 0;
}

/* At Ctrl-C a terminal sends the signal, and then drops what was not read: also what it led to. */
static void drop_nothing(void)
{
	struct termios mode;

	if (tcgetattr(STDIN_FILENO, &mode) == 0) {
		mode.c_lflag |= NOFLSH;
		tcsetattr(STDIN_FILENO, TCSANOW, &mode);
	}
}

/* A process that stops the disk, at a terminal of its own, whose other end is *terminal. */
static pid_t begin_stop(struct fake_host *fake, int *terminal)
{
	const struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct host_calls calls = *fake->host.calls;
	struct host real;
	pid_t child;
	int status;

	setenv("TERM", "xterm", 1);
	host_open(&real);
	calls.swapoff = real.calls->swapoff;
	calls.commit = real.calls->commit;
	calls.interrupted = real.calls->interrupted;
	calls.rest = real.calls->rest;
	calls.now_ms = real.calls->now_ms;
	machine = fake;
	child = forkpty(terminal, NULL, NULL, &size);
	assert_true(child >= 0);
	if (child > 0)
		return child;
	drop_nothing();
	fake->host.calls = &calls;
	fake->host.out = stdout;
	fake->host.err = stderr;
	signal(SIGHUP, SIG_IGN);
	/* Tests in the background of a shell ignore it. */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	status = stop_disk(&fake->host, false);
	printf("calls: %s\n", fake->log);
	fflush(stdout);
	_exit(status);
}

/* Adds what is shown to seen, until it holds text, or to the end. */
static void see(int terminal, char seen[SEEN_MAX], const char *text)
{
	size_t used = strlen(seen);
	ssize_t got;

	while (!text || !strstr(seen, text)) {
		got = read(terminal, seen + used, SEEN_MAX - 1 - used);
		if (got <= 0)
			break;
		used += (size_t)got;
		seen[used] = '\0';
	}
	if (text && !strstr(seen, text))
		fail_msg("'%s' is missing in: %s", text, seen);
}

static int status_of(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void swap_stays_on(struct fake_host *fake, const char *seen)
{
	if (!strstr(seen, "ramzswap: interrupted: swap on /dev/nbd0 goes on, with "))
		fail_msg("it is not said: %s", seen);
	/* The guard ends, swapoff begins, and there is a guard again. */
	assert_non_null(strstr(seen, "calls: end 102; /sbin/ramzswap-guard /dev/nbd0 "));
	assert_null(strstr(seen, "stopped"));
	assert_non_null(strstr(fake_text(fake, "/proc/swaps"), "/dev/nbd0"));
	assert_true(fake_exists(fake, "/run/ramzswap/state"));
	assert_true(fake_exists(fake, "/proc/101"));
}

static void ctrl_c_at_a_terminal_ends_it_and_leaves_swap_on(void **state)
{
	struct fake_host *fake = *state;
	char seen[SEEN_MAX] = "";
	int terminal;
	pid_t child = begin_stop(fake, &terminal);

	see(terminal, seen, "\rswapoff: ");
	see(terminal, seen, "s left\033[K");
	assert_int_equal(write(terminal, "\003", 1), 1);
	see(terminal, seen, NULL);
	assert_int_equal(status_of(child), 1);
	swap_stays_on(fake, seen);
	close(terminal);
}

static void who_waits_for_room_sees_it_and_may_leave(void **state)
{
	struct fake_host *fake = *state;
	char seen[SEEN_MAX] = "";
	int terminal;
	pid_t child;

	fake_meminfo(fake, 1000, 0);
	child = begin_stop(fake, &terminal);
	see(terminal, seen, "\rwaiting for room in memory: ");
	see(terminal, seen, "about ");
	assert_int_equal(write(terminal, "\003", 1), 1);
	see(terminal, seen, NULL);
	assert_int_equal(status_of(child), 1);
	if (!strstr(seen, "\r\033[Kramzswap: interrupted: swap on /dev/nbd0 goes on, with 128 MB "
			  "swapped out"))
		fail_msg("it is not said: %s", seen);
	/* Nothing was begun, and the guard is as it was. */
	assert_non_null(strstr(seen, "calls: \r\n"));
	assert_true(fake_exists(fake, "/proc/102"));
	close(terminal);
}

static void a_signal_to_it_alone_does_so_too(void **state)
{
	struct fake_host *fake = *state;
	char seen[SEEN_MAX] = "";
	int terminal;
	pid_t child = begin_stop(fake, &terminal);

	see(terminal, seen, "\rswapoff: ");
	assert_int_equal(kill(child, SIGTERM), 0);
	see(terminal, seen, NULL);
	assert_int_equal(status_of(child), 1);
	swap_stays_on(fake, seen);
	close(terminal);
}

static void who_is_not_to_hear_of_the_terminals_end_goes_on(void **state)
{
	struct fake_host *fake = *state;
	char seen[SEEN_MAX] = "";
	int terminal;
	pid_t child = begin_stop(fake, &terminal);

	see(terminal, seen, "\rswapoff: ");
	assert_int_equal(kill(-child, SIGHUP), 0);
	see(terminal, seen, NULL);
	assert_int_equal(status_of(child), 0);
	/* Nothing is left of the line. */
	assert_non_null(strstr(seen, "\r\033[Kramzswap: stopped\r\n"));
	assert_false(fake_exists(fake, "/run/ramzswap"));
	close(terminal);
}

#define ON_A_HOST(test) cmocka_unit_test_setup_teardown(test, fake_host_setup, fake_host_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_HOST(ctrl_c_at_a_terminal_ends_it_and_leaves_swap_on),
		ON_A_HOST(who_waits_for_room_sees_it_and_may_leave),
		ON_A_HOST(a_signal_to_it_alone_does_so_too),
		ON_A_HOST(who_is_not_to_hear_of_the_terminals_end_goes_on),
	};

	return cmocka_run_group_tests_name("tools swapoff", tests, NULL, NULL);
}
