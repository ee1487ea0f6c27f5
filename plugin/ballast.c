/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ramzswap-ballast: makes a swap area as full as the pool behind it.
 *
 * usage: ramzswap-ballast DEVICE CONTROL-SOCKET
 *
 * Takes slots of the area away and gives them back, as ballast_plan.h says, by paging
 * out memory of its own that repeats one word: such pages cost the pool nothing.
 * Started and ended by ramzswap(8); whatever it holds is free again when it ends.
 *
 * Its own code and data are locked, and it needs no more memory at work than a
 * step's, for it has to run when the machine is short.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "ballast_plan.h"
#include "stats.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21 /* Linux 5.4 */
#endif

/*
 * Taken or given back at a time: what this process has resident for a moment.  More than
 * the 64 slots that the kernel takes ahead for a processor, so that it shows in what is
 * used of the area.
 */
#define STEP ((size_t)512 << 10)

#define LOOK_MS 100
#define IDLE_LOOK_MS 1000
#define ANSWER_TIMEOUT_S 5

/* Not zero: a zero page might never get a slot. */
#define WORD 0x5a

struct ballast {
	const char *device;
	const char *socket;
	char *memory; /* of the area's size; pages [0, held) are swapped out */
	size_t size;
	size_t held;
	struct ballast_plan plan;
};

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "ramzswap-ballast: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

/* Size of the area and what is used of it, in bytes.  False if nobody swaps there. */
static bool read_area(const char *device, uint64_t *size, uint64_t *used)
{
	static char text[4096];
	size_t name = strlen(device);
	ssize_t length;
	char *line;
	int fd = open("/proc/swaps", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	for (line = text; line; line = strchr(line, '\n')) {
		unsigned long long size_kb, used_kb;

		line += *line == '\n';
		if (!strncmp(line, device, name) &&
		    sscanf(line + name, " %*s %llu %llu", &size_kb, &used_kb) == 2) {
			*size = (uint64_t)size_kb << 10;
			*used = (uint64_t)used_kb << 10;
			return true;
		}
	}
	return false;
}

static int connect_to(const char *path)
{
	struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool read_stats(const char *path, struct ramzswap_stats *stats)
{
	static const char request[] = "stats\n", ok[] = "ok\n";
	static char answer[STATS_PLAIN_MAX + sizeof(ok)];
	size_t length = 0;
	ssize_t got = 0;
	int fd = connect_to(path);

	if (fd < 0)
		return false;
	if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == sizeof(request) - 1) {
		while (length < sizeof(answer) - 1 &&
		       (got = recv(fd, answer + length, sizeof(answer) - 1 - length, 0)) > 0)
			length += (size_t)got;
	}
	close(fd);
	answer[length] = '\0';
	return !strncmp(answer, ok, sizeof(ok) - 1) &&
	       stats_parse_plain(stats, answer + sizeof(ok) - 1) == 0;
}

/*
 * One step more.  False if it did not reach the area: another one with a higher
 * priority took the pages, or the area is full.
 */
static bool take_step(struct ballast *ballast)
{
	uint64_t size, before, after;
	char *step = ballast->memory + ballast->held;

	if (ballast->held + STEP > ballast->size || !read_area(ballast->device, &size, &before))
		return false;
	memset(step, WORD, STEP);
	if (madvise(step, STEP, MADV_PAGEOUT) == 0 && read_area(ballast->device, &size, &after) &&
	    (after > before || size - after < STEP)) {
		ballast->held += STEP;
		return true;
	}
	madvise(step, STEP, MADV_DONTNEED);
	return false;
}

static void give_back(struct ballast *ballast, size_t held)
{
	madvise(ballast->memory + held, ballast->held - held, MADV_DONTNEED);
	ballast->held = held;
}

/* Looks once, and does what is to be done.  Milliseconds until the next time. */
static unsigned int look(struct ballast *ballast)
{
	struct ramzswap_stats stats;
	uint64_t size, used, wanted;
	size_t held = ballast->held;

	if (!read_area(ballast->device, &size, &used))
		exit(EXIT_SUCCESS); /* swapoff */
	if (!read_stats(ballast->socket, &stats))
		return IDLE_LOOK_MS;
	wanted = ballast_plan_look(&ballast->plan, &stats, size - used, held);
	wanted -= wanted % STEP;
	while (ballast->held < wanted && take_step(ballast))
		;
	if (ballast->held > wanted)
		give_back(ballast, wanted);
	if (!held != !ballast->held)
		syslog(LOG_WARNING,
		       held ? "the disk behind %s has room again: all of it may be swapped to"
			    : "the disk behind %s is nearly full: slots are taken from the kernel",
		       ballast->device);
	return held || ballast->held || stats.mem_used_total > stats.memlimit / 4 ? LOOK_MS
										  : IDLE_LOOK_MS;
}

/*
 * A process of a real-time class may take the last quarter of what the kernel keeps free
 * at any rate, where all others wait in reclaim for writes that fail.
 */
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

/* Only after protect: this memory is not to be locked. */
static void map_memory(struct ballast *ballast)
{
	uint64_t size, used;

	if (!read_area(ballast->device, &size, &used))
		fail(ballast->device, "the kernel does not swap there");
	ballast->size = size - size % STEP;
	ballast->memory = mmap(NULL, ballast->size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ballast->memory == MAP_FAILED)
		fail("memory", strerror(errno));
	madvise(ballast->memory, ballast->size, MADV_NOHUGEPAGE);
}

int main(int argc, char **argv)
{
	struct ballast ballast = { 0 };
	struct ramzswap_stats stats;

	if (argc != 3)
		fail("usage", "ramzswap-ballast DEVICE CONTROL-SOCKET");
	ballast.device = argv[1];
	ballast.socket = argv[2];
	if (strlen(ballast.socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		fail(ballast.socket, "too long for a socket's path");
	if (!read_stats(ballast.socket, &stats))
		fail(ballast.socket, "no ramzswap server answers there");
	openlog("ramzswap-ballast", LOG_NDELAY, LOG_DAEMON);
	protect();
	map_memory(&ballast);
	for (;;) {
		unsigned int ms = look(&ballast);
		struct timespec rest = { ms / 1000, (long)(ms % 1000) * 1000000 };

		nanosleep(&rest, NULL);
	}
}
