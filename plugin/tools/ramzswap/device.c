/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <limits.h>
#include <string.h>

#include "base/machine.h"
#include "base/stats.h"
#include "tools/ask.h"
#include "tools/ramzswap/device.h"
#include "tools/ramzswap/host.h"
#include "tools/ramzswap/processes.h"
#include "tools/ramzswap/state.h"

/* Of one value: "none", or "mq-deadline" of "[mq-deadline] none". */
#define VALUE_MAX 256

bool device_is_taken(const struct host *host, const struct state *state)
{
	char now[64];

	/* Of ublk a start of another version has not noted it. */
	if (state->ublk && !*state->attached)
		return false;
	return host_read(host, now, sizeof(now), "/sys/block/%s/%s", state->name,
			 state->ublk ? "diskseq" : "pid") &&
	       *now && strcmp(now, state->attached) != 0;
}

bool device_is_attached(const struct host *host, const struct state *state)
{
	return state->ublk || (host_exists(host, "/sys/block/%s/pid", state->name) &&
			       !device_is_taken(host, state));
}

bool device_is_lost(const struct host *host, const struct state *state)
{
	char path[PATH_MAX], answer[ASK_MAX + 1], why[ASK_WHY_MAX];
	struct ramzswap_stats stats;
	const char *body;

	if (!*state->control_socket || !host_has_socket(host, "%s", state->control_socket) ||
	    !host_path(host, path, sizeof(path), "%s", state->control_socket) ||
	    ask(path, "stats", ASK_TIMEOUT_S, answer, &body, why) != 0 ||
	    stats_parse_plain(&stats, body) != 0)
		return false;
	return state->ublk ? stats.links_lost > 0 : stats.connections == 0;
}

bool device_is_removed(const struct host *host, const struct state *state)
{
	return state->ublk &&
	       (!host_exists(host, "/sys/block/%s", state->name) || device_is_taken(host, state));
}

bool device_is_orphan(const struct host *host, const struct state *state)
{
	struct machine_swap swap;

	return device_is_removed(host, state) &&
	       machine_swap_orphan(host->swaps, state->device, &swap) == 0;
}

static bool is_let_go(struct host *host, void *about)
{
	return !device_is_attached(host, about);
}

static bool is_deleted(struct host *host, void *about)
{
	const struct state *state = about;

	return !host_exists(host, "/dev/ublkc%s", state->name + strlen("ublkb"));
}

/* The device of a server that lives ends with it; one that is dead leaves it behind. */
static void bury(struct host *host, const struct state *state)
{
	if (server_process(host) != 0)
		return;
	/* The guard may be at it. */
	if (host->calls->bury(host, guard_program(host, state), state->device) != 0 &&
	    !host_wait(host, is_deleted, (void *)state))
		host_warn(host, "%s is left behind", state->device);
}

void device_detach(struct host *host, const struct state *state)
{
	if (device_is_taken(host, state))
		return;
	if (state->ublk) {
		bury(host, state);
		return;
	}
	host->calls->disconnect(host, state->device);
	if (!host_wait(host, is_let_go, (void *)state))
		host_warn(host, "%s stays attached", state->device);
}

void device_read_queue(const struct host *host, const struct state *state, const char *setting,
		       char *text, size_t size)
{
	char whole[VALUE_MAX];
	const char *value = whole, *from, *to;

	host_read(host, whole, sizeof(whole), "/sys/block/%s/queue/%s", state->name, setting);
	from = strrchr(whole, '[');
	to = from ? strchr(from, ']') : NULL;
	if (to)
		value = from + 1;
	snprintf(text, size, "%.*s", to ? (int)(to - value) : (int)strlen(value), value);
}

/* Whether the kernel has taken it. */
static bool write_queue(const struct host *host, const struct state *state, const char *setting,
			const char *value)
{
	char now[VALUE_MAX];

	host_write(host, value, "/sys/block/%s/queue/%s", state->name, setting);
	device_read_queue(host, state, setting, now, sizeof(now));
	return strcmp(now, value) == 0;
}

void device_restore_queue(const struct host *host, const struct state *state)
{
	if (device_is_taken(host, state))
		return;
	for (int i = 0; i < STATE_SETTINGS; i++) {
		const struct state_setting *setting = &state->queue[i];
		char now[VALUE_MAX];

		device_read_queue(host, state, state_settings[i], now, sizeof(now));
		if (*setting->had && strcmp(now, setting->set) == 0 &&
		    !write_queue(host, state, state_settings[i], setting->had))
			host_warn(host, "cannot restore %s of %s to %s", state_settings[i],
				  state->device, setting->had);
	}
}
