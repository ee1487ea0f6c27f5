/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/kernel.h"
#include "base/machine.h"
#include "tools/progress.h"
#include "tools/ramzswap/device.h"
#include "tools/ramzswap/host.h"
#include "tools/ramzswap/kernel_settings.h"
#include "tools/ramzswap/processes.h"
#include "tools/ramzswap/room.h"
#include "tools/ramzswap/state.h"
#include "tools/ramzswap/stop.h"
#include "tools/ramzswap/undo.h"

#define LOOK_MS 100

enum stop_verdict stop_judge(const struct stop_view *view)
{
	if (view->server_lives && !(view->lost && view->swaps))
		return view->swaps && !view->forced ? STOP_IF_IT_FITS : STOP_AT_ONCE;
	if (view->served && !view->server_lives)
		return STOP_NAMELESS;
	if (view->swaps && !view->forced && !view->marks_lost)
		return STOP_WRONG;
	return STOP_BURY;
}

static struct stop_view look(struct host *host, const struct state *state, bool forced)
{
	bool lives = server_process(host) != 0;
	struct machine_swap swap;

	return (struct stop_view){
		.forced = forced,
		.server_lives = lives,
		.served = lives || server_is_served(host),
		.swaps = machine_swap(host->swaps, state->device, &swap) != -ENOENT &&
			 !device_is_taken(host, state),
		.marks_lost = kernel_marks_lost_pages(host->calls->release(host)),
		.lost = lives && device_is_lost(host, state),
	};
}

static void show_wait(struct host *host, struct progress *progress, uint64_t waited)
{
	const struct progress_look look = { .milliseconds = waited,
					    .done = waited,
					    .total = STOP_ROOM_MS };

	if (!progress_is_seen(progress))
		progress_begin(progress, host->err);
	progress_show(progress, "waiting for room in memory", &look);
}

/*
 * What programs had that have just ended is still in the pool: the kernel discards it by and by,
 * some of it only when the guard has given its slots back.  By the clock, for where programs fight
 * for memory a look takes long.
 */
int stop_await_room(struct host *host, const struct state *state, struct room *room)
{
	uint64_t start = host->calls->now_ms(host), waited;
	struct progress progress = { .out = NULL };
	int err;

	for (;;) {
		err = room_measure(host, state->device, guard_process(host), room);
		waited = host->calls->now_ms(host) - start;
		if (err == -ENOENT || (err == 0 && room->used <= room->room))
			err = 0;
		else if (host->calls->interrupted(host))
			err = -EINTR;
		else
			err = waited < STOP_ROOM_MS ? -EAGAIN : -ENOMEM;
		if (err != -EAGAIN)
			break;
		show_wait(host, &progress, waited);
		host->calls->rest(host, LOOK_MS);
	}
	progress_end(&progress);
	return err;
}

int stop_say_interrupted(struct host *host, const struct state *state)
{
	struct machine_swap swap = { .used = 0 };

	machine_swap(host->swaps, state->device, &swap);
	host_complain(host,
		      "interrupted: swap on %s goes on, with %llu MB swapped out; nothing is lost",
		      state->device, (unsigned long long)swap.used >> 20);
	return EXIT_FAILURE;
}

static int refuse_for_room(const struct host *host, const struct room *room)
{
	host_complain(
		host,
		"%llu MB are swapped out and only %llu MB of memory are available: end some "
		"programs first (--force tries all the same).  Nothing was changed, swap goes "
		"on",
		(unsigned long long)room->used >> 20, (unsigned long long)room->room >> 20);
	return EXIT_FAILURE;
}

/* A request that a dead server took along is stuck until the device is let go. */
static int bury(struct host *host, const struct state *state, const struct stop_view *view,
		enum stop_verdict verdict)
{
	host_warn(host, "%s and what was swapped out is lost: programs that need it will end",
		  view->lost ? "the server has lost its link to the kernel" : "the server is dead");
	device_detach(host, state);
	if (verdict != STOP_WRONG)
		return EXIT_SUCCESS;
	host_complain(host,
		      "this kernel's swapoff would give them wrong pages instead: restart the "
		      "machine (--force does it all the same)");
	return EXIT_FAILURE;
}

static bool swap_is_gone(struct host *host, void *about)
{
	const struct state *state = about;
	struct machine_swap swap;

	return machine_swap(host->swaps, state->device, &swap) == -ENOENT;
}

/* At shutdown systemd may be at it as well, and first. */
int stop_take_swap_away(struct host *host, const struct state *state)
{
	/* Without who answers for the ublk device of a server that does not all would wait, were
	 * swapoff interrupted. */
	bool answered = state->ublk && (server_process(host) == 0 || device_is_lost(host, state));
	bool guarded = !answered && guard_end(host);
	int err = host->calls->swapoff(host, state->device);

	if (err == 0 || (err == -EINTR ? swap_is_gone(host, (void *)state)
				       : host_wait(host, swap_is_gone, (void *)state)))
		return EXIT_SUCCESS;
	if (err == -EINTR)
		stop_say_interrupted(host, state);
	else
		host_complain(host,
			      "swapoff: %s: swapoff failed: %s; the disk stays attached and swap "
			      "goes on",
			      state->device, strerror(-err));
	if (guarded)
		guard_start(host, state);
	return EXIT_FAILURE;
}

static void take_down(struct host *host, const struct state *state)
{
	guard_end(host);
	device_detach(host, state);
	device_restore_queue(host, state);
	server_end(host);
	/* Before settings: a disk that has one wants them. */
	host_remove(host, "%s/state", host->run);
	kernel_restore(host);
	undo_files(host);
	host_say(host, "stopped");
}

int stop_disk(struct host *host, bool forced)
{
	struct room room = { 0, 0 };
	enum stop_verdict verdict;
	struct stop_view view;
	struct state state;
	int err = 0;

	if (state_read(host, &state) != 0) {
		host_complain(host, "%s/state is damaged: nothing was changed", host->run);
		return EXIT_FAILURE;
	}
	if (device_is_orphan(host, &state))
		host_warn(host,
			  "the kernel keeps the swap area of %s, which was taken away, and "
			  "cannot write there: where memory runs out nobody has a program ended "
			  "for that any more; restart the machine when it suits",
			  state.device);
	view = look(host, &state, forced);
	verdict = stop_judge(&view);
	if (verdict == STOP_NAMELESS) {
		host_complain(host,
			      "%s/pid does not name the server, which lives: nothing was changed",
			      host->run);
		return EXIT_FAILURE;
	}
	if ((verdict == STOP_WRONG || verdict == STOP_BURY) &&
	    bury(host, &state, &view, verdict) != 0)
		return EXIT_FAILURE;
	/* In the middle of it swap would be left on without its guard. */
	host->calls->commit(host);
	if (verdict == STOP_IF_IT_FITS)
		err = stop_await_room(host, &state, &room);
	if (err)
		return err == -EINTR ? stop_say_interrupted(host, &state)
				     : refuse_for_room(host, &room);
	if (view.swaps && stop_take_swap_away(host, &state) != 0)
		return EXIT_FAILURE;
	take_down(host, &state);
	return EXIT_SUCCESS;
}
