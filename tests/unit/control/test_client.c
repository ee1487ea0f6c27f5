/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other end of the control socket: what it makes of servers that answer, and of those that do
 * not. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/control.h"

/* What control_receive makes of an answer, of so many bytes, behind which the server goes. */
static int receive(const char *sent, size_t length, char *answer, size_t size)
{
	int ends[2], err;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(send(ends[0], sent, length, 0), length);
	close(ends[0]);
	err = control_receive(ends[1], 1, answer, size);
	close(ends[1]);
	return err;
}

static void a_whole_answer_comes_as_it_is(void **state)
{
	char answer[64];

	assert_int_equal(receive("ok\n5 kB won\n", 12, answer, sizeof(answer)), 0);
	assert_string_equal(answer, "ok\n5 kB won\n");
}

static void an_answer_that_is_cut_short_is_none(void **state)
{
	char answer[64];

	assert_int_equal(receive("", 0, answer, sizeof(answer)), -EPIPE);
	assert_int_equal(receive("ok\n5 kB", 7, answer, sizeof(answer)), -EPIPE);
}

static void what_is_no_text_or_does_not_end_is_no_server_of_ours(void **state)
{
	char answer[8];

	assert_int_equal(receive("ok\n\0\n", 5, answer, sizeof(answer)), -EPROTO);
	assert_int_equal(receive("ok\n12345\n", 9, answer, sizeof(answer)), -EPROTO);
	/* The longest that fits. */
	assert_int_equal(receive("ok\n123\n", 7, answer, sizeof(answer)), 0);
	assert_string_equal(answer, "ok\n123\n");
}

static void a_server_that_says_nothing_is_not_waited_for_longer_than_said(void **state)
{
	char answer[8];
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(control_receive(ends[1], 1, answer, sizeof(answer)), -ETIMEDOUT);
	close(ends[0]);
	close(ends[1]);
}

static void a_request_is_a_line(void **state)
{
	char line[64] = "", long_request[300];
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(control_send(ends[0], "memlimit 512M"), 0);
	assert_int_equal(recv(ends[1], line, sizeof(line) - 1, 0), 14);
	assert_string_equal(line, "memlimit 512M\n");

	memset(long_request, 'x', sizeof(long_request) - 1);
	long_request[sizeof(long_request) - 1] = '\0';
	assert_int_equal(control_send(ends[0], long_request), -EMSGSIZE);
	close(ends[1]);
	assert_int_equal(control_send(ends[0], "stats"), -EPIPE);
	close(ends[0]);
}

static void where_no_server_listens_it_says_why(void **state)
{
	char folder[] = "/tmp/ramzswap-client-XXXXXX", path[64], long_path[200];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/control", folder);
	assert_int_equal(control_connect(path, 1), -ENOENT);
	assert_int_equal(control_connect("", 1), -ENAMETOOLONG);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(control_connect(long_path, 1), -ENAMETOOLONG);

	/* One that a dead server left behind. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(control_connect(path, 1), -ECONNREFUSED);
	unlink(path);
	rmdir(folder);
}

static void a_body_is_behind_ok_and_an_error_says_what_it_is(void **state)
{
	char good[] = "ok\nbody\n", empty[] = "ok\n", bad[] = "error no room\n", none[] = "hello\n";
	const char *error;

	assert_string_equal(control_body(good, &error), "body\n");
	assert_null(error);
	assert_string_equal(control_body(empty, &error), "");
	assert_null(error);
	assert_null(control_body(bad, &error));
	assert_string_equal(error, "no room");
	assert_null(control_body(none, &error));
	assert_null(error);
}

static void all_commands_are_named(void **state)
{
	char names[CONTROL_NAMES_MAX];

	control_command_names(names);
#define NAMED(name, words, needs, alone, slow, help)   \
	assert_non_null(strstr(names, #name));         \
	assert_non_null(strstr(help, "  " #name " ")); \
	assert_int_equal(words == 0, (needs) == NULL);
	CONTROL_COMMANDS(NAMED)
#undef NAMED
	assert_int_equal(strncmp(names, "stats, ", 7), 0);
	assert_non_null(strstr(names, " or "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_answer_comes_as_it_is),
		cmocka_unit_test(an_answer_that_is_cut_short_is_none),
		cmocka_unit_test(what_is_no_text_or_does_not_end_is_no_server_of_ours),
		cmocka_unit_test(a_server_that_says_nothing_is_not_waited_for_longer_than_said),
		cmocka_unit_test(a_request_is_a_line),
		cmocka_unit_test(where_no_server_listens_it_says_why),
		cmocka_unit_test(a_body_is_behind_ok_and_an_error_says_what_it_is),
		cmocka_unit_test(all_commands_are_named),
	};

	return cmocka_run_group_tests_name("control client", tests, NULL, NULL);
}
