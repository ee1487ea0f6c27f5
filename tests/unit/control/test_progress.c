/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a server says of a command that takes long, and what ends one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/progress.h"
#include "fake_control.h"

#define MIB (UINT64_C(1) << 20)

static const char *ask(const struct fake_control *fake, const char *request)
{
	return fake_control_ask(fake, request, strlen(request));
}

/* Has the server work on that until it is let go, or cancelled.  The connection. */
static int begin(struct fake_control *fake, const char *request)
{
	int fd = fake_control_connect(fake);

	fake_control_hold(fake, true);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	fake_control_await_held(fake);
	return fd;
}

static struct control_progress progress_of(const struct fake_control *fake)
{
	struct control_progress progress;
	const char *answer = ask(fake, "progress\n");

	assert_int_equal(strncmp(answer, "ok\n", 3), 0);
	assert_int_equal(control_progress_parse(&progress, answer + 3), 0);
	return progress;
}

/* Until the server is at nothing. */
static void await_end(const struct fake_control *fake)
{
	while (strcmp(progress_of(fake).command, "none") != 0)
		usleep(1000);
}

static void progress_tells_what_is_carried_out(void **state)
{
	struct fake_control *fake = *state;
	struct control_progress progress = progress_of(fake);
	int fd;

	assert_string_equal(progress.command, "none");
	fd = begin(fake, "recompress\n");
	usleep(20000);
	progress = progress_of(fake);
	assert_string_equal(progress.command, "recompress");
	assert_int_equal(progress.done, 250);
	assert_int_equal(progress.total, 1000);
	assert_int_equal(progress.round, 1);
	assert_in_range(progress.milliseconds, 20, 60000);
	fake_control_hold(fake, false);
	assert_string_equal(fake_control_answer(fd), "ok\n0 kB won\n");
	assert_string_equal(progress_of(fake).command, "none");

	/* Of the last one nothing is left. */
	fd = begin(fake, "reset\n");
	progress = progress_of(fake);
	assert_string_equal(progress.command, "reset");
	assert_int_equal(progress.done + progress.total + progress.round, 0);
	fake_control_hold(fake, false);
	assert_string_equal(fake_control_answer(fd), "ok\n");
}

static void cancel_ends_work_and_both_sides_are_told(void **state)
{
	static const struct {
		const char *request, *cancelled, *answer;
	} work[] = {
		{ "compact\n", "ok\ncompact is cancelled\n",
		  "error cancelled: 1024 kB given back until then\n" },
		{ "recompress\n", "ok\nrecompress is cancelled\n",
		  "error cancelled: 1024 kB won until then\n" },
		{ "writeback all\n", "ok\nwriteback is cancelled\n",
		  "error cancelled: 1024 kB moved to the backing store until then\n" },
		{ "check\n", "ok\ncheck is cancelled\n",
		  "error cancelled: no errors found until then\n" },
	};
	struct fake_control *fake = *state;

	fake_control_outcome(fake, 0, "", MIB);
	for (size_t i = 0; i < sizeof(work) / sizeof(*work); i++) {
		int fd = begin(fake, work[i].request);

		assert_string_equal(ask(fake, "cancel\n"), work[i].cancelled);
		assert_string_equal(fake_control_answer(fd), work[i].answer);
	}
	assert_string_equal(ask(fake, "cancel\n"), "error there is nothing to cancel\n");
	fake_control_hold(fake, false);
	assert_string_equal(ask(fake, "compact\n"), "ok\n1024 kB given back\n");
}

static void failure_of_cancelled_work_is_told(void **state)
{
	struct fake_control *fake = *state;
	int fd = begin(fake, "check\n");

	fake_control_outcome(fake, -EUCLEAN, "page 7 cannot be decoded", 0);
	assert_string_equal(ask(fake, "cancel\n"), "ok\ncheck is cancelled\n");
	assert_string_equal(fake_control_answer(fd), "error page 7 cannot be decoded\n");
}

static void what_is_soon_done_is_not_cancelled(void **state)
{
	struct fake_control *fake = *state;
	int fd = begin(fake, "reset\n");

	assert_string_equal(ask(fake, "cancel\n"),
			    "error reset is not to be cancelled: it is soon done\n");
	fake_control_hold(fake, false);
	assert_string_equal(fake_control_answer(fd), "ok\n");
}

static void who_hangs_up_ends_the_work(void **state)
{
	struct fake_control *fake = *state;

	for (int i = 0; i < 3; i++) {
		close(begin(fake, "writeback all\n"));
		await_end(fake);
		assert_int_equal(fake_control_calls(fake), i + 1);
	}
}

/* As "echo compact | socat - UNIX:..." has it, which waits for half a second only. */
static void who_had_shut_down_its_way_before_leaves_the_work_behind(void **state)
{
	struct fake_control *fake = *state;
	int fd = begin(fake, "compact\n");

	shutdown(fd, SHUT_WR);
	usleep(100000);
	close(fd);
	usleep(100000);
	assert_string_equal(progress_of(fake).command, "compact");
	assert_int_equal(fake_control_calls(fake), 0);
	fake_control_hold(fake, false);
	await_end(fake);
	assert_int_equal(fake_control_calls(fake), 1);
}

/* The socket tells a client that is gone again and again: nobody may listen to it all the time. */
static void client_that_is_gone_costs_no_time(void **state)
{
	struct fake_control *fake = *state;
	struct timespec start, end;
	clockid_t clock;

	close(begin(fake, "reset\n"));
	assert_string_equal(progress_of(fake).command, "reset");
	assert_int_equal(clock_getcpuclockid(0, &clock), 0);
	clock_gettime(clock, &start);
	usleep(500000);
	clock_gettime(clock, &end);
	assert_true((double)(end.tv_sec - start.tv_sec) +
			    (double)(end.tv_nsec - start.tv_nsec) * 1e-9 <
		    0.2);
	fake_control_hold(fake, false);
	await_end(fake);
}

static void stop_cancels_what_is_at_work(void **state)
{
	struct fake_control *fake;
	void *own = NULL;
	int fd;

	assert_int_equal(fake_control_setup(&own), 0);
	fake = own;
	fd = begin(fake, "compact\n");
	control_stop(fake->control);
	close(fd);
	/* Teardown without a server. */
	assert_int_equal(rmdir(fake->directory), 0);
	free(fake);
}

static void progress_of_another_version_is_read(void **state)
{
	static const char *const none[] = { "",		  "done 5\n",
					    "command \n", "command \x1b[2J\n",
					    "command",	  "rubbish" };
	struct control_progress progress = { "kept", 1, 2, 3, 4 };
	char text[CONTROL_PROGRESS_MAX];

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		assert_int_equal(control_progress_parse(&progress, none[i]), -EBADMSG);
	assert_string_equal(progress.command, "kept");
	assert_int_equal(control_progress_parse(&progress, "news 7 8\n\ncommand compact\ndone 9"),
			 0);
	assert_string_equal(progress.command, "compact");
	assert_int_equal(progress.done, 9);
	assert_int_equal(progress.total, 0);

	memset(&progress, 0xff, sizeof(progress));
	strcpy(progress.command, "abcdefghijklmno");
	assert_in_range(control_progress_format(&progress, text, sizeof(text)), 100, 200);
	for (size_t size = 0; size < 100; size++)
		assert_int_equal(control_progress_format(&progress, text, size), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(progress_tells_what_is_carried_out),
		SERVED(cancel_ends_work_and_both_sides_are_told),
		SERVED(failure_of_cancelled_work_is_told),
		SERVED(what_is_soon_done_is_not_cancelled),
		SERVED(who_hangs_up_ends_the_work),
		SERVED(who_had_shut_down_its_way_before_leaves_the_work_behind),
		SERVED(client_that_is_gone_costs_no_time),
		cmocka_unit_test(stop_cancels_what_is_at_work),
		cmocka_unit_test(progress_of_another_version_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
