/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far something is: the line of it, the time left, and that only a terminal gets it. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/progress.h"

static void look(struct progress *progress, uint64_t ms, uint64_t done, uint64_t total,
		 uint64_t round)
{
	const struct progress_look look = { ms, done, total, round };

	progress_take(progress, &look);
}

static void assert_line(const struct progress *progress, const char *expected)
{
	char line[PROGRESS_LINE_MAX];

	assert_string_equal(progress_line(progress, "compact", line), expected);
}

static void the_time_left_is_by_the_looks(void **state)
{
	struct progress progress = { .count = 0 };

	assert_int_equal(progress_left(&progress), UINT64_MAX);
	look(&progress, 500, 10, 1000, 1);
	assert_int_equal(progress_left(&progress), UINT64_MAX);
	assert_line(&progress, "compact: 1%, 0 s so far");
	look(&progress, 1000, 20, 1000, 1);
	assert_int_equal(progress_left(&progress), UINT64_MAX);
	look(&progress, 2500, 50, 1000, 1);
	assert_int_equal(progress_left(&progress), 48);
	assert_line(&progress, "compact: 5%, about 48 s left");
	look(&progress, 3000, 1200, 1000, 1);
	assert_line(&progress, "compact: 100%, about 0 s left");
}

/* Half of it was done already and went fast: that says nothing of the rest. */
static void only_what_was_done_of_late_counts(void **state)
{
	struct progress progress = { .count = 0 };

	for (uint64_t i = 0; i < 10 * PROGRESS_LOOKS; i++)
		look(&progress, 500 * i, i < 10 ? i * 1000 : 10000 + i, 20000, 0);
	/* Two a second, and 20000 - 10319. */
	assert_int_equal(progress_left(&progress), 4841);
	assert_line(&progress, "compact: 51%, about 1 h 20 min left");
	for (uint64_t i = 0; i < PROGRESS_LOOKS; i++)
		look(&progress, 200000 + 500 * i, 10319, 20000, 0);
	assert_int_equal(progress_left(&progress), UINT64_MAX);
	assert_line(&progress, "compact: 51%, 3 min 35 s so far");
}

static void what_is_not_known_is_not_made_up(void **state)
{
	struct progress progress = { .count = 0 };

	look(&progress, 0, 0, 0, 0);
	look(&progress, 99000, 7, 0, 0);
	assert_line(&progress, "compact: 99 s so far");
	look(&progress, 100000, 0, 0, 0);
	assert_line(&progress, "compact: 1 min 40 s so far");
	/* Another server, or the sum of what there is has become less. */
	look(&progress, 50, UINT64_MAX, UINT64_MAX, 0);
	look(&progress, 20, 3, 5, 0);
	assert_line(&progress, "compact: 60%, 0 s so far");
}

static void each_round_has_its_own_pace(void **state)
{
	struct progress progress = { .count = 0 };

	look(&progress, 0, 0, 100, 1);
	look(&progress, 10000, 90, 100, 1);
	look(&progress, 20000, 10, 100, 2);
	assert_line(&progress, "compact, round 2: 10%, 20 s so far");
	look(&progress, 22000, 30, 100, 2);
	assert_line(&progress, "compact, round 2: 30%, about 7 s left");
}

/* A terminal: what this program writes to *slave comes out of the master. */
static int open_terminal(FILE **slave, unsigned short columns)
{
	const struct winsize size = { .ws_row = 24, .ws_col = columns };
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	int fd;

	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	fd = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TIOCSWINSZ, &size), 0);
	*slave = fdopen(fd, "w");
	assert_non_null(*slave);
	return master;
}

static const char *seen_at(int master)
{
	static char text[4096];
	ssize_t got = read(master, text, sizeof(text) - 1);

	assert_true(got > 0);
	text[got] = '\0';
	return text;
}

static void terminal_has_one_line_that_is_drawn_again(void **state)
{
	const struct progress_look first = { 0, 0, 8, 1 }, second = { 4000, 4, 8, 1 };
	struct progress progress;
	FILE *slave;
	int master = open_terminal(&slave, 20);

	setenv("TERM", "xterm", 1);
	progress_begin(&progress, slave);
	assert_true(progress_is_seen(&progress));
	progress_show(&progress, "stop", &first);
	assert_string_equal(seen_at(master), "\rstop: 0%, 0 s so fa\033[K");
	progress_show(&progress, "stop", &second);
	assert_string_equal(seen_at(master), "\rstop: 50%, about 4 \033[K");
	progress_end(&progress);
	assert_string_equal(seen_at(master), "\r\033[K");
	/* Once is enough. */
	progress_end(&progress);
	fputs("next", slave);
	fflush(slave);
	assert_string_equal(seen_at(master), "next");
	setenv("TERM", "dumb", 1);
	progress_begin(&progress, slave);
	assert_false(progress_is_seen(&progress));
	fclose(slave);
	close(master);
}

static void a_pipe_gets_nothing(void **state)
{
	const struct progress_look first = { 0, 0, 8, 1 };
	struct progress progress;
	FILE *file = tmpfile();

	setenv("TERM", "xterm", 1);
	progress_begin(&progress, file);
	assert_false(progress_is_seen(&progress));
	progress_show(&progress, "stop", &first);
	progress_end(&progress);
	fflush(file);
	assert_int_equal(lseek(fileno(file), 0, SEEK_END), 0);
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_time_left_is_by_the_looks),
		cmocka_unit_test(only_what_was_done_of_late_counts),
		cmocka_unit_test(what_is_not_known_is_not_made_up),
		cmocka_unit_test(each_round_has_its_own_pace),
		cmocka_unit_test(terminal_has_one_line_that_is_drawn_again),
		cmocka_unit_test(a_pipe_gets_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
