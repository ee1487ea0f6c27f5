/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#include "guard/log.h"

static char directory[] = "/tmp/ramzswap-test.XXXXXX";
static char path[sizeof(directory) + 4];

static int start_daemon(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	unlink(path);
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void assert_next(int fd, const char *text)
{
	char found[600], wanted[600];
	ssize_t length = recv(fd, found, sizeof(found) - 1, MSG_DONTWAIT);

	assert_true(length > 0);
	found[length] = '\0';
	snprintf(wanted, sizeof(wanted), "<%d>ramzswap-guard[%d]: %s", LOG_DAEMON | LOG_WARNING,
		 getpid(), text);
	assert_string_equal(found, wanted);
}

static int begin(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	sprintf(path, "%s/log", directory);
	/* A call that waits ends the test. */
	alarm(60);
	return 0;
}

static int end(void **state)
{
	unlink(path);
	return rmdir(directory);
}

static void a_daemon_that_does_not_read_makes_nobody_wait(void **state)
{
	int fd = start_daemon(), lost = 0;

	guard_log_open(path);
	for (int i = 0; i < 10000; i++)
		lost += guard_log(LOG_WARNING, "number %d", i) == -EAGAIN;
	assert_true(lost > 0);
	for (int i = 0; i < 10000 - lost; i++) {
		char text[20];

		sprintf(text, "number %d", i);
		assert_next(fd, text);
	}
	assert_int_equal(guard_log(LOG_WARNING, "it reads again"), 0);
	assert_next(fd, "it reads again");
	close(fd);
}

static void a_daemon_that_comes_later_is_found(void **state)
{
	int fd;

	unlink(path);
	guard_log_open(path);
	assert_int_equal(guard_log(LOG_WARNING, "nobody"), -ENOENT);
	for (int i = 0; i < 2; i++) {
		fd = start_daemon();
		assert_int_equal(guard_log(LOG_WARNING, "%s", "somebody"), 0);
		assert_next(fd, "somebody");
		close(fd);
	}
	assert_int_equal(guard_log(LOG_WARNING, "nobody"), -ECONNREFUSED);
}

static void a_long_message_is_cut(void **state)
{
	static char text[2000];
	char found[2000];
	int fd = start_daemon();

	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(guard_log(LOG_WARNING, "%s", text), 0);
	assert_int_equal(recv(fd, found, sizeof(found), MSG_DONTWAIT), 511);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_daemon_that_does_not_read_makes_nobody_wait),
		cmocka_unit_test(a_daemon_that_comes_later_is_found),
		cmocka_unit_test(a_long_message_is_cut),
	};

	return cmocka_run_group_tests_name("guard log", tests, begin, end);
}
