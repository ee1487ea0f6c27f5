/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kernel.h"
#include "base/machine.h"
#include "guard/heir.h"
#include "guard/link.h"
#include "guard/log.h"
#include "guard/protect.h"
#include "guard/undertaker.h"

/* Between two tries of swapoff, or two looks at one, and how many tries: a minute at least. */
#define RETRY_MS 100
#define TRIES 600

/* How many looks it is waited that the guard lets go of its ballast. */
#define BALLAST_LOOKS 20

/* Looks at a swapoff before others get their turn, and before it is one that may never end. */
#define URGENT_LOOKS 20
#define ENDLESS_LOOKS 600

/* In memory that both processes have. */
struct burial {
	atomic_bool begins, is_free;
};

int burial_make(struct burial **burialp)
{
	struct burial *burial = mmap(NULL, sizeof(*burial), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (burial == MAP_FAILED)
		return -errno;
	*burialp = burial;
	return 0;
}

bool burial_begins(const struct burial *burial)
{
	return atomic_load(&burial->begins);
}

void burial_is_free(struct burial *burial)
{
	atomic_store(&burial->is_free, true);
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
		clock_sleep_ms(ms);
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
		clock_sleep_ms(RETRY_MS);
	}
}

/* Until nothing is held of the area, or that takes too long. */
static void await_ballast(const struct remains *remains, struct burial *burial)
{
	atomic_store(&burial->begins, true);
	for (int i = 0; i < BALLAST_LOOKS && !atomic_load(&burial->is_free); i++) {
		/* The guard may wait for a page of it to be written. */
		silence(remains);
		pass_time(remains, RETRY_MS);
	}
}

/* Whether all that should be gone is.  burial is NULL where nobody holds ballast. */
static bool bury(const struct remains *remains, struct burial *burial)
{
	struct utsname kernel;
	bool safe = uname(&kernel) == 0 && kernel_marks_lost_pages(kernel.release);
	uint64_t size, used;

	if (safe && burial)
		await_ballast(remains, burial);
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

bool undertaker_server_ends(int server, int ms)
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

	while (!undertaker_server_ends(server, LINK_LOOK_MS)) {
		if (has_lost_link(remains, link) &&
		    machine_swap_area(remains->swaps, remains->device, &size, &used)) {
			remains->server_lives = true;
			return;
		}
	}
}

pid_t undertaker_start(int server, const char *device, const char *socket, int swaps,
		       struct burial *burial)
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
	guard_protect();
	wait_for_loss(&remains, server, &link);
	bury(&remains, burial);
	_exit(EXIT_SUCCESS);
}

int undertaker_bury(const char *device, const char **why)
{
	struct remains remains = { .device = device, .swaps = machine_swaps_open() };
	int err;

	*why = "not the path of a ublk device";
	if (!heir_is_for(device))
		return -EINVAL;
	err = heir_prepare(&remains.heir, device);
	*why = NULL;
	if (err)
		return err == -ENODEV ? 0 : err;
	*why = "its server lives";
	if (heir_owner_lives(remains.heir))
		return -EBUSY;
	guard_protect();
	*why = "cannot be deleted";
	return bury(&remains, NULL) ? 0 : -EIO;
}
