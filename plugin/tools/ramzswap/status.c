/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/machine.h"
#include "tools/ask.h"
#include "tools/disk.h"
#include "tools/ramzswap/device.h"
#include "tools/ramzswap/host.h"
#include "tools/ramzswap/processes.h"
#include "tools/ramzswap/state.h"
#include "tools/ramzswap/status.h"

static bool is_off_for_sleep(const struct host *host)
{
	return host_exists(host, "%s/swap-off", host->run);
}

/* Whether the kernel swaps to it. */
static bool show_area(const struct host *host, const struct state *state)
{
	struct machine_swap swap;

	if (machine_swap(host->swaps, state->device, &swap) != 0 && is_off_for_sleep(host)) {
		host_warn(host, "swap on %s is off for hibernation: 'ramzswap wake' brings it back",
			  state->device);
		return false;
	}
	if (machine_swap(host->swaps, state->device, &swap) != 0) {
		host_warn(host,
			  "the kernel does not swap to %s: 'ramzswap stop' and 'start' bring it "
			  "back, and so does swapon",
			  state->device);
		return false;
	}
	host_say(host, "swap on %s: %llu MB, %llu MB used, priority %d", state->device,
		 (unsigned long long)swap.size >> 20, (unsigned long long)swap.used >> 20,
		 swap.priority);
	return true;
}

static void show_guard(const struct host *host, const struct state *state)
{
	pid_t guard = guard_process(host);
	char held[32];

	if (guard) {
		host_read_field(host, held, sizeof(held), "VmSwap:", "/proc/%d/status", (int)guard);
		host_say(host,
			 "guard: process %d, takes %llu MB of the area, for which the pool has no "
			 "room",
			 (int)guard, strtoull(held, NULL, 10) / 1024);
	} else if (*state->guarded && !is_off_for_sleep(host)) {
		host_warn(host, "the guard has ended: a full pool or a dead server stops the "
				"machine. 'ramzswap stop' and 'start' bring it back");
	}
}

static void show_protections(const struct host *host, const struct state *state, pid_t server)
{
	char resident[32], locked[32], score[32], minimum[32], boost[32], cluster[32];
	char largest[64], scheduler[64];

	host_read_field(host, resident, sizeof(resident), "VmRSS:", "/proc/%d/status", (int)server);
	host_read_field(host, locked, sizeof(locked), "VmLck:", "/proc/%d/status", (int)server);
	host_read(host, score, sizeof(score), "/proc/%d/oom_score_adj", (int)server);
	host_say(host, "server: process %d, resident %s kB, locked %s, OOM score %s", (int)server,
		 resident, strtoull(locked, NULL, 10) < strtoull(resident, NULL, 10) ? "no" : "yes",
		 score);
	host_read(host, minimum, sizeof(minimum), "/proc/sys/vm/min_free_kbytes");
	host_read(host, boost, sizeof(boost), "/proc/sys/vm/watermark_boost_factor");
	host_read(host, cluster, sizeof(cluster), "/proc/sys/vm/page-cluster");
	host_say(host,
		 "kernel: vm.min_free_kbytes %s, vm.watermark_boost_factor %s, vm.page-cluster %s",
		 minimum, boost, cluster);
	device_read_queue(host, state, "max_sectors_kb", largest, sizeof(largest));
	device_read_queue(host, state, "scheduler", scheduler, sizeof(scheduler));
	host_say(host, "queue: requests of up to %s kB, scheduler %s", largest, scheduler);
}

static bool has_control(const struct host *host, const struct state *state)
{
	return *state->control_socket && host_has_socket(host, "%s", state->control_socket);
}

/* The server knows whether there are any, and start why there never were. */
static void show_notices(const struct host *host, const struct state *state)
{
	static const char none[] = "none: ";
	char path[PATH_MAX], answer[ASK_MAX + 1], why[ASK_WHY_MAX];
	const char *body;

	if (!has_control(host, state) ||
	    !host_path(host, path, sizeof(path), "%s", state->control_socket) ||
	    ask(path, "freed", ASK_TIMEOUT_S, answer, &body, why) != 0)
		return;
	answer[strlen(answer) - 1] = '\0';
	if (strncmp(body, none, strlen(none)) != 0)
		host_say(host, "notices of freed slots: from the kernel's %s", body);
	else
		host_say(host, "no notices of freed slots: %s",
			 *state->no_notices ? state->no_notices : body + strlen(none));
}

static int tell_of_removal(const struct host *host, const struct state *state)
{
	if (device_is_orphan(host, state))
		host_complain(host,
			      "%s was taken away while the kernel swapped there: what was "
			      "swapped out is lost, and the kernel cannot let go of the area. "
			      "'ramzswap stop' gives the server's memory back; restart the machine "
			      "when it suits",
			      state->device);
	else
		host_complain(host, "%s was taken away: 'ramzswap stop' and 'start' bring it back",
			      state->device);
	return EXIT_FAILURE;
}

static int tell_of_loss(const struct host *host, const struct state *state)
{
	host_complain(host,
		      state->ublk ? "%s is served no more: its server's log says why, and what was "
				    "swapped out is lost. 'ramzswap stop' takes it down"
				  : "%s is attached to its server no more: somebody disconnected "
				    "it, or a time limit did, and what was swapped out is lost. "
				    "'ramzswap stop' takes it down",
		      state->device);
	return EXIT_FAILURE;
}

static int show(struct host *host, const struct state *state)
{
	bool removed = device_is_removed(host, state) && server_process(host) != 0;
	bool on = !removed && show_area(host, state);
	pid_t server;

	host_say(host, "door: %s (%s)", state->ublk ? "ublk" : "nbd", state->door_why);
	if (removed)
		return tell_of_removal(host, state);
	show_guard(host, state);
	server = server_process(host);
	if (!server) {
		host_complain(host,
			      on ? "the server of %s is dead, and what was swapped out is lost: "
				   "'ramzswap stop' takes it down"
				 : "the server of %s is dead, or is being started: 'ramzswap "
				   "stop' takes down what is left of it",
			      state->device);
		return EXIT_FAILURE;
	}
	if (!device_is_attached(host, state) || device_is_lost(host, state))
		return tell_of_loss(host, state);
	show_protections(host, state, server);
	show_notices(host, state);
	return EXIT_SUCCESS;
}

/* Success, or the exit status of what is said. */
static int read_or_say(const struct host *host, struct state *state)
{
	int err = state_read(host, state);

	if (err == 0)
		return EXIT_SUCCESS;
	if (err == -ENOENT) {
		host_complain(host, "not running");
		return STATUS_OFF;
	}
	host_complain(host, "%s/state is damaged", host->run);
	return EXIT_FAILURE;
}

int status_show(struct host *host)
{
	struct state state;
	int status = read_or_say(host, &state);

	return status == EXIT_SUCCESS ? show(host, &state) : status;
}

/* The disk at one look, as its server and the guard beside it have it. */
static int look_at_disk(struct host *host, const struct state *state)
{
	char path[PATH_MAX], why[ASK_WHY_MAX] = "its path is too long";
	struct disk disk;

	if (!host_path(host, path, sizeof(path), "%s", state->control_socket) ||
	    disk_ask(&disk, path, why) != 0) {
		host_complain(host, "no statistics from %s: %s", state->control_socket, why);
		return EXIT_FAILURE;
	}
	disk.guard = guard_process(host) ? LOOK_GUARD_LIVES
		     : *state->guarded	 ? LOOK_GUARD_MISSING
					 : LOOK_GUARD_NONE;
	if (disk_look(&disk, host->out) != 0) {
		host_complain(host, "cannot write the output");
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

int status_show_all(struct host *host)
{
	struct state state;
	int status = read_or_say(host, &state);

	if (status != EXIT_SUCCESS)
		return status;
	status = show(host, &state);
	if (status == EXIT_SUCCESS && has_control(host, &state))
		status = look_at_disk(host, &state);
	return status;
}
