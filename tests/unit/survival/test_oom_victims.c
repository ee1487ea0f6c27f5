/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which programs are remembered, and that one of them is ended: always one of this test's own. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "survival/oom_victims.h"

/* Of oom_score_adj: more likely to be chosen than anybody has a reason to be, and less so than
 * that. */
#define LIKELY "1000"
#define NEARLY "900"

/* What a child is told: to become LIKELY, or to end. */
#define RISE 'r'
#define END 'e'

struct child {
	pid_t number;
	int wish; /* RISE or END */
	int done; /* of its wish */
};

static struct oom_victims victims;

/* Anybody may make himself more likely to be chosen. */
static bool be_likely(const char *adjust)
{
	int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	bool done = file >= 0 && write(file, adjust, strlen(adjust)) > 0;

	if (file >= 0)
		close(file);
	return done;
}

static void live(int wish, int done, const char *name, const char *adjust)
{
	char byte = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, name);
	if (!be_likely(adjust))
		_exit(EXIT_FAILURE);
	(void)!write(done, &byte, 1);
	while (read(wish, &byte, 1) == 1 && byte == RISE) {
		if (!be_likely(LIKELY))
			_exit(EXIT_FAILURE);
		(void)!write(done, &byte, 1);
	}
	_exit(EXIT_SUCCESS);
}

static void start(struct child *child, const char *name, const char *adjust)
{
	int wish[2], done[2];
	char byte;

	assert_int_equal(pipe(wish), 0);
	assert_int_equal(pipe(done), 0);
	child->number = fork();
	assert_true(child->number >= 0);
	if (child->number == 0) {
		close(wish[1]);
		close(done[0]);
		live(wish[0], done[1], name, adjust);
	}
	close(wish[0]);
	close(done[1]);
	child->wish = wish[1];
	child->done = done[0];
	assert_int_equal(read(child->done, &byte, 1), 1);
}

static void rise(const struct child *child)
{
	char byte = RISE;

	assert_int_equal(write(child->wish, &byte, 1), 1);
	assert_int_equal(read(child->done, &byte, 1), 1);
}

/* The signal by which it ended, or 0 if by itself. */
static int end_of(struct child *child)
{
	const char byte = END;
	int status;

	/* One that was killed does not read it. */
	(void)!write(child->wish, &byte, 1);
	close(child->wish);
	assert_int_equal(waitpid(child->number, &status, 0), child->number);
	close(child->done);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static bool knows(pid_t number)
{
	for (unsigned int i = 0; i < victims.count; i++)
		if (victims.known[i].number == number)
			return true;
	return false;
}

static int begin(void **state)
{
	long pidfd = syscall(SYS_pidfd_open, getpid(), 0);

	/* Of a child that is gone. */
	signal(SIGPIPE, SIG_IGN);
	if (pidfd < 0)
		return -1;
	close((int)pidfd);
	return oom_victims_prepare(&victims);
}

static int finish(void **state)
{
	oom_victims_finish(&victims);
	/* Once more is fine. */
	oom_victims_finish(&victims);
	return 0;
}

static void test_the_one_with_the_highest_score_is_chosen_and_killed(void **state)
{
	struct oom_victim victim;
	struct child one, other;

	start(&one, "one", NEARLY);
	start(&other, "other of a name", LIKELY);
	oom_victims_look(&victims);
	assert_true(oom_victims_choose(&victims, &victim));
	assert_int_equal(victim.number, other.number);
	assert_int_equal(oom_victims_end(&victims, &victim), 0);
	assert_int_equal(victim.number, other.number);
	assert_string_equal(victim.name, "other of a name");
	assert_int_equal(end_of(&other), SIGKILL);
	/* The next one, without another look. */
	assert_true(oom_victims_choose(&victims, &victim));
	assert_int_equal(victim.number, one.number);
	assert_int_equal(end_of(&one), 0);
}

static void test_it_is_the_score_of_now_that_counts(void **state)
{
	struct oom_victim victim;
	struct child one, other;

	start(&one, "one", "800");
	start(&other, "other", NEARLY);
	oom_victims_look(&victims);
	rise(&one);
	assert_true(oom_victims_choose(&victims, &victim));
	assert_int_equal(victim.number, one.number);
	assert_int_equal(end_of(&one), 0);
	assert_int_equal(end_of(&other), 0);
}

static void test_nobody_is_taken_for_one_that_has_ended(void **state)
{
	struct oom_victim victim;
	struct child child;

	start(&child, "child", LIKELY);
	oom_victims_look(&victims);
	assert_true(knows(child.number));
	assert_int_equal(end_of(&child), 0);
	if (oom_victims_choose(&victims, &victim))
		assert_int_not_equal(victim.number, child.number);
	oom_victims_look(&victims);
	assert_false(knows(child.number));
}

static void test_more_than_are_remembered_leave_the_highest(void **state)
{
	struct child likely[OOM_VICTIMS_MAX], less;

	start(&less, "less", NEARLY);
	for (int i = 0; i < OOM_VICTIMS_MAX; i++)
		start(&likely[i], "likely", LIKELY);
	oom_victims_look(&victims);
	assert_int_equal(victims.count, OOM_VICTIMS_MAX);
	for (int i = 0; i < OOM_VICTIMS_MAX; i++)
		assert_true(knows(likely[i].number));
	assert_false(knows(less.number));
	for (int i = 0; i < OOM_VICTIMS_MAX; i++)
		assert_int_equal(end_of(&likely[i]), 0);
	assert_int_equal(end_of(&less), 0);
}

/* In a process of its own, which stays as it is then. */
static void test_who_looks_is_never_chosen(void **state)
{
	int status;
	pid_t looks = fork();

	assert_true(looks >= 0);
	if (looks == 0) {
		bool fine = be_likely(LIKELY);

		oom_victims_look(&victims);
		_exit(fine && !knows(getpid()) && !knows(1) ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	assert_int_equal(waitpid(looks, &status, 0), looks);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
}

/* Who may not make it so (CAP_SYS_RESOURCE) cannot show it. */
static void test_the_exempt_are_never_chosen(void **state)
{
	struct child exempt;
	int file = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	char was[8];
	ssize_t got = read(file, was, sizeof(was));

	assert_true(got > 0);
	if (!be_likely("-1000")) {
		close(file);
		print_message("an OOM score of -1000 needs CAP_SYS_RESOURCE\n");
		skip();
	}
	assert_int_equal(pwrite(file, was, (size_t)got, 0), got);
	close(file);
	start(&exempt, "exempt", "-1000");
	oom_victims_look(&victims);
	assert_false(knows(exempt.number));
	assert_int_equal(end_of(&exempt), 0);
}

static void test_looks_leave_no_files_open(void **state)
{
	int before, after;

	oom_victims_look(&victims);
	before = dup(0);
	close(before);
	for (int i = 0; i < 20; i++)
		oom_victims_look(&victims);
	oom_victims_finish(&victims);
	after = dup(0);
	close(after);
	assert_true(after <= before);
}

static void test_without_any_nobody_is_ended(void **state)
{
	struct oom_victims none = { 0 };
	struct oom_victim victim = { .number = 7 };

	assert_int_equal(oom_victims_end(&victims, &victim), -ESRCH);
	assert_int_equal(oom_victims_end(&none, &victim), -ESRCH);
	assert_false(oom_victims_choose(&none, &victim));
	oom_victims_look(&none);
	assert_int_equal(victim.number, 7);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_one_with_the_highest_score_is_chosen_and_killed),
		TEST(test_it_is_the_score_of_now_that_counts),
		TEST(test_nobody_is_taken_for_one_that_has_ended),
		TEST(test_more_than_are_remembered_leave_the_highest),
		TEST(test_who_looks_is_never_chosen),
		TEST(test_the_exempt_are_never_chosen),
		TEST(test_looks_leave_no_files_open),
		TEST(test_without_any_nobody_is_ended),
	};

	return cmocka_run_group_tests_name("victims", tests, NULL, NULL);
}
