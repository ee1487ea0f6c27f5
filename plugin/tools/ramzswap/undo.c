/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/machine.h"
#include "tools/ramzswap/device.h"
#include "tools/ramzswap/freezer.h"
#include "tools/ramzswap/host.h"
#include "tools/ramzswap/kernel_settings.h"
#include "tools/ramzswap/processes.h"
#include "tools/ramzswap/state.h"
#include "tools/ramzswap/undo.h"

static bool swaps_there(const struct host *host, const struct state *state)
{
	struct machine_swap swap;

	return machine_swap(host->swaps, state->device, &swap) == 0;
}

static bool undo_swap(struct host *host, const struct state *state)
{
	bool guarded;
	int err;

	if (!swaps_there(host, state))
		return true;
	guarded = guard_end(host);
	err = host->calls->swapoff(host, state->device);
	if (err == 0)
		return true;
	if (guarded)
		guard_start(host, state);
	host_warn(host, "swapoff: %s: swapoff failed: %s: swap goes on, 'ramzswap stop' ends it",
		  state->device, strerror(-err));
	return false;
}

static bool undo_device(struct host *host, const struct state *state)
{
	device_detach(host, state);
	return true;
}

static bool undo_queue(struct host *host, const struct state *state)
{
	device_restore_queue(host, state);
	return true;
}

static bool undo_server(struct host *host, const struct state *state)
{
	server_end(host);
	return true;
}

static bool undo_kernel(struct host *host, const struct state *state)
{
	kernel_restore(host);
	return true;
}

void undo_files(struct host *host)
{
	/* What sleep has left. */
	freezer_let_go(host);
	host_remove(host, "%s/waker", host->run);
	host_remove(host, "%s/swap-off", host->run);
	host_remove(host, "%s/state", host->run);
	host_remove(host, "%s/guard", host->run);
	host_remove(host, "%s/guard-said", host->run);
	host_remove(host, "%s/server-said", host->run);
	host_remove(host, "%s/bin", host->run);
	host_remove_empty(host, "%s", host->run);
}

static bool undo_all_files(struct host *host, const struct state *state)
{
	undo_files(host);
	return true;
}

static const struct {
	const char *name;
	bool (*take_back)(struct host *host, const struct state *state);
} steps_known[] = {
	{ "swap", undo_swap },	   { "device", undo_device }, { "queue", undo_queue },
	{ "server", undo_server }, { "kernel", undo_kernel }, { "files", undo_all_files },
};

#define STEPS (sizeof(steps_known) / sizeof(steps_known[0]))

static size_t number_of(const char *step)
{
	size_t number = 0;

	while (number < STEPS && strcmp(steps_known[number].name, step) != 0)
		number++;
	return number;
}

bool undo_knows(const char *step)
{
	return number_of(step) < STEPS;
}

int undo_steps(struct host *host, char *const steps[])
{
	struct state state;

	if (state_read(host, &state) != 0) {
		host_complain(host, "%s/state is damaged: nothing is undone", host->run);
		return EXIT_FAILURE;
	}
	for (; *steps; steps++) {
		size_t number = number_of(*steps);

		if (number == STEPS || !steps_known[number].take_back(host, &state))
			return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

static int refuse_if_it_runs(const struct host *host, const struct state *state)
{
	pid_t server = server_process(host);

	if (server) {
		host_complain(host, "runs already as process %d on %s ('ramzswap stop' ends it)",
			      (int)server, state->device);
		return EXIT_FAILURE;
	}
	if (!device_is_taken(host, state) && swaps_there(host, state)) {
		host_complain(host,
			      "the server of %s is dead but the kernel still swaps there: try "
			      "'ramzswap stop'; pages stored there are lost",
			      state->device);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

/* Of a state that says what is left. */
static int remove_what_is_left(struct host *host)
{
	struct state state;
	int err = state_read(host, &state);

	if (err == -ENOENT)
		return EXIT_SUCCESS;
	if (err) {
		host_complain(host,
			      "%s/state is damaged, and does not say what is to be taken down: "
			      "remove it when no disk is in use",
			      host->run);
		return EXIT_FAILURE;
	}
	if (refuse_if_it_runs(host, &state) != 0)
		return EXIT_FAILURE;
	host_say(host, "removing what a server that died left in %s", host->run);
	device_detach(host, &state);
	device_restore_queue(host, &state);
	kernel_restore(host);
	return EXIT_SUCCESS;
}

int undo_leftovers(struct host *host)
{
	if (remove_what_is_left(host) != 0)
		return EXIT_FAILURE;
	if (server_is_served(host)) {
		host_complain(host, "%s/socket: in use by another server", host->run);
		return EXIT_FAILURE;
	}
	host_remove(host, "%s/socket", host->run);
	host_remove(host, "%s/control", host->run);
	host_remove(host, "%s/pid", host->run);
	host_remove(host, "%s/state", host->run);
	return EXIT_SUCCESS;
}
