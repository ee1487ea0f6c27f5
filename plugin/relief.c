/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"
#include "relief.h"

/* A pause of so long ends a row of failures. */
#define PAUSE_MS 3000u

/* The machine has no memory left when less than 1/2^5 of it is available, or than this. */
#define SHORT_SHIFT 5
#define SHORT_MAX (UINT64_C(128) << 20)

void relief_prepare(struct relief *relief)
{
	struct machine_memory memory;

	memset(relief, 0, sizeof(*relief));
	relief->trigger = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	relief->meminfo = machine_open();
	relief->swaps = open("/proc/swaps", O_RDONLY | O_CLOEXEC);
	/* The kernel makes its buffers for these at the first read. */
	machine_memory(relief->meminfo, &memory);
	(void)relief_swap_is_on(relief);
	relief->prepared = true;
}

void relief_finish(struct relief *relief)
{
	if (!relief->prepared)
		return;
	if (relief->trigger >= 0)
		close(relief->trigger);
	if (relief->meminfo >= 0)
		close(relief->meminfo);
	if (relief->swaps >= 0)
		close(relief->swaps);
	relief->prepared = false;
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

bool relief_is_due(struct relief *relief, const struct relief_view *view)
{
	bool failing = view->failed > relief->failed_seen;
	/* The server may be stuck itself, for want of the memory to answer. */
	bool waiting = view->writes == relief->writes_seen && view->memory.writeback > 0;

	relief->failed_seen = view->failed;
	relief->writes_seen = view->writes;
	if (is_short(&view->memory) && (failing || waiting))
		relief->stuck_ms = view->now_ms;
	else if (view->now_ms - relief->stuck_ms > PAUSE_MS)
		relief->since_ms = 0;
	if (failing && relief->since_ms == 0) {
		relief->since_ms = view->now_ms;
		relief->writes = view->writes;
		relief->failed = view->failed;
	}
	if (relief->since_ms == 0 || view->now_ms - relief->since_ms < RELIEF_MS)
		return false;
	/* Another one is judged by what comes next, unless nothing does. */
	relief->since_ms = waiting ? view->now_ms : 0;
	return is_short(&view->memory) &&
	       view->failed - relief->failed >= (view->writes - relief->writes) / 2;
}

bool relief_swap_is_on(const struct relief *relief)
{
	return machine_swaps_to_nbd(relief->swaps);
}

int relief_call(struct relief *relief)
{
	if (relief->trigger < 0)
		return -ENOENT;
	return write(relief->trigger, "f", 1) == 1 ? 0 : -errno;
}
