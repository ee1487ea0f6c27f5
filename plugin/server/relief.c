/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/machine.h"
#include "server/fullness.h"
#include "server/relief.h"
#include "server/server.h"
#include "store/store.h"

/*
 * Looks between two for programs that may be ended: 2 seconds where less than a quarter of the
 * memory is available, 10 where it is less than half.  There the first is made at once, as a load
 * may take the rest within a second.
 */
#define VICTIMS_LOOKS 4u
#define VICTIMS_LOOKS_EARLY 20u

void relief_watch(struct server *server, const struct machine_memory *memory)
{
	unsigned int looks = memory->available < memory->total / 4 ? VICTIMS_LOOKS
								   : VICTIMS_LOOKS_EARLY;

	if (!server->swap_is_on || memory->available >= memory->total / 2) {
		server->victims_age = VICTIMS_LOOKS_EARLY;
		return;
	}
	if (++server->victims_age < looks)
		return;
	server->victims_age = 0;
	oom_victims_look(&server->victims);
}

/* What has not been told yet stays to be told. */
static void give_relief(struct server *server, enum relief relief)
{
	bool told = atomic_load(&server->relief) == RELIEF_NONE;
	struct oom_victim ended;
	int err = -ESRCH;

	if (relief == RELIEF_END_ONE)
		err = oom_victims_end(&server->victims, &ended);
	if (!err) {
		atomic_fetch_add(&server->oom_kills, 1);
	} else {
		relief = RELIEF_ASK_KERNEL;
		err = oom_call_make(&server->oom_call);
		if (!err)
			atomic_fetch_add(&server->oom_calls, 1);
	}
	if (!told)
		return;
	server->relief_error = err;
	server->starved = server->oom_call.starved;
	if (relief == RELIEF_END_ONE)
		server->ended = ended;
	atomic_store(&server->relief, relief);
}

unsigned int relief_step(void *opaque)
{
	struct server *server = opaque;
	struct oom_call_view view;
	enum relief relief;
	int lost;

	view.now_ms = clock_ms();
	store_count_writes(server->store, &view.writes, &view.failed);
	view.ended = store_count_ended(server->store, &view.under_way);
	/* There a request may wait for a slow disk: no program's end helps that. */
	view.under_way = view.under_way && !server->backing;
	lost = atomic_load(&server->ublk_end.device);
	view.lost = lost != UBLK_ANY && oom_call_is_lost(&server->oom_call, lost);
	view.exhausted = oom_call_is_exhausted();
	machine_memory(server->oom_call.meminfo, &view.memory);
	atomic_store_explicit(&server->swap_is_on,
			      oom_call_swap_is_on(&server->oom_call) ||
				      swap_watch_sees_any(&server->swap),
			      memory_order_relaxed);
	relief = oom_call_judge(&server->oom_call, &view);
	if (relief != RELIEF_NONE && server->swap_is_on)
		give_relief(server, relief);
	return FULLNESS_MS;
}

void relief_tell(struct server *server)
{
	enum relief relief = atomic_load(&server->relief);
	char line[FULLNESS_LINE_MAX], what[FULLNESS_LINE_MAX / 2];
	int err;

	if (relief == RELIEF_NONE)
		return;
	err = server->relief_error;
	if (relief == RELIEF_END_ONE)
		snprintf(what, sizeof(what), "ended %s (process %d)", server->ended.name,
			 (int)server->ended.number);
	else
		snprintf(what, sizeof(what), "%s%s",
			 err ? "the kernel cannot be asked to end a program: "
			     : "asked the kernel to end a program (OOM killer)",
			 err ? strerror(-err) : "");
	snprintf(line, sizeof(line),
		 server->starved ? "all programs together have had no more than a few pages for %u "
				   "seconds and this machine has no memory left: %s"
				 : "pages have found no room for %u seconds and this machine has "
				   "no memory left: %s",
		 OOM_CALL_MS / 1000, what);
	atomic_store(&server->relief, RELIEF_NONE);
	server->log(line);
}
