/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <limits.h>
#include <string.h>

#include "tools/ramzswap/host.h"
#include "tools/ramzswap/kernel_settings.h"
#include "tools/ramzswap/processes.h"
#include "tools/ramzswap/state.h"

/*
 * A process that has ended keeps its name until its parent looks: at once where that is systemd, as
 * late as it likes where it is the first process of a container.
 */
static bool has_ended(const struct host *host, int process)
{
	char state[8];

	return host_read_field(host, state, sizeof(state), "State:", "/proc/%d/status", process) &&
	       (state[0] == 'Z' || state[0] == 'X');
}

static pid_t process_of(const struct host *host, const char *file, const char *program)
{
	char name[64];
	uint64_t number;

	if (!host_read_number(host, &number, "%s/%s", host->run, file) || number == 0 ||
	    number > INT_MAX)
		return 0;
	if (!host_read(host, name, sizeof(name), "/proc/%d/comm", (int)number))
		return 0;
	return strstr(name, program) && !has_ended(host, (int)number) ? (pid_t)number : 0;
}

pid_t server_process(const struct host *host)
{
	return process_of(host, "pid", "nbdkit");
}

pid_t guard_process(const struct host *host)
{
	return process_of(host, "guard", "ramzswap-guard");
}

pid_t waker_process(const struct host *host)
{
	return process_of(host, "waker", "ramzswap-ctl");
}

static bool somebody_listens(const struct host *host)
{
	char path[PATH_MAX], line[512], wanted[PATH_MAX];
	size_t length, tail = (size_t)snprintf(wanted, sizeof(wanted), " %s/socket\n", host->run);
	bool found = false;
	FILE *sockets;

	if (tail >= sizeof(wanted) || !host_path(host, path, sizeof(path), "/proc/net/unix"))
		return false;
	sockets = fopen(path, "re");
	if (!sockets)
		return false;
	while (!found && fgets(line, sizeof(line), sockets)) {
		length = strlen(line);
		found = length >= tail && strcmp(line + length - tail, wanted) == 0;
	}
	fclose(sockets);
	return found;
}

static bool nobody_listens(struct host *host, void *about)
{
	return !somebody_listens(host);
}

bool server_is_served(struct host *host)
{
	return !host_wait(host, nobody_listens, NULL);
}

static bool server_has_ended(struct host *host, void *about)
{
	return server_process(host) == 0;
}

void server_end(struct host *host)
{
	pid_t server = server_process(host);

	if (server) {
		host->calls->end(host, server);
		if (!host_wait(host, server_has_ended, NULL))
			host_warn(host, "process %d does not end", (int)server);
	}
	host_remove(host, "%s/socket", host->run);
	host_remove(host, "%s/control", host->run);
	host_remove(host, "%s/pid", host->run);
	host_remove(host, "%s/bin", host->run);
}

static bool guard_has_ended(struct host *host, void *about)
{
	return guard_process(host) == 0;
}

bool guard_end(struct host *host)
{
	pid_t guard = guard_process(host);

	if (guard == 0)
		return false;
	host->calls->end(host, guard);
	if (!host_wait(host, guard_has_ended, NULL))
		host_warn(host, "process %d does not end", (int)guard);
	return true;
}

const char *guard_program(const struct host *host, const struct state *state)
{
	return *state->guard ? state->guard : host->guard;
}

void guard_start(struct host *host, const struct state *state)
{
	char files[5][PATH_MAX], said[PATH_MAX], socket[PATH_MAX], *server;
	char *argv[] = { (char *)guard_program(host, state),
			 (char *)state->device,
			 socket,
			 NULL,
			 files[0],
			 files[1],
			 files[2],
			 files[3],
			 files[4],
			 NULL };

	/* A path may have blanks, a number has none. */
	snprintf(socket, sizeof(socket), "%s", state->guarded);
	server = strrchr(socket, ' ');
	if (!server)
		return;
	*server++ = '\0';
	argv[3] = server;
	if (!host_path(host, files[0], PATH_MAX, "%s/state", host->run) ||
	    !host_path(host, files[1], PATH_MAX, "%s/pid", host->run) ||
	    !host_path(host, files[2], PATH_MAX, "%s/guard", host->run) ||
	    !host_path(host, files[3], PATH_MAX, HOST_KERNEL "/saved") ||
	    !kernel_user_file(host, files[4], PATH_MAX) ||
	    !host_path(host, said, sizeof(said), "%s/guard-said", host->run))
		return;
	if (host->calls->launch(host, argv, files[2], said) != 0)
		host_warn(host, "%s cannot be started", argv[0]);
}
