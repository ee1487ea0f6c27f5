/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <syslog.h>
#include <unistd.h>

#include "guard/ballast.h"
#include "base/clock.h"
#include "base/kernel.h"
#include "base/machine.h"
#include "guard/log.h"
#include "guard/settle.h"
#include "urgent.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000 /* Linux 4.17 */
#endif

/*
 * Taken or given back at a time: what this process has resident for a moment.  More than
 * the 64 slots that the kernel takes ahead for a processor, so that it shows in what is
 * used of the area.
 */
#define STEP ((size_t)512 << 10)
#define PIECE ((size_t)64 << 10)

/* At a look: then it is time to see what has changed. */
#define STEPS 64

/* What a page of entries maps, and how much of that is worth a system call. */
#define TABLE ((size_t)2 << 20)
#define TABLES_WORTH (4 * TABLE)

#define IDLE_LOOK_MS 1000

/* Of the time, what looks may take: 1/8.  This process comes before all others. */
#define LOOKS_SHARE 8

/* Of an entry in /proc/self/pagemap. */
#define PAGE_PRESENT (UINT64_C(1) << 63)

/*
 * What ballast repeats.  Where the kernel notes pages of zeroes beside their slots they cost
 * neither a write nor memory; elsewhere one might be taken for the page of zeroes that all share.
 */
#define WORD 0x5a
#define WORD_OF_NOTES 0

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

/* So that it is page by page, and in no child; see ballast_init. */
static void advise(char *memory, size_t size)
{
	madvise(memory, size, MADV_NOHUGEPAGE);
	madvise(memory, size, MADV_DONTFORK);
}

/* Where addresses were given up with what was held there: TABLE of them more. */
static bool map_more(struct ballast *ballast)
{
	char *end = ballast->memory + ballast->mapped, *got;
	size_t more = ballast->size - ballast->mapped;

	if (more > TABLE)
		more = TABLE;
	got = mmap(end, more, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (got != end)
		return false;
	advise(end, more);
	ballast->mapped += more;
	return true;
}

/*
 * What was given back has left tables of pages behind, a page for each TABLE, which the kernel frees
 * with the addresses only.  The slots are free by then: should this wait, nobody waits for it.
 */
static void give_up_tables(struct ballast *ballast)
{
	size_t end = (ballast->held + TABLE - 1) / TABLE * TABLE;

	if (end + TABLES_WORTH > ballast->mapped)
		return;
	if (munmap(ballast->memory + end, ballast->mapped - end) == 0)
		ballast->mapped = end;
}

/* Piece by piece, as each takes memory until it is out, and there may be next to none. */
static bool page_out(const struct ballast *ballast, char *step)
{
	for (size_t at = 0; at < STEP; at += PIECE) {
		memset(step + at, ballast->word, PIECE);
		if (madvise(step + at, PIECE, MADV_PAGEOUT) != 0)
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
	    (ballast->held + STEP > ballast->mapped && !map_more(ballast)) ||
	    !machine_swap_area(ballast->swaps, ballast->device, &size, &before))
		return false;
	if (page_out(ballast, step) &&
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
	if (ballast->settled > held)
		ballast->settled = held;
	give_up_tables(ballast);
}

/*
 * What was paged out at an earlier look is written by now: some of it is taken out of memory.  Not
 * the first step, which tells of a swapoff by what of it is in memory.
 */
static void settle_some(struct ballast *ballast)
{
	size_t size;

	if (ballast->word == WORD_OF_NOTES)
		return;
	if (ballast->settled < STEP)
		ballast->settled = STEP;
	if (ballast->settled >= ballast->held)
		return;
	size = ballast->held - ballast->settled;
	if (size > SETTLE_MAX)
		size = SETTLE_MAX;
	settle(ballast->memory + ballast->settled, size);
	ballast->settled += size;
}

/* How long the look took that began at view->ms is known now. */
static unsigned int pause_after(const struct ballast *ballast, struct ballast_view *view)
{
	uint64_t taken = (clock_ms() - view->ms) * LOOKS_SHARE;
	uint64_t size, used, pause;

	if (machine_swap_area(ballast->swaps, ballast->device, &size, &used))
		view->area_free = size - used;
	view->held = ballast->held;
	pause = ballast_plan_pause(&ballast->plan, view);
	if (pause < taken)
		pause = taken;
	return pause < BALLAST_LOOK_MS ? (unsigned int)pause : BALLAST_LOOK_MS;
}

unsigned int ballast_look(struct ballast *ballast)
{
	struct ramzswap_stats stats;
	struct ballast_view view = { .stats = &stats, .held = ballast->held, .ms = clock_ms() };
	uint64_t size, used, wanted;
	size_t held = ballast->held;
	int steps;

	/*
	 * Nobody touches it, but a swapoff, whoever calls that, reads it back from its beginning:
	 * that may be more than the machine has memory for.
	 */
	if (held && is_resident(ballast, ballast->memory)) {
		give_back(ballast, 0);
		guard_log(LOG_WARNING,
			  "swap on %s is being taken away: the guard lets go what it held of it",
			  ballast->device);
		return BALLAST_LOOK_MS;
	}
	if (!machine_swap_area(ballast->swaps, ballast->device, &size, &used) ||
	    !ask_stats(ballast->socket, &ballast->answer, &stats))
		return IDLE_LOOK_MS;
	machine_memory(ballast->meminfo, &view.memory);
	view.lists = machine_lists(ballast->lists, ballast->processors, view.memory.total);
	view.minimum = machine_minimum(ballast->minimum);
	view.floor = urgent_floor();
	view.area_free = size - used;
	wanted = ballast_plan_look(&ballast->plan, &view);
	wanted -= wanted % STEP;
	if (ballast->held >= wanted)
		settle_some(ballast);
	for (steps = 0; steps < STEPS && ballast->held < wanted && take_step(ballast); steps++)
		;
	if (ballast->held > wanted)
		give_back(ballast, wanted);
	if (!held != !ballast->held)
		guard_log(
			LOG_WARNING,
			held ? "%s may be swapped to in full again: the pool has room for all of it"
			     : "%s may be swapped to in part only: the pool has no room for all of "
			       "it, and the guard holds the rest, which shows as used swap",
			ballast->device);
	if (steps == STEPS)
		return 0;
	if (ballast->held == 0 && view.memory.available >= view.memory.total / 4 &&
	    stats.mem_used_total <= ballast_plan_limit(&view) / 4)
		return IDLE_LOOK_MS;
	return pause_after(ballast, &view);
}

void ballast_let_go(struct ballast *ballast)
{
	give_back(ballast, 0);
}

int ballast_init(struct ballast *ballast, const char *device, const char *socket, int swaps)
{
	struct ramzswap_stats stats;
	struct utsname kernel;
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
	ballast->word = uname(&kernel) == 0 && kernel_notes_zero_pages(kernel.release)
				? WORD_OF_NOTES
				: WORD;
	ballast->meminfo = machine_open();
	ballast->lists = machine_lists_open();
	ballast->minimum = machine_minimum_open();
	ballast->processors = (unsigned int)sysconf(_SC_NPROCESSORS_CONF);
	ballast->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ballast->size = size - size % STEP;
	ballast->memory = mmap(NULL, ballast->size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ballast->memory == MAP_FAILED)
		return -errno;
	/*
	 * Page by page also where the kernel would take larger folios (from Linux 6.8 of any size):
	 * a folio that a step ends in would be split, or stay in memory for its other part.  And no
	 * child is to be had here at the price of a copy of its page tables.
	 */
	advise(ballast->memory, ballast->size);
	ballast->mapped = ballast->size;
	return 0;
}
