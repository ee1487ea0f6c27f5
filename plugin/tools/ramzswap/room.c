/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>

#include "base/machine.h"
#include "tools/ramzswap/host.h"
#include "tools/ramzswap/room.h"

static uint64_t lesser(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

struct room room_of(const struct room_look *look)
{
	uint64_t held = lesser(look->held_before, look->held_after);

	return (struct room){
		.used = look->used - lesser(look->used, held),
		.room = lesser(look->before, look->after) + look->elsewhere,
	};
}

/*
 * What the kernel calls available leaves out pages in the swap cache: these are in memory already
 * (the guard's go when it ends).
 */
static int measure_memory(const struct host *host, uint64_t *bytes)
{
	struct machine_memory memory;

	machine_memory(host->meminfo, &memory);
	*bytes = memory.available + memory.cached;
	return memory.total ? 0 : -EIO;
}

/* One that is about to end holds none. */
static uint64_t held_by(const struct host *host, pid_t guard)
{
	char text[32];

	if (guard == 0 ||
	    !host_read_field(host, text, sizeof(text), "VmSwap:", "/proc/%d/status", (int)guard))
		return 0;
	return strtoull(text, NULL, 10) << 10;
}

int room_measure(const struct host *host, const char *device, pid_t guard, struct room *room)
{
	struct room_look look;
	struct machine_swap swap;
	int err;

	err = measure_memory(host, &look.before);
	if (err)
		return err;
	look.held_before = held_by(host, guard);
	err = machine_swap(host->swaps, device, &swap);
	if (err)
		return err;
	look.held_after = held_by(host, guard);
	err = measure_memory(host, &look.after);
	if (err)
		return err;
	look.used = swap.used;
	look.elsewhere = swap.elsewhere;
	*room = room_of(&look);
	return 0;
}
