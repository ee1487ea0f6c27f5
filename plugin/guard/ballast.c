/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "guard/ballast.h"
#include "base/machine.h"
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

/* Of an entry in /proc/self/pagemap. */
#define PAGE_PRESENT (UINT64_C(1) << 63)

/* Not zero: a zero page might never get a slot. */
#define WORD 0x5a

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

	if (ballast->held + STEP > ballast->size ||
	    !machine_swap_area(ballast->swaps, ballast->device, &size, &before))
		return false;
	memset(step, WORD, STEP);
	if (madvise(step, STEP, MADV_PAGEOUT) == 0 &&
	    machine_swap_area(ballast->swaps, ballast->device, &size, &after) &&
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
	if (!machine_swap_area(ballast->swaps, ballast->device, &size, &used) ||
	    !ask_stats(ballast->socket, &ballast->answer, &stats))
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

int ballast_init(struct ballast *ballast, const char *device, const char *socket, int swaps)
{
	struct ramzswap_stats stats;
	uint64_t size, used;

	memset(ballast, 0, sizeof(*ballast));
	if (strlen(socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return -ENAMETOOLONG;
	ballast->device = device;
	ballast->socket = socket;
	ballast->swaps = swaps;
	if (!ask_stats(ballast->socket, &ballast->answer, &stats))
		return -ECONNREFUSED;
	if (!machine_swap_area(ballast->swaps, device, &size, &used))
		return -ENODEV;
	ballast->meminfo = machine_open();
	ballast->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ballast->size = size - size % STEP;
	ballast->memory = mmap(NULL, ballast->size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ballast->memory == MAP_FAILED)
		return -errno;
	/*
	 * Page by page also where the kernel would take larger folios (from Linux 6.8 of any size):
	 * a folio that a step ends in would be split, or stay in memory for its other part.
	 */
	madvise(ballast->memory, ballast->size, MADV_NOHUGEPAGE);
	/* No child is to be had here at the price of a copy of its page tables. */
	madvise(ballast->memory, ballast->size, MADV_DONTFORK);
	return 0;
}
