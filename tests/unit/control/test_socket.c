/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a control socket may be made, who gets in, and what is left behind. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/control.h"

#define NOBODY 65534

/* Each test runs in a directory of its own, which is empty again behind it. */
static int enter_directory(void **state)
{
	static char directory[32];

	strcpy(directory, "/tmp/control-XXXXXX");
	*state = directory;
	return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int leave_directory(void **state)
{
	return chdir("/") == 0 && rmdir(*state) == 0 ? 0 : -1;
}

static struct control *bound(const char *path)
{
	struct control *control = NULL;
	char why[CONTROL_WHY_MAX] = "";

	if (control_bind(&control, path, why, sizeof(why)))
		fail_msg("%s: %s", path, why);
	return control;
}

static void assert_refused(const char *path, int expected, const char *said)
{
	struct control *control = (void *)0x1;
	char why[CONTROL_WHY_MAX] = "";
	int error = control_bind(&control, path, why, sizeof(why));

	if (error != expected || !strstr(why, said) || strchr(why, '\n'))
		fail_msg("%s: error %d instead of %d, said: %s", path, error, expected, why);
	assert_ptr_equal(control, (void *)0x1);
}

static int bind_socket(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int try_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), error = 0;

	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		error = errno;
	close(fd);
	return error;
}

static void socket_is_for_its_owner_only(void **state)
{
	static const mode_t masks[] = { 0, 022, 077 };
	struct stat found;

	for (size_t i = 0; i < 3; i++) {
		mode_t old = umask(masks[i]);
		struct control *control = bound("socket");

		umask(old);
		assert_int_equal(stat("socket", &found), 0);
		assert_true(S_ISSOCK(found.st_mode));
		assert_int_equal(found.st_mode & 07777, 0600);
		control_stop(control);
	}
}

static void umask_is_left_alone(void **state)
{
	mode_t old = umask(023);
	struct control *control = bound("socket");

	assert_int_equal(umask(old), 023);
	control_stop(control);
}

static void stop_removes_the_socket(void **state)
{
	control_stop(bound("socket"));
	assert_int_equal(access("socket", F_OK), -1);
	control_stop(NULL);
}

static void relative_path_outlives_a_change_of_directory(void **state)
{
	struct control *control = bound("socket");

	assert_int_equal(chdir("/"), 0);
	control_stop(control);
	assert_int_equal(chdir(*state), 0);
	assert_int_equal(access("socket", F_OK), -1);
}

static void stop_leaves_what_has_taken_the_sockets_place(void **state)
{
	struct control *control = bound("socket");

	unlink("socket");
	close(open("socket", O_CREAT | O_WRONLY, 0600));
	control_stop(control);
	assert_int_equal(unlink("socket"), 0);
}

static void stale_socket_is_replaced(void **state)
{
	struct control *control;

	close(bind_socket("socket", SOCK_STREAM));
	assert_int_equal(try_connect("socket"), ECONNREFUSED);
	control = bound("socket");
	assert_int_equal(try_connect("socket"), 0);
	control_stop(control);
}

static void live_server_is_left_alone(void **state)
{
	struct control *control = bound("socket");

	assert_refused("socket", -EADDRINUSE, "a server listens on socket already");
	assert_int_equal(try_connect("socket"), 0);
	control_stop(control);
}

static void server_with_a_full_backlog_is_live(void **state)
{
	int fd = bind_socket("socket", SOCK_STREAM), waiting[8];
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "socket" };

	assert_int_equal(listen(fd, 1), 0);
	for (size_t i = 0; i < 8; i++) {
		waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(waiting[i], (struct sockaddr *)&address, sizeof(address));
	}
	assert_refused("socket", -EADDRINUSE, "a server listens");
	for (size_t i = 0; i < 8; i++)
		close(waiting[i]);
	close(fd);
	unlink("socket");
}

static void anything_else_at_the_path_is_left_alone(void **state)
{
	int fd;

	close(open("file", O_CREAT | O_WRONLY, 0600));
	assert_refused("file", -EEXIST, "file exists and is not a socket: remove it");
	mkdir("directory", 0700);
	assert_refused("directory", -EEXIST, "is not a socket");
	assert_int_equal(symlink("nowhere", "link"), 0);
	assert_refused("link", -EEXIST, "is not a socket");
	fd = bind_socket("datagrams", SOCK_DGRAM);
	assert_refused("datagrams", -EEXIST, "is a socket of something else");
	close(fd);
	assert_int_equal(unlink("file") | rmdir("directory") | unlink("link") | unlink("datagrams"),
			 0);
}

static void path_that_names_nothing_is_refused(void **state)
{
	assert_refused("", -EINVAL, "/run/ramzswap/control");
	assert_refused("/", -EINVAL, "/run/ramzswap/control");
	assert_refused("/tmp/", -EINVAL, "/run/ramzswap/control");
	assert_refused("missing/socket", -ENOENT, "missing/socket");
	close(open("file", O_CREAT | O_WRONLY, 0600));
	assert_refused("file/socket", -ENOTDIR, "file/socket");
	unlink("file");
}

static void path_may_be_as_long_as_the_system_takes(void **state)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];

	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 2] = '\0';
	control_stop(bound(path));

	path[sizeof(path) - 2] = 'x';
	path[sizeof(path) - 1] = '\0';
	assert_refused(path, -ENAMETOOLONG, "108 bytes long: use one of at most 107");
}

/* The child exits with 0 if it saw what it should. */
static void assert_child_succeeds(pid_t pid)
{
	int status;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void directory_that_cannot_be_written_is_refused(void **state)
{
	pid_t pid;

	if (geteuid() != 0) {
		assert_int_equal(chmod(*state, 0500), 0);
		assert_refused("socket", -EACCES, "must be writable");
		assert_int_equal(chmod(*state, 0700), 0);
		return;
	}
	assert_int_equal(chmod(*state, 0755), 0);
	pid = fork();
	if (pid == 0) {
		struct control *control;
		char why[CONTROL_WHY_MAX];

		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(2);
		_exit(control_bind(&control, "socket", why, sizeof(why)) != -EACCES ||
		      !strstr(why, "must be writable"));
	}
	assert_child_succeeds(pid);
}

/* What a daemon does: bind, fork, and let the parent go. */
static void socket_survives_the_fork_of_a_daemon(void **state)
{
	struct control *control = bound("socket");
	pid_t pid = fork();

	if (pid == 0)
		exit(0); /* a parent that leaves the orderly way */
	assert_child_succeeds(pid);
	assert_int_equal(try_connect("socket"), 0);
	control_stop(control);
}

static void servers_that_start_at_once_agree_on_one(void **state)
{
	int winners = 0;
	pid_t pids[8];

	for (int round = 0; round < 20; round++) {
		int go[2], done[2];

		assert_int_equal(pipe(go) | pipe(done), 0);
		close(bind_socket("socket", SOCK_STREAM));
		for (size_t i = 0; i < 8; i++) {
			pids[i] = fork();
			if (pids[i] == 0) {
				struct control *control;
				char why[CONTROL_WHY_MAX], c;
				int error;

				close(go[1]);
				close(done[1]);
				(void)!read(go[0], &c, 1);
				error = control_bind(&control, "socket", why, sizeof(why));
				if (!error)
					(void)!read(done[0], &c, 1);
				if (!error)
					control_stop(control);
				_exit(!error ? 0 : error == -EADDRINUSE ? 1 : 2);
			}
		}
		close(go[0]);
		close(done[0]);
		close(go[1]);
		winners = 0;
		/* The losers end by themselves, the winner when it is told to. */
		for (int i = 0; i < 8; i++) {
			int status;

			if (i == 7)
				close(done[1]);
			assert_true(wait(&status) > 0);
			assert_uint_in_range(WEXITSTATUS(status), 0, 1);
			winners += WEXITSTATUS(status) == 0;
		}
		assert_int_equal(winners, 1);
	}
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, enter_directory, leave_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(socket_is_for_its_owner_only),
		IN_DIRECTORY(umask_is_left_alone),
		IN_DIRECTORY(stop_removes_the_socket),
		IN_DIRECTORY(relative_path_outlives_a_change_of_directory),
		IN_DIRECTORY(stop_leaves_what_has_taken_the_sockets_place),
		IN_DIRECTORY(stale_socket_is_replaced),
		IN_DIRECTORY(live_server_is_left_alone),
		IN_DIRECTORY(server_with_a_full_backlog_is_live),
		IN_DIRECTORY(anything_else_at_the_path_is_left_alone),
		IN_DIRECTORY(path_that_names_nothing_is_refused),
		IN_DIRECTORY(path_may_be_as_long_as_the_system_takes),
		IN_DIRECTORY(directory_that_cannot_be_written_is_refused),
		IN_DIRECTORY(socket_survives_the_fork_of_a_daemon),
		IN_DIRECTORY(servers_that_start_at_once_agree_on_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
