/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ramzswap-guard: keeps the kernel from writing without end to swap that takes no write.
 *
 * usage: ramzswap-guard DEVICE CONTROL-SOCKET SERVER-PID [FILE...]
 *        ramzswap-guard --bury /dev/ublkbN
 *
 * Started and ended by ramzswap(8) beside its server.  While the server lives it keeps the
 * swap area as full as the pool is (ballast.h).  When the server is dead, all the kernel's
 * writes fail, and a kernel that is short of memory tries them for ever: so the device is
 * disconnected and swap taken away from it at once.  The same where the server lives and the
 * kernel has lost the link to it (link.h, heir.h).  What was there is lost then
 * anyhow; programs that need it get SIGBUS, and the machine lives.  Where swapoff would
 * give them something else instead (base/kernel.h) the device is only disconnected.  A
 * process of its own waits for that, the undertaker.  FILEs are kept in memory until then.
 * It says "ready" when it holds what it has to hold of an area that nobody uses yet.
 *
 * It has to run when the machine is short of memory: what it needs is locked, and it is of
 * a real-time class, whose processes may take a part of what the kernel keeps free where
 * all others wait in reclaim.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "guard/ballast.h"
#include "base/machine.h"
#include "guard/log.h"
#include "guard/protect.h"
#include "guard/undertaker.h"

/* Between two looks whether a burial goes on. */
#define BURIAL_LOOK_MS 20

static const char usage[] =
	"usage: ramzswap-guard DEVICE CONTROL-SOCKET SERVER-PID [FILE...]\n"
	"       ramzswap-guard --bury /dev/ublkbN\n"
	"Keeps a full pool, or a server that died, from stopping a machine that swaps to DEVICE.\n"
	"'ramzswap start' starts it, and 'ramzswap stop' ends it: nobody else need.\n"
	"\n"
	"Options:\n"
	"      --bury     take away a ublk device whose server is dead\n"
	"  -h, --help     show this text\n"
	"  -V, --version  show the version\n";

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "ramzswap-guard: %s: %s\n", what, why);
	/* ramzswap(8) starts it without a terminal. */
	guard_log(LOG_ERR, "%s: %s", what, why);
	exit(EXIT_FAILURE);
}

/*
 * Files on a tmpfs are swapped out as programs are, and lost with the server: those that say what
 * is to be tidied up then stay in memory, as do all that is mapped when protect is called.
 */
static void keep_in_memory(char **paths)
{
	struct stat file;

	for (; *paths; paths++) {
		int fd = open(*paths, O_RDONLY | O_CLOEXEC);

		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0 || fstat(fd, &file) != 0 || file.st_size == 0 ||
		    mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
			guard_log(LOG_WARNING,
				  "should the server die, 'ramzswap stop' may miss %s: it cannot "
				  "be kept in memory",
				  *paths);
		if (fd >= 0)
			close(fd);
	}
}

static void say_ready(void)
{
	puts("ready");
	fflush(stdout);
}

/* Whether it has buried what it waited for: it ends by itself for nothing else. */
static bool has_ended(pid_t undertaker, const char *device)
{
	int status;

	if (waitpid(undertaker, &status, WNOHANG) != undertaker)
		return false;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS)
		fail(device, "the process that waits for the server's end has ended");
	return true;
}

/*
 * Until swap is to be taken away from a dead server's device, and then until that is done. Somebody
 * may take it away and bring it back (swapoff -a, swapon -a): meanwhile there is nothing to hold.
 */
static void keep_ballast(struct ballast *ballast, int server, pid_t undertaker,
			 struct burial *burial)
{
	bool ready = false, is_free = false;

	while (!has_ended(undertaker, ballast->device)) {
		if (!is_free && burial_begins(burial)) {
			ballast_let_go(ballast);
			burial_is_free(burial);
			is_free = true;
		}
		if (is_free || undertaker_server_ends(server, 0)) {
			clock_sleep_ms(BURIAL_LOOK_MS);
			continue;
		}
		unsigned int ms = ballast_look(ballast);

		if (ms > 0 && !ready)
			say_ready();
		ready = ready || ms > 0;
		undertaker_server_ends(server, (int)ms);
	}
}

/* What ramzswap(8) asks for where no guard was there when the server died. */
static int bury(const char *device)
{
	const char *why;
	int err = undertaker_bury(device, &why);

	if (err)
		fail(device, why ? why : strerror(-err));
	return EXIT_SUCCESS;
}

/* What a person asks for, or nothing. */
static void inform(const char *option)
{
	if (strcmp(option, "--version") == 0 || strcmp(option, "-V") == 0)
		puts("ramzswap-guard " RAMZSWAP_VERSION);
	else if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
		fputs(usage, stdout);
	else
		return;
	exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* On the command line; nothing of it is for the log.  word is NULL for none in particular. */
static void mistake(const char *what, const char *word)
{
	fprintf(stderr,
		"ramzswap-guard: %s%s%s: 'ramzswap-guard --help' shows what it takes, and "
		"'ramzswap start' runs it\n",
		what, word ? " " : "", word ? word : "");
	exit(EXIT_FAILURE);
}

static int open_server(const char *word)
{
	char *end;
	long number = strtol(word, &end, 10);
	int server;

	if (*end || number < 1 || number > INT_MAX)
		mistake("SERVER-PID is the number of a process, not", word);
	server = (int)syscall(SYS_pidfd_open, (pid_t)number, 0);
	if (server < 0)
		fail(word, errno == ESRCH ? "no process has this number" : strerror(errno));
	return server;
}

int main(int argc, char **argv)
{
	struct ballast ballast;
	struct burial *burial;
	pid_t undertaker;
	int server, swaps, err;

	if (argc == 2)
		inform(argv[1]);
	if (argc > 1 && strcmp(argv[1], "--bury") == 0) {
		if (argc != 3)
			mistake("needs one device, such as --bury /dev/ublkb0", NULL);
		guard_log_open(_PATH_LOG);
		return bury(argv[2]);
	}
	if (argc > 1 && argv[1][0] == '-')
		mistake("unknown option", argv[1]);
	if (argc < 4)
		mistake("needs DEVICE, CONTROL-SOCKET and SERVER-PID", NULL);
	guard_log_open(_PATH_LOG);
	server = open_server(argv[3]);
	swaps = machine_swaps_open();
	if (swaps < 0)
		fail("/proc/swaps", strerror(-swaps));
	keep_in_memory(argv + 4);
	err = burial_make(&burial);
	if (err)
		fail("memory", strerror(-err));
	undertaker = undertaker_start(server, argv[1], argv[2], swaps, burial);
	if (undertaker < 0)
		fail("fork", strerror(errno));
	guard_protect();
	err = ballast_init(&ballast, argv[1], argv[2], swaps);
	if (err)
		fail(argv[1], strerror(-err));
	keep_ballast(&ballast, server, undertaker, burial);
	return EXIT_SUCCESS;
}
