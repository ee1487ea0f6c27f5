/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

/* A sanitizer takes its time, and so does a machine with much else to do. */
#define START_SECONDS 120
#define STOP_SECONDS 120
#define ANSWER_SECONDS 60
#define PARAMS_MAX 16

void pause_ms(long ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&pause, NULL);
}

void server_print_log(const struct server *server)
{
	FILE *log = fopen(server->log, "r");
	char line[500];

	while (log && fgets(line, sizeof(line), log))
		fprintf(stderr, "nbdkit: %s", line);
	if (log)
		fclose(log);
}

static const char *plugin(void)
{
	const char *path = getenv("RAMZSWAP_PLUGIN");

	if (!path)
		fail_msg("RAMZSWAP_PLUGIN does not name the plugin");
	return path;
}

bool server_is_ours(void)
{
	return strstr(plugin(), "ramzswap") != NULL;
}

/* In the child: nothing here may fail a test, for that would run the rest of them twice. */
static void exec_nbdkit(const struct server *server, const char *plugin_path,
			const char *const params[], pid_t parent)
{
	const char *argv[PARAMS_MAX + 8] = { "nbdkit", "-f", "-U", server->socket };
	const char *preload = getenv("RAMZSWAP_PRELOAD");
	int argc = 4, log;

	while (params[0] && params[0][0] == '-')
		argv[argc++] = *params++;
	argv[argc++] = plugin_path;
	for (int i = 0; params[i] && i < PARAMS_MAX; i++) {
		/* Only ramzswap knows it; the tests can be tried out on nbdkit's own plugins. */
		if (server_is_ours() || strcmp(params[i], "swap=off") != 0)
			argv[argc++] = params[i];
	}
	log = open(server->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (log < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
		_exit(126);
	/* The parent may have died before this took hold. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	if (preload && *preload)
		setenv("LD_PRELOAD", preload, 1);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

static int try_connect(const struct server *server)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(addr.sun_path, server->socket, sizeof(addr.sun_path) - 1);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

void server_start(struct server *server, const char *const params[])
{
	const char *plugin_path = plugin();
	pid_t parent = getpid();

	memset(server, 0, sizeof(*server));
	strcpy(server->dir, "/tmp/ramzswap-test-XXXXXX");
	assert_non_null(mkdtemp(server->dir));
	snprintf(server->socket, sizeof(server->socket), "%.80s/nbd", server->dir);
	snprintf(server->log, sizeof(server->log), "%.80s/log", server->dir);
	server->pid = fork();
	assert_true(server->pid >= 0);
	if (server->pid == 0)
		exec_nbdkit(server, plugin_path, params, parent);
	for (int i = 0; i < START_SECONDS * 100; i++) {
		int fd = try_connect(server);

		if (fd >= 0) {
			close(fd);
			return;
		}
		if (waitpid(server->pid, NULL, WNOHANG) == server->pid)
			break;
		pause_ms(10);
	}
	server_print_log(server);
	fail_msg("nbdkit did not start");
}

bool server_logged(const struct server *server, const char *words)
{
	FILE *log = fopen(server->log, "r");
	bool found = false;
	char line[500];

	assert_non_null(log);
	while (fgets(line, sizeof(line), log))
		found |= strstr(line, words) != NULL;
	fclose(log);
	return found;
}

void server_must_not_have_complained(const struct server *server)
{
	static const char *const complaints[] = { "Sanitizer", "runtime error:", "Assertion" };
	bool complained = false;

	for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++)
		complained |= server_logged(server, complaints[i]);
	if (complained)
		server_print_log(server);
	assert_false(complained);
}

int server_end(struct server *server)
{
	int status = -1;

	kill(server->pid, SIGTERM);
	for (int i = 0; i < STOP_SECONDS * 100; i++) {
		if (waitpid(server->pid, &status, WNOHANG) == server->pid)
			return status;
		pause_ms(10);
	}
	kill(server->pid, SIGKILL);
	waitpid(server->pid, &status, 0);
	return -1;
}

void server_stop(struct server *server)
{
	int status;

	if (waitpid(server->pid, &status, WNOHANG) != 0) {
		server_print_log(server);
		fail_msg("nbdkit ended before it was told to, status %#x", status);
	}
	status = server_end(server);
	if (status != 0) {
		server_print_log(server);
		fail_msg("nbdkit did not end well, status %#x", status);
	}
	server_must_not_have_complained(server);
	server_forget(server);
}

void server_forget(struct server *server)
{
	unlink(server->socket);
	unlink(server->log);
	rmdir(server->dir);
}

struct nbd_handle *server_connect(const struct server *server)
{
	struct nbd_handle *nbd = nbd_create();

	assert_non_null(nbd);
	nbd_ok(nbd_add_meta_context(nbd, LIBNBD_CONTEXT_BASE_ALLOCATION));
	nbd_ok(nbd_set_strict_mode(nbd, 0));
	nbd_ok(nbd_connect_unix(nbd, server->socket));
	return nbd;
}

void server_disconnect(struct nbd_handle *nbd)
{
	nbd_ok(nbd_shutdown(nbd, 0));
	nbd_close(nbd);
}

int server_connect_raw(const struct server *server)
{
	struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	int fd = try_connect(server);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

bool server_comes_to_log(const struct server *server, const char *words)
{
	for (int i = 0; i < ANSWER_SECONDS * 20; i++) {
		if (server_logged(server, words))
			return true;
		pause_ms(50);
	}
	return false;
}

void server_must_end(struct server *server)
{
	int status = -1;

	for (int i = 0; i < ANSWER_SECONDS * 20; i++) {
		if (waitpid(server->pid, &status, WNOHANG) == server->pid)
			break;
		pause_ms(50);
	}
	if (status != 0) {
		server_print_log(server);
		kill(server->pid, SIGKILL);
		fail_msg("nbdkit did not end well, status %#x", status);
	}
	server_must_not_have_complained(server);
	server_forget(server);
}
