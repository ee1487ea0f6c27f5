/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control server: its protocol, and how it bears clients that misbehave. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_control.h"
#include "base/size.h"

#define MIB (UINT64_C(1) << 20)

static const char *ask(const struct fake_control *fake, const char *request)
{
	return fake_control_ask(fake, request, strlen(request));
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void assert_begins(const char *text, const char *beginning)
{
	if (strncmp(text, beginning, strlen(beginning)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", text, beginning);
}

static void stats_come_back_whole(void **state)
{
	struct fake_control *fake = *state;
	struct ramzswap_stats stats, back;
	const char *answer;

	memset(&stats, 0xff, sizeof(stats));
	stats.num_reads = 12345;
	fake_control_set_stats(fake, &stats);
	answer = ask(fake, "stats\n");
	assert_begins(answer, "ok\n");
	assert_int_equal(stats_parse_plain(&back, answer + 3), 0);
	assert_memory_equal(&back, &stats, sizeof(back));
}

static void memlimit_takes_sizes_shares_and_none(void **state)
{
	struct fake_control *fake = *state;

	assert_string_equal(ask(fake, "memlimit 1.5M\n"), "ok\n");
	assert_int_equal(fake_control_memlimit(fake), MIB + MIB / 2);
	assert_string_equal(ask(fake, "memlimit none\n"), "ok\n");
	assert_int_equal(fake_control_memlimit(fake), CONTROL_NO_LIMIT);
	assert_string_equal(ask(fake, "memlimit 50%\n"), "ok\n");
	assert_int_equal(fake_control_memlimit(fake), size_of_ram() / 2);
}

static void bad_memlimit_changes_nothing_and_says_why(void **state)
{
	struct fake_control *fake = *state;

	assert_begins(ask(fake, "memlimit 5X\n"), "error \"5X\" is not a size: use a number");
	assert_begins(ask(fake, "memlimit 0\n"), "error \"0\" is less than one byte");
	assert_begins(ask(fake, "memlimit -1M\n"), "error \"-1M\" is negative");
	assert_begins(ask(fake, "memlimit \n"), "error \"\" is not a size");
	assert_begins(ask(fake, "memlimit\n"), "error memlimit needs a size, or none");
	assert_int_equal(fake_control_calls(fake), 0);

	fake_control_outcome(fake, -EINVAL, "1M is too small: the least is 4M", 0);
	assert_string_equal(ask(fake, "memlimit 1M\n"), "error 1M is too small: the least is 4M\n");
}

static void about_tells_the_server_in_words(void **state)
{
	struct fake_control *fake = *state;
	struct control_about about;
	char answer[CONTROL_ABOUT_MAX + 16];

	assert_string_equal(ask(fake, "about\n"),
			    "ok\nversion 1.2.3\ncodec lzo\nidle_codec zstd\nswap auto\npid 4711\n");
	/* Of another version: more, less, longer, and no plain text. */
	control_about_parse(&about,
			    "new thing\ncodec a very long name\nswap \x1b[1m\npid\nversion 9\n");
	assert_string_equal(about.codec, "a very long nam");
	assert_string_equal(about.swap, "?[1m");
	assert_string_equal(about.pid, "");
	assert_string_equal(about.version, "9");
	assert_string_equal(about.idle_codec, "");
	memset(&about, 'x', sizeof(about));
	control_about_parse(&about, "");
	assert_string_equal(about.version, "");
	for (size_t size = 0; size < 30; size++)
		assert_int_equal(control_about_format(&fake->about, answer, size), -ENOSPC);
}

static void writeback_and_its_allowances_are_understood(void **state)
{
	static const struct {
		const char *request;
		enum control_writeback what;
		unsigned int seconds;
	} good[] = {
		{ "writeback\n", CONTROL_WRITEBACK_POLICY, 0 },
		{ "writeback huge\n", CONTROL_WRITEBACK_HUGE, 0 },
		{ "writeback all\n", CONTROL_WRITEBACK_ALL, 0 },
		{ "writeback idle 0\n", CONTROL_WRITEBACK_IDLE, 0 },
		{ "writeback idle 3600\n", CONTROL_WRITEBACK_IDLE, 3600 },
	};
	static const char *const bad[] = {
		"writeback \n",	       "writeback cold\n",     "writeback idle\n",
		"writeback idle -1\n", "writeback idle 5 5\n", "writeback idle 99999999999\n",
		"backing budget 5X\n", "backing rate\n",       "backing speed 5M\n",
		"backing budget\n",
	};
	struct fake_control *fake = *state;

	fake_control_outcome(fake, 0, "", 5 * MIB);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_string_equal(ask(fake, good[i].request),
				    "ok\n5120 kB moved to the backing store\n");
		assert_int_equal(fake->writeback, good[i].what);
		assert_int_equal(fake->idle_seconds, good[i].seconds);
	}
	assert_string_equal(ask(fake, "backing budget 5G\n"), "ok\n");
	assert_string_equal(ask(fake, "backing rate 1.5M\n"), "ok\n");
	assert_int_equal(fake->allowance[1], UINT64_C(5) << 30);
	assert_int_equal(fake->allowance[0], MIB + MIB / 2);
	assert_string_equal(ask(fake, "backing rate none\n"), "ok\n");
	assert_int_equal(fake->allowance[0], 0);
	assert_begins(ask(fake, "backing\n"), "error backing needs budget SIZE or rate SIZE");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_begins(ask(fake, bad[i]), "error ");
	assert_int_equal(fake_control_calls(fake), sizeof(good) / sizeof(*good) + 3);
}

static void orders_report_what_they_achieved(void **state)
{
	struct fake_control *fake = *state;

	fake_control_outcome(fake, 0, "", 5 * MIB);
	assert_string_equal(ask(fake, "compact\n"), "ok\n5120 kB given back\n");
	assert_string_equal(ask(fake, "recompress\n"), "ok\n5120 kB won\n");
	assert_string_equal(ask(fake, "reset\n"), "ok\n");
	assert_string_equal(ask(fake, "check\n"), "ok\nno errors found\n");
	assert_int_equal(fake_control_calls(fake), 4);
}

static void failures_are_told_in_one_line(void **state)
{
	struct fake_control *fake = *state;
	char expected[128], endless[900];
	const char *answer;

	fake_control_outcome(fake, -EBUSY, "a client is connected", 0);
	assert_string_equal(ask(fake, "reset\n"), "error a client is connected\n");
	fake_control_outcome(fake, -EOPNOTSUPP, "", 0);
	snprintf(expected, sizeof(expected), "error %s\n", strerror(EOPNOTSUPP));
	assert_string_equal(ask(fake, "recompress\n"), expected);
	fake_control_outcome(fake, -EUCLEAN, "first line\nsecond\tline", 0);
	assert_string_equal(ask(fake, "check\n"), "error first line?second?line\n");

	memset(endless, 'y', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	fake_control_outcome(fake, -EUCLEAN, endless, 0);
	answer = ask(fake, "check\n");
	assert_begins(answer, "error yyyy");
	assert_int_equal(strcspn(answer, "\n"), strlen(answer) - 1);
}

static void requests_that_are_none_are_refused(void **state)
{
	struct fake_control *fake = *state;
	char endless[4096];

	assert_begins(ask(fake, "\n"), "error unknown command \"\": use stats");
	assert_begins(ask(fake, "STATS\n"), "error unknown command");
	assert_begins(ask(fake, " stats\n"), "error unknown command");
	assert_begins(ask(fake, "stat\n"), "error unknown command");
	assert_begins(ask(fake, "statsx\n"), "error unknown command");
	assert_begins(ask(fake, "GET / HTTP/1.1\r\n"), "error the request is not a line of plain");
	assert_begins(ask(fake, "compact now\n"), "error compact takes no argument");
	assert_begins(ask(fake, "compact \n"), "error compact takes no argument");
	assert_begins(fake_control_ask(fake, "stats\0\n", 7), "error the request is not a line");
	assert_begins(fake_control_ask(fake, "\0\0\n", 3), "error the request is not a line");

	memset(endless, 'x', sizeof(endless));
	assert_begins(fake_control_ask(fake, endless, sizeof(endless)), "error the request is too");
	assert_begins(fake_control_ask(fake, endless, 128), "error the request is too long");
	endless[127] = '\n';
	assert_begins(fake_control_ask(fake, endless, 128), "error unknown command");
	assert_int_equal(fake_control_calls(fake), 0);
}

static void random_bytes_do_no_harm(void **state)
{
	struct fake_control *fake = *state;

	srandom(7);
	for (int round = 0; round < 500; round++) {
		char garbage[300];
		size_t len = (size_t)random() % sizeof(garbage) + 1;
		int fd = fake_control_connect(fake);

		for (size_t i = 0; i < len; i++)
			garbage[i] = (char)random();
		assert_int_equal(send(fd, garbage, len, MSG_NOSIGNAL), len);
		if (memchr(garbage, '\n', len) || len >= 128)
			assert_begins(fake_control_answer(fd), "error ");
		else
			close(fd);
	}
	assert_int_equal(fake_control_calls(fake), 0);
	assert_begins(ask(fake, "stats\n"), "ok\n");
}

static void half_a_request_is_not_carried_out(void **state)
{
	struct fake_control *fake = *state;
	int fd = fake_control_connect(fake);

	assert_int_equal(send(fd, "memlimit 512", 12, 0), 12);
	shutdown(fd, SHUT_WR);
	assert_string_equal(fake_control_answer(fd), "");
	assert_int_equal(fake_control_calls(fake), 0);
}

static void request_may_come_in_pieces(void **state)
{
	struct fake_control *fake = *state;
	static const char request[] = "memlimit 64M\n";
	int fd = fake_control_connect(fake);

	for (size_t i = 0; i < strlen(request); i++) {
		assert_int_equal(send(fd, request + i, 1, 0), 1);
		usleep(1000);
	}
	assert_string_equal(fake_control_answer(fd), "ok\n");
	assert_int_equal(fake_control_memlimit(fake), 64 * MIB);
}

/* How long an answer takes, in seconds. */
static double time_of_answer(const struct fake_control *fake)
{
	double start = seconds();

	assert_begins(ask(fake, "stats\n"), "ok\n");
	return seconds() - start;
}

static void silent_clients_do_not_block_others(void **state)
{
	struct fake_control *fake = *state;
	double least = 0;
	int fds[12];

	/* More than there are places, and half of a line from some: they have five seconds, but not
	 * alone. */
	for (int round = 0; round < 5; round++) {
		double time;

		for (size_t i = 0; i < 12; i++) {
			fds[i] = fake_control_connect(fake);
			if (i % 2)
				assert_int_equal(write(fds[i], "sta", 3), 3);
		}
		time = time_of_answer(fake);
		if (round == 0 || time < least)
			least = time;
		for (size_t i = 0; i < 12; i++)
			close(fds[i]);
	}
	assert_true(least < 1);
}

static void crowd_of_silent_clients_is_dropped_after_a_while(void **state)
{
	struct fake_control *fake = *state;
	int fds[12];
	double start = seconds();

	for (size_t i = 0; i < 12; i++)
		fds[i] = fake_control_connect(fake);
	assert_begins(ask(fake, "stats\n"), "ok\n");
	assert_true(seconds() - start < 30);
	for (size_t i = 0; i < 12; i++)
		close(fds[i]);
}

static void clients_that_leave_before_their_answer_do_no_harm(void **state)
{
	struct fake_control *fake = *state;

	for (int i = 0; i < 200; i++) {
		int fd = fake_control_connect(fake);

		if (i % 2)
			assert_int_equal(send(fd, "stats\n", 6, MSG_NOSIGNAL), 6);
		close(fd);
	}
	assert_begins(ask(fake, "stats\n"), "ok\n");
}

static void statistics_are_to_be_had_while_a_command_works(void **state)
{
	struct fake_control *fake = *state;
	int fd = fake_control_connect(fake);

	fake_control_outcome(fake, 0, "", MIB);
	fake_control_hold(fake, true);
	assert_int_equal(send(fd, "compact\n", 8, 0), 8);
	fake_control_await_held(fake);

	assert_begins(ask(fake, "stats\n"), "ok\n");
	assert_string_equal(ask(fake, "memlimit none\n"), "ok\n");
	assert_begins(ask(fake, "compact\n"), "error the server is busy with another command");
	assert_begins(ask(fake, "nonsense\n"), "error unknown command");

	fake_control_hold(fake, false);
	assert_string_equal(fake_control_answer(fd), "ok\n1024 kB given back\n");
	assert_string_equal(ask(fake, "check\n"), "ok\nno errors found\n");
}

static void client_that_leaves_its_work_behind_does_no_harm(void **state)
{
	struct fake_control *fake = *state;
	int fd = fake_control_connect(fake);

	fake_control_hold(fake, true);
	assert_int_equal(send(fd, "compact\n", 8, 0), 8);
	fake_control_await_held(fake);
	close(fd);
	assert_begins(ask(fake, "stats\n"), "ok\n");
	fake_control_hold(fake, false);
	while (fake_control_calls(fake) == 0)
		usleep(1000);
	assert_begins(ask(fake, "stats\n"), "ok\n");
}

static void *ask_often(void *opaque)
{
	struct fake_control *fake = opaque;
	intptr_t good = 0;

	for (int i = 0; i < 200; i++) {
		char answer[8] = "";
		int fd = fake_control_connect(fake);

		if (send(fd, "stats\n", 6, MSG_NOSIGNAL) == 6 && recv(fd, answer, 3, 0) == 3)
			good += strcmp(answer, "ok\n") == 0;
		close(fd);
	}
	return (void *)good;
}

static void many_clients_at_once_are_all_answered(void **state)
{
	struct fake_control *fake = *state;
	pthread_t threads[12];

	for (size_t i = 0; i < 12; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_often, fake), 0);
	for (size_t i = 0; i < 12; i++) {
		void *good;

		pthread_join(threads[i], &good);
		assert_int_equal((intptr_t)good, 200);
	}
}

/* Keeps the limit well above what poll refuses to look at. */
#define FILLERS 32

/* The server has no descriptor left for a client that waits, and later has one again. */
static void lack_of_descriptors_passes(void **state)
{
	struct fake_control *fake = *state;
	struct rlimit limit, low;
	struct timespec start, end;
	clockid_t clock;
	int fillers[FILLERS], fd;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_begins(ask(fake, "stats\n"), "ok\n");
	for (size_t i = 0; i < FILLERS; i++)
		fillers[i] = dup(STDERR_FILENO);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	low = limit;
	low.rlim_cur = (rlim_t)fd + 1; /* ours is the last below the limit */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	fake_control_connect_by(fake, fd);
	assert_int_equal(send(fd, "stats\n", 6, 0), 6);

	/* It waits meanwhile, and does not try again and again. */
	assert_int_equal(clock_getcpuclockid(0, &clock), 0);
	clock_gettime(clock, &start);
	usleep(500000);
	clock_gettime(clock, &end);
	assert_true((double)(end.tv_sec - start.tv_sec) +
			    (double)(end.tv_nsec - start.tv_nsec) * 1e-9 <
		    0.1);

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (size_t i = 0; i < FILLERS; i++)
		close(fillers[i]);
	assert_begins(fake_control_answer(fd), "ok\n");
}

static void stop_drops_whoever_is_connected(void **state)
{
	struct fake_control *fake;
	void *own = NULL;
	int fd;

	assert_int_equal(fake_control_setup(&own), 0);
	fake = own;
	fd = fake_control_connect(fake);
	assert_begins(ask(fake, "stats\n"), "ok\n"); /* so that fd has been accepted */
	assert_int_equal(fake_control_teardown(&own), 0);
	assert_string_equal(fake_control_answer(fd), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(stats_come_back_whole),
		SERVED(memlimit_takes_sizes_shares_and_none),
		SERVED(bad_memlimit_changes_nothing_and_says_why),
		SERVED(about_tells_the_server_in_words),
		SERVED(writeback_and_its_allowances_are_understood),
		SERVED(orders_report_what_they_achieved),
		SERVED(failures_are_told_in_one_line),
		SERVED(requests_that_are_none_are_refused),
		SERVED(random_bytes_do_no_harm),
		SERVED(half_a_request_is_not_carried_out),
		SERVED(request_may_come_in_pieces),
		SERVED(silent_clients_do_not_block_others),
		SERVED(crowd_of_silent_clients_is_dropped_after_a_while),
		SERVED(clients_that_leave_before_their_answer_do_no_harm),
		SERVED(statistics_are_to_be_had_while_a_command_works),
		SERVED(client_that_leaves_its_work_behind_does_no_harm),
		SERVED(many_clients_at_once_are_all_answered),
		SERVED(lack_of_descriptors_passes),
		cmocka_unit_test(stop_drops_whoever_is_connected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
