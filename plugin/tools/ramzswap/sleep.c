/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/machine.h"
#include "tools/ramzswap/freezer.h"
#include "tools/ramzswap/host.h"
#include "tools/ramzswap/processes.h"
#include "tools/ramzswap/sleep.h"
#include "tools/ramzswap/state.h"
#include "tools/ramzswap/stop.h"

/* The file below RUN in which the priority of swap is kept that is off. */
#define OFF "swap-off"

/* Nothing is swapped out when so many looks, a tenth of a second apart, see nothing move. */
#define QUIET_LOOKS 4

static int refuse(const struct host *host, const char *why)
{
	host_complain(host, "%s.  Nothing was changed, swap goes on", why);
	return EXIT_FAILURE;
}

static int nothing_to_do(const struct host *host)
{
	host_say(host, "no disk is in use: nothing to do");
	return EXIT_SUCCESS;
}

static int refuse_other_server(const struct host *host)
{
	return refuse(host, "the kernel swaps to another nbd or ublk device, too, whose server "
			    "would be stopped: take that off first, with swapoff");
}

/* The state of a disk that the kernel swaps to; -ENOENT if there is none, and nothing is said. */
static int read_disk(struct host *host, struct state *state, struct machine_swap *swap)
{
	int err = state_read(host, state);

	if (err && err != -ENOENT) {
		host_complain(host, "%s/state is damaged: nothing was changed", host->run);
		return -EINVAL;
	}
	if (err || machine_swap(host->swaps, state->device, swap) == -ENOENT)
		return -ENOENT;
	if (server_process(host) == 0) {
		host_complain(host, "the server of %s is dead: 'ramzswap stop' first",
			      state->device);
		return -EINVAL;
	}
	return 0;
}

/* Whether the kernel was told to put the image of memory on our device. */
static bool is_images_place(const struct host *host, const struct state *state)
{
	char resume[64], ours[64];

	return host_read(host, resume, sizeof(resume), "/sys/power/resume") &&
	       host_read(host, ours, sizeof(ours), "/sys/block/%s/dev", state->name) &&
	       strcmp(resume, ours) == 0;
}

/* It has to be kept where the disk's memory is not. */
static int refuse_without_a_place(const struct host *host, const struct state *state,
				  const struct machine_swap *swap, bool others_follow)
{
	if (is_images_place(host, state))
		return refuse(host, "the image of memory cannot be kept in the disk itself: name "
				    "another swap device in /sys/power/resume (or resume= of the "
				    "kernel)");
	if (swap->lasting == 0)
		return refuse(host, "hibernation needs another swap area to keep the image of "
				    "memory in, and there is none with room: swapon one on a disk");
	if (swap->other_server && !others_follow)
		return refuse_other_server(host);
	return EXIT_SUCCESS;
}

static int refuse_for_room(const struct host *host, const struct room *room)
{
	host_complain(host,
		      "hibernation needs swap taken off: %llu MB are swapped out and only %llu MB "
		      "of memory and other swap are available, %llu MB are missing: end some "
		      "programs first.  Nothing was changed, swap goes on",
		      (unsigned long long)room->used >> 20, (unsigned long long)room->room >> 20,
		      (unsigned long long)(room->used - room->room + (1 << 20) - 1) >> 20);
	return EXIT_FAILURE;
}

static bool note_priority(struct host *host, int priority)
{
	char path[PATH_MAX];
	FILE *file;
	bool done;

	if (!host_path(host, path, sizeof(path), "%s/" OFF, host->run))
		return false;
	file = fopen(path, "we");
	if (!file)
		return false;
	done = fprintf(file, "%d\n", priority) > 0;
	return fclose(file) == 0 && done;
}

int sleep_before_hibernation(struct host *host, bool others_follow)
{
	struct room room = { 0, 0 };
	struct machine_swap swap = { .size = 0 };
	struct state state;
	int err = read_disk(host, &state, &swap);

	/* This disk may be off already, and the machine hang all the same. */
	if (err == -ENOENT && swap.other_server && !others_follow)
		return refuse_other_server(host);
	if (err)
		return err == -ENOENT ? nothing_to_do(host) : EXIT_FAILURE;
	if (refuse_without_a_place(host, &state, &swap, others_follow) != 0)
		return EXIT_FAILURE;
	host->calls->commit(host);
	err = stop_await_room(host, &state, &room);
	if (err)
		return err == -EINTR ? stop_say_interrupted(host, &state)
				     : refuse_for_room(host, &room);
	if (!note_priority(host, swap.priority))
		return refuse(host, "what wake has to know cannot be written");
	if (stop_take_swap_away(host, &state) != 0) {
		host_remove(host, "%s/" OFF, host->run);
		return EXIT_FAILURE;
	}
	host_say(host, "swap on %s is off for hibernation: 'ramzswap wake' brings it back",
		 state.device);
	return EXIT_SUCCESS;
}

/* Lets all go when nobody else does: whoever should may be stopped himself, or gone. */
static void start_waker(struct host *host)
{
	char pid[PATH_MAX];
	char *const argv[] = { (char *)host->program, (char *)"wake", (char *)"--later", NULL };

	if (!host_path(host, pid, sizeof(pid), "%s/waker", host->run) ||
	    host->calls->launch(host, argv, pid, "/dev/null") != 0)
		host_warn(host, "nobody lets programs go but 'ramzswap wake'");
}

static bool is_stopped(struct host *host, void *about)
{
	const pid_t *process = about;
	char text[32];

	return !host_read_field(host, text, sizeof(text), "State:", "/proc/%d/status",
				(int)*process) ||
	       *text == 'T';
}

/* Once it has stopped nobody but the kernel itself swaps out any more. */
static bool stop_guard(struct host *host)
{
	pid_t guard = guard_process(host);

	if (guard == 0)
		return true;
	host->calls->hold(host, guard, true);
	return host_wait(host, is_stopped, &guard);
}

struct quiet {
	const char *device;
	uint64_t used;
	unsigned int looks; /* at which nothing moved */
};

static bool is_quiet(struct host *host, void *about)
{
	struct quiet *quiet = about;
	struct machine_memory memory;
	struct machine_swap swap;

	machine_memory(host->meminfo, &memory);
	if (machine_swap(host->swaps, quiet->device, &swap) != 0)
		return true;
	quiet->looks = memory.writeback == 0 && swap.used == quiet->used ? quiet->looks + 1 : 0;
	quiet->used = swap.used;
	return quiet->looks >= QUIET_LOOKS;
}

/* The kernel's own threads swap out until enough is free: they are to be through with it. */
static bool await_quiet(struct host *host, const struct state *state)
{
	struct quiet quiet = { .device = state->device };

	return host_wait(host, is_quiet, &quiet);
}

int sleep_before_suspend(struct host *host)
{
	struct machine_swap swap;
	struct state state;
	bool slow = false;
	int err = read_disk(host, &state, &swap);

	if (err)
		return err == -ENOENT ? nothing_to_do(host) : EXIT_FAILURE;
	if (host_exists(host, "%s/asleep", host->run))
		return refuse(host, "programs are stopped already: 'ramzswap wake' first");
	host->calls->commit(host);
	start_waker(host);
	err = freezer_stop_all(host, &slow);
	if (err) {
		sleep_wake(host);
		host_complain(host, "programs cannot be stopped: %s",
			      err == -ENOSYS ? "this kernel or its mounts have no cgroup freezer"
					     : strerror(-err));
		return EXIT_FAILURE;
	}
	if (!stop_guard(host) || slow)
		host_warn(host, "not all programs have stopped within ten seconds: the kernel may "
				"refuse to suspend");
	if (!await_quiet(host, &state))
		host_warn(host, "the kernel does not cease to swap out: it may refuse to suspend");
	host_say(host, "programs are stopped for suspend: 'ramzswap wake' lets them go");
	return EXIT_SUCCESS;
}

static void end_waker(struct host *host)
{
	pid_t waker = waker_process(host);

	if (waker && waker != host->calls->self(host))
		host->calls->end(host, waker);
	host_remove(host, "%s/waker", host->run);
}

/* The guard comes with it, and finds what it has to hold. */
static int bring_swap_back(struct host *host, int priority)
{
	struct machine_swap swap;
	struct state state;
	int err;

	if (state_read(host, &state) != 0) {
		host_complain(host, "%s/state is damaged: swap stays off", host->run);
		return EXIT_FAILURE;
	}
	if (machine_swap(host->swaps, state.device, &swap) != 0) {
		err = host->calls->swapon(host, state.device, priority);
		if (err) {
			host_complain(host,
				      "swapon of %s: %s: 'ramzswap stop' and 'start' bring "
				      "it back",
				      state.device, strerror(-err));
			return EXIT_FAILURE;
		}
	}
	host_remove(host, "%s/" OFF, host->run);
	if (*state.guarded && guard_process(host) == 0)
		guard_start(host, &state);
	host_say(host, "the kernel swaps to %s again", state.device);
	return EXIT_SUCCESS;
}

int sleep_wake(struct host *host)
{
	char text[32];
	bool stopped = host_exists(host, "%s/asleep", host->run);

	freezer_let_go(host);
	if (stopped && guard_process(host) != 0)
		host->calls->hold(host, guard_process(host), false);
	end_waker(host);
	if (!host_read(host, text, sizeof(text), "%s/" OFF, host->run))
		return EXIT_SUCCESS;
	return bring_swap_back(host, atoi(text));
}
