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
#include <linux/nbd.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

#include "guard/ballast.h"
#include "base/kernel.h"
#include "base/machine.h"
#include "base/secrecy.h"
#include "guard/heir.h"
#include "guard/link.h"
#include "guard/log.h"

/* Between two tries of swapoff, or two looks at one, and how many tries: a minute at least. */
#define RETRY_MS 100
#define TRIES 600

/* Looks at a swapoff before others get their turn, and before it is one that may never end. */
#define URGENT_LOOKS 20
#define ENDLESS_LOOKS 600

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

static void protect(void)
{
	const struct sched_param priority = { .sched_priority = 1 };
	int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (file < 0 || write(file, "-1000", 5) < 0)
		guard_log(LOG_WARNING,
			  "the kernel may end the guard itself where memory is short: no OOM "
			  "score: %s",
			  strerror(errno));
	if (file >= 0)
		close(file);
	if (sched_setscheduler(0, SCHED_RR, &priority))
		guard_log(LOG_WARNING,
			  "the guard may come too late where memory is short: no real-time "
			  "class: %s",
			  strerror(errno));
	if (mlockall(MCL_CURRENT))
		guard_log(LOG_WARNING,
			  "the guard may itself be swapped out: its memory cannot be locked: %s",
			  strerror(errno));
	secrecy_begin();
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
 * What is left of a server: its device, whose requests must come to an end, or nobody can take
 * swap away.  heir is NULL for nbd.
 */
struct remains {
	const char *device;
	int swaps; /* of machine_swaps_open */
	struct heir *heir;
	bool server_lives; /* but its link is lost */
};

/* Whether requests that the server took along end, and new ones fail. */
static bool silence(const struct remains *remains)
{
	return remains->heir ? heir_take_over(remains->heir) : disconnect(remains->device);
}

static void pass_time(const struct remains *remains, unsigned int ms)
{
	if (remains->heir)
		heir_pass_time(remains->heir, ms);
	else
		rest(ms);
}

/*
 * A slot that somebody else is about to free is waited for in a loop, in the kernel, which never
 * sleeps: on the only processor that somebody must be let in.
 */
static void let_others_in(pid_t child)
{
	const struct sched_param none = { .sched_priority = 0 };

	(void)sched_setscheduler(child, SCHED_OTHER, &none);
}

/*
 * Linux 6.12 was seen to count a slot that nobody has, after the second death of a server: swapoff
 * seeks it without end.  It is left at it, with the time that nobody else wants: while it seeks,
 * nothing is written to the area, and when it is ended, the kernel writes there again.
 */
static void let_it_seek(const struct remains *remains, pid_t child)
{
	uint64_t size = 0, used = 0;

	(void)setpriority(PRIO_PROCESS, (id_t)child, 19);
	(void)machine_swap_area(remains->swaps, remains->device, &size, &used);
	guard_log(LOG_CRIT,
		  "swapoff of %s does not end: the kernel counts %llu kB there that it does not "
		  "find; all else goes on, restart the machine when it suits",
		  remains->device, (unsigned long long)used >> 10);
}

/*
 * In a child, since the OOM killer's first choice is whoever is at swapoff, whatever its
 * score.  The pages in the kernel's swap cache come back, all others are marked as lost.  Urgent
 * at first, for it takes memory.
 */
static bool take_swap_away(const struct remains *remains)
{
	int status = 0;
	unsigned int looks = 0;
	pid_t ended, child = fork();

	if (child == 0) {
		/* Whoever ends the guard goes on with a swapoff of his own. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0);
		_exit(swapoff(remains->device) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	if (child < 0)
		return false;
	/* It waits for requests: should one have come between, it ends by another disconnect. */
	while ((ended = waitpid(child, &status, WNOHANG)) == 0) {
		pass_time(remains, RETRY_MS);
		if (++looks % 10 == 0)
			silence(remains);
		if (looks == URGENT_LOOKS)
			let_others_in(child);
		if (looks == ENDLESS_LOOKS)
			let_it_seek(remains, child);
	}
	return ended == child && status == 0;
}

/* There is time now, but not for ever. */
static void report(const struct remains *remains, bool off)
{
	for (int i = 0; i < TRIES; i++) {
		if (guard_log(LOG_CRIT,
			      remains->server_lives
				      ? "the link between %s and its server is lost: %s"
				      : "the server of %s is dead: %s",
			      remains->device,
			      off ? "swap there is off, programs with pages there get SIGBUS; "
				    "'ramzswap stop' tidies up"
				  : "programs with pages there get SIGBUS; this kernel cannot take "
				    "swap away safely: restart the machine") != -EAGAIN)
			return;
		rest(RETRY_MS);
	}
}

/* Whether all that should be gone is. */
static bool bury(const struct remains *remains)
{
	struct utsname kernel;
	bool safe = uname(&kernel) == 0 && kernel_marks_lost_pages(kernel.release);
	uint64_t size, used;

	for (int i = 0;
	     i < TRIES && machine_swap_area(remains->swaps, remains->device, &size, &used); i++) {
		/* Without it swapoff would wait for what the server took along, without end. */
		if (silence(remains) && (!safe || take_swap_away(remains))) {
			report(remains, safe);
			break;
		}
		pass_time(remains, RETRY_MS);
	}
	return remains->heir && !machine_swap_area(remains->swaps, remains->device, &size, &used) &&
	       heir_finish(remains->heir) == 0;
}

/* Where it cannot be had the device is as good as one of nbd whose disconnect fails. */
static void prepare_heir(struct remains *remains)
{
	int err;

	if (!heir_is_for(remains->device))
		return;
	err = heir_prepare(&remains->heir, remains->device);
	if (err)
		guard_log(LOG_WARNING,
			  "should the server of %s die, the machine may have to be restarted: "
			  "its device cannot be taken over: %s",
			  remains->device, strerror(-err));
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

/* Whether the server behind a pidfd has ended, or does so within these milliseconds; -1: ever. */
static bool ends_within(int server, int ms)
{
	struct pollfd end = { .fd = server, .events = POLLIN };

	return poll(&end, 1, ms) > 0;
}

/*
 * Whether it lives for nothing: the kernel has lost it.  Where an heir cannot be had (remains->heir
 * is NULL) a ublk device has a client of NBD at most, and that is none of the kernel's.
 */
static bool has_lost_link(struct remains *remains, struct link *link)
{
	if (!heir_is_for(remains->device))
		return link_is_lost(link);
	return remains->heir && link_has_been(link, heir_is_wanted(remains->heir));
}

/*
 * Until the server is dead, or the kernel has lost it and swaps there all the same: a device that
 * was let go after swapoff is no loss.
 */
static void wait_for_loss(struct remains *remains, int server, struct link *link)
{
	uint64_t size, used;

	while (!ends_within(server, LINK_LOOK_MS)) {
		if (has_lost_link(remains, link) &&
		    machine_swap_area(remains->swaps, remains->device, &size, &used)) {
			remains->server_lives = true;
			return;
		}
	}
}

/*
 * In a process of its own: whoever makes ballast waits for memory and for pages to be written,
 * which a dead server does not write before it is buried.  Ends with its parent.
 */
static pid_t start_undertaker(int server, const char *device, const char *socket, int swaps)
{
	struct remains remains = { .device = device, .swaps = swaps };
	struct link link = { .socket = socket };
	pid_t parent = getpid(), child = fork();

	if (child != 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	prepare_heir(&remains);
	/* Memory that it waits for must not wait for the dead server's device. */
	(void)prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	protect();
	wait_for_loss(&remains, server, &link);
	bury(&remains);
	_exit(EXIT_SUCCESS);
}

/* What ramzswap(8) asks for where no guard was there when the server died. */
static int bury_now(const char *device)
{
	struct remains remains = { .device = device, .swaps = machine_swaps_open() };
	int err;

	if (!heir_is_for(device))
		fail(device, "not the path of a ublk device");
	err = heir_prepare(&remains.heir, device);
	if (err == -ENODEV)
		return EXIT_SUCCESS;
	if (err)
		fail(device, strerror(-err));
	if (heir_owner_lives(remains.heir))
		fail(device, "its server lives");
	protect();
	if (bury(&remains))
		return EXIT_SUCCESS;
	fail(device, "cannot be deleted");
	return EXIT_FAILURE;
}

/*
 * Until the server is gone, or what is left of it is buried.  Somebody may take swap away and bring
 * it back (swapoff -a, swapon -a): meanwhile there is nothing to hold.
 */
static void keep_ballast(struct ballast *ballast, int server, pid_t undertaker)
{
	bool ready = false;
	int status;

	for (;;) {
		unsigned int ms = ballast_look(ballast);

		if (ms > 0 && !ready) {
			ready = true;
			puts("ready");
			fflush(stdout);
		}
		if (ends_within(server, (int)ms))
			return;
		if (waitpid(undertaker, &status, WNOHANG) != undertaker || ends_within(server, 0))
			continue;
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
			return;
		fail(ballast->device, "the process that waits for the server's end has ended");
	}
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
	pid_t undertaker;
	int server, swaps, err;

	if (argc == 2)
		inform(argv[1]);
	if (argc > 1 && strcmp(argv[1], "--bury") == 0) {
		if (argc != 3)
			mistake("needs one device, such as --bury /dev/ublkb0", NULL);
		guard_log_open(_PATH_LOG);
		return bury_now(argv[2]);
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
	undertaker = start_undertaker(server, argv[1], argv[2], swaps);
	if (undertaker < 0)
		fail("fork", strerror(errno));
	protect();
	err = ballast_init(&ballast, argv[1], argv[2], swaps);
	if (err)
		fail(argv[1], strerror(-err));
	keep_ballast(&ballast, server, undertaker);
	if (ends_within(server, 0))
		waitpid(undertaker, NULL, 0);
	return EXIT_SUCCESS;
}
