/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/machine.h"
#include "survival/oom_call.h"
#include "urgent.h"

/* A pause of so long ends a row of failures. */
#define PAUSE_MS 3000u

/* The machine has no memory left when less than 1/2^5 of it is available, or than this. */
#define SHORT_SHIFT 5
#define SHORT_MAX (UINT64_C(128) << 20)

/* What a pool grows by. */
#define POOL_STEP (UINT64_C(64) << 10)

void oom_call_prepare(struct oom_call *oom_call)
{
	struct machine_memory memory;

	memset(oom_call, 0, sizeof(*oom_call));
	oom_call->trigger = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	oom_call->meminfo = machine_open();
	oom_call->swaps = machine_swaps_open();
	/* The kernel makes its buffers for these at the first read. */
	machine_memory(oom_call->meminfo, &memory);
	(void)oom_call_swap_is_on(oom_call);
	oom_call->prepared = true;
}

void oom_call_finish(struct oom_call *oom_call)
{
	if (!oom_call->prepared)
		return;
	if (oom_call->trigger >= 0)
		close(oom_call->trigger);
	if (oom_call->meminfo >= 0)
		close(oom_call->meminfo);
	if (oom_call->swaps >= 0)
		close(oom_call->swaps);
	oom_call->prepared = false;
}

/*
 * The swap cache is not added to what is available: the kernel keeps pages there, dirty, whose
 * write to the swap area failed.
 */
static bool is_short(const struct machine_memory *memory)
{
	uint64_t least = memory->total >> SHORT_SHIFT;

	return memory->available < (least < SHORT_MAX ? least : SHORT_MAX);
}

/* Where memory is waited for the kernel lets one try a second: one request may end by that. */
static bool goes_on(const struct oom_call *oom_call, const struct oom_call_view *view)
{
	return view->ended - oom_call->ended_seen > 1;
}

static unsigned int looks_of(const struct oom_call *oom_call, const struct oom_call_view *view)
{
	if (view->exhausted)
		return OOM_CALL_LOOKS_EXHAUSTED;
	return oom_call->tried ? OOM_CALL_LOOKS_AGAIN : OOM_CALL_LOOKS;
}

static bool stands_still(struct oom_call *oom_call, const struct oom_call_view *view)
{
	if (goes_on(oom_call, view) || !view->under_way || view->memory.writeback == 0 ||
	    !is_short(&view->memory))
		oom_call->standing = 0;
	else
		oom_call->standing++;
	if (oom_call->standing < looks_of(oom_call, view))
		return false;
	oom_call->standing = 0;
	return true;
}

/* Less than which all programs together get nowhere with. */
static uint64_t next_to_nothing(const struct machine_memory *memory)
{
	uint64_t bytes = memory->total >> OOM_CALL_STARVED_SHIFT;

	if (bytes < OOM_CALL_STARVED_LEAST)
		return OOM_CALL_STARVED_LEAST;
	return bytes < OOM_CALL_STARVED_MOST ? bytes : OOM_CALL_STARVED_MOST;
}

/* Pages come and go, and no program has enough of them to get anywhere. */
static bool starves(struct oom_call *oom_call, const struct oom_call_view *view)
{
	uint64_t programs = view->memory.swappable + view->memory.files;

	if (!is_short(&view->memory) || programs >= next_to_nothing(&view->memory)) {
		oom_call->starving = 0;
		return false;
	}
	if (view->ended - oom_call->ended_seen < OOM_CALL_STARVED_ENDED) {
		if (++oom_call->pausing > OOM_CALL_STARVED_PAUSE)
			oom_call->starving = 0;
		return false;
	}
	oom_call->pausing = 0;
	return ++oom_call->starving % OOM_CALL_LOOKS == 0;
}

/* Writes that fail without end, or that do not even fail any more. */
static bool fails_on(struct oom_call *oom_call, const struct oom_call_view *view)
{
	bool failing = view->lost || view->failed > oom_call->failed_seen;
	/* The server may be stuck itself, for want of the memory to answer. */
	bool waiting = view->writes == oom_call->writes_seen && view->memory.writeback > 0;

	oom_call->failed_seen = view->failed;
	oom_call->writes_seen = view->writes;
	if (is_short(&view->memory) && (failing || waiting))
		oom_call->stuck_ms = view->now_ms;
	else if (view->now_ms - oom_call->stuck_ms > PAUSE_MS)
		oom_call->since_ms = 0;
	if (failing && oom_call->since_ms == 0) {
		oom_call->since_ms = view->now_ms;
		oom_call->writes = view->writes;
		oom_call->failed = view->failed;
	}
	if (oom_call->since_ms == 0 || view->now_ms - oom_call->since_ms < OOM_CALL_MS)
		return false;
	/* Another one is judged by what comes next, unless nothing does. */
	oom_call->since_ms = waiting ? view->now_ms : 0;
	return is_short(&view->memory) &&
	       (view->lost ||
		view->failed - oom_call->failed >= (view->writes - oom_call->writes) / 2);
}

/*
 * Where nothing goes on the kernel's threads wait for memory, too: one would do what it was asked
 * when it is not needed any more, and a second program would end.
 */
static enum relief next(enum relief tried, bool still)
{
	switch (tried) {
	case RELIEF_ASK_KERNEL:
		return RELIEF_END_ONE;
	case RELIEF_END_ONE:
		return RELIEF_ASK_KERNEL;
	default:
		return still ? RELIEF_END_ONE : RELIEF_ASK_KERNEL;
	}
}

enum relief oom_call_judge(struct oom_call *oom_call, const struct oom_call_view *view)
{
	bool failing = view->failed > oom_call->failed_seen;
	bool starved = starves(oom_call, view), still, failing_on;

	/* Of use, or of none any more. */
	if (!is_short(&view->memory) ||
	    (goes_on(oom_call, view) && !failing && oom_call->starving == 0))
		oom_call->tried = RELIEF_NONE;
	still = stands_still(oom_call, view);
	failing_on = fails_on(oom_call, view);
	oom_call->ended_seen = view->ended;
	if (!still && !failing_on && !starved)
		return RELIEF_NONE;
	oom_call->starved = !still && !failing_on;
	oom_call->tried = next(oom_call->tried, still);
	return oom_call->tried;
}

bool oom_call_is_exhausted(void)
{
	return !urgent_gets_at_once(POOL_STEP);
}

bool oom_call_is_lost(const struct oom_call *oom_call, int number)
{
	struct machine_swap swap;
	char device[32];

	snprintf(device, sizeof(device), "/dev/ublkb%d", number);
	return machine_swap_orphan(oom_call->swaps, device, &swap) == 0 && swap.elsewhere == 0;
}

bool oom_call_swap_is_on(const struct oom_call *oom_call)
{
	return machine_swaps_to_nbd(oom_call->swaps) || machine_swaps_to_ublk(oom_call->swaps);
}

int oom_call_make(struct oom_call *oom_call)
{
	if (oom_call->trigger < 0)
		return -ENOENT;
	return write(oom_call->trigger, "f", 1) == 1 ? 0 : -errno;
}
