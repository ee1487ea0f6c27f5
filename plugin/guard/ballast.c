/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "guard/ballast.h"
#include "control/commands.h"
#include "guard/log.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21 /* Linux 5.4 */
#endif

/*
 * Taken or given back at a time: what this process has resident for a moment.  More than
 * the 64 slots that the kernel takes ahead for a processor, so that it shows in what is
 * used of the area.
 */
#define STEP ((size_t)512 << 10)

/* At a look: then it is time to see what has changed. */
#define STEPS 64

#define LOOK_MS 100
#define IDLE_LOOK_MS 1000
#define ANSWER_TIMEOUT_S 2

/* Of an entry in /proc/self/pagemap. */
#define PAGE_PRESENT (UINT64_C(1) << 63)

/* Not zero: a zero page might never get a slot. */
#define WORD 0x5a

bool area_read(const char *device, uint64_t *size, uint64_t *used)
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
	static const char request[] = "stats\n", ok[] = CONTROL_OK;
	static char answer[CONTROL_STATS_MAX + 1];
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

/* Whether a step is in memory, by its first pages; not in the swap cache alone. */
static bool is_resident(const struct ballast *ballast, const char *step)
{
	uint64_t entries[8];
	off_t at = (off_t)((uintptr_t)step / (uintptr_t)sysconf(_SC_PAGESIZE) * sizeof(*entries));

	if (pread(ballast->pagemap, entries, sizeof(entries), at) != sizeof(entries))
		return false;
	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++) {
		if (!(entries[i] & PAGE_PRESENT))
			return false;
	}
	return true;
}

/*
 * One step more.  False if it did not reach the area: another one with a higher
 * priority took the pages, or the area is full.
 */
static bool take_step(struct ballast *ballast)
{
	uint64_t size, before, after;
	char *step = ballast->memory + ballast->held;

	if (ballast->held + STEP > ballast->size || !area_read(ballast->device, &size, &before))
		return false;
	memset(step, WORD, STEP);
	if (madvise(step, STEP, MADV_PAGEOUT) == 0 && area_read(ballast->device, &size, &after) &&
	    (after > before || size - after < STEP) && !is_resident(ballast, step)) {
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

unsigned int ballast_look(struct ballast *ballast)
{
	struct ramzswap_stats stats;
	struct machine_memory memory;
	uint64_t size, used, wanted;
	size_t held = ballast->held;
	int steps;

	/*
	 * Nobody touches it, but a swapoff, whoever calls that, reads it back from its beginning:
	 * that may be more than the machine has memory for.
	 */
	if (held && is_resident(ballast, ballast->memory)) {
		give_back(ballast, 0);
		guard_log(LOG_WARNING, "swap on %s is being taken away: its slots are given back",
			  ballast->device);
		return LOOK_MS;
	}
	if (!area_read(ballast->device, &size, &used) || !read_stats(ballast->socket, &stats))
		return IDLE_LOOK_MS;
	machine_memory(ballast->meminfo, &memory);
	wanted = ballast_plan_look(&ballast->plan, &stats, &memory, size - used, held);
	wanted -= wanted % STEP;
	for (steps = 0; steps < STEPS && ballast->held < wanted && take_step(ballast); steps++)
		;
	if (ballast->held > wanted)
		give_back(ballast, wanted);
	if (!held != !ballast->held)
		guard_log(LOG_WARNING,
			  held ? "the disk behind %s has room again: all of it may be swapped to"
			       : "the disk behind %s cannot hold all of it: slots are taken from "
				 "the kernel",
			  ballast->device);
	if (steps == STEPS)
		return 0;
	if (ballast->held || memory.available < memory.total / 4 ||
	    stats.mem_used_total > ballast_plan_limit(&stats, &memory) / 4)
		return LOOK_MS;
	return IDLE_LOOK_MS;
}

int ballast_init(struct ballast *ballast, const char *device, const char *socket)
{
	struct ramzswap_stats stats;
	uint64_t size, used;

	memset(ballast, 0, sizeof(*ballast));
	if (strlen(socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return -ENAMETOOLONG;
	if (!read_stats(socket, &stats))
		return -ECONNREFUSED;
	if (!area_read(device, &size, &used))
		return -ENODEV;
	ballast->device = device;
	ballast->socket = socket;
	ballast->meminfo = machine_open();
	ballast->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ballast->size = size - size % STEP;
	ballast->memory = mmap(NULL, ballast->size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ballast->memory == MAP_FAILED)
		return -errno;
	madvise(ballast->memory, ballast->size, MADV_NOHUGEPAGE);
	/* No child is to be had here at the price of a copy of its page tables. */
	madvise(ballast->memory, ballast->size, MADV_DONTFORK);
	return 0;
}
