/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of protections, and what a signal does to a server that swap depends on. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "survival/survival.h"

static const struct protection all = {
	.lock_wanted = true,
	.locked = true,
	.io_flusher = true,
	.oom_protected = true,
	.real_time = true,
};

static void with_all_protections_nothing_is_missing(void **state)
{
	char why[PROTECTION_WHY_MAX] = "?", text[PROTECTION_TEXT_MAX];

	assert_int_equal(protection_missing(&all, why, sizeof(why)), 0);
	assert_string_equal(why, "");
	protection_describe(&all, text, sizeof(text));
	assert_string_equal(text, "memory lock yes, IO flusher yes, OOM score yes, "
				  "real-time class yes");
}

static void each_that_is_missing_is_named_with_what_gives_it(void **state)
{
	static const struct {
		size_t offset;
		const char *name, *needs;
	} one[] = {
		{ offsetof(struct protection, locked), "memory lock", "CAP_IPC_LOCK" },
		{ offsetof(struct protection, io_flusher), "IO flusher", "CAP_SYS_RESOURCE" },
		{ offsetof(struct protection, oom_protected), "OOM score", "CAP_SYS_RESOURCE" },
		{ offsetof(struct protection, real_time), "real-time class", "CAP_SYS_NICE" },
	};
	char why[PROTECTION_WHY_MAX];

	for (size_t i = 0; i < sizeof(one) / sizeof(*one); i++) {
		struct protection protection = all;

		*(bool *)((char *)&protection + one[i].offset) = false;
		assert_int_equal(protection_missing(&protection, why, sizeof(why)), 1);
		assert_int_equal(strncmp(why, one[i].name, strlen(one[i].name)), 0);
		assert_non_null(strstr(why, one[i].needs));
		assert_null(strchr(why, '\n'));
	}
}

static void all_that_are_missing_fit_into_the_room_for_it(void **state)
{
	const struct protection none = { .lock_bytes = UINT64_MAX };
	char why[PROTECTION_WHY_MAX], text[PROTECTION_TEXT_MAX];

	assert_int_equal(protection_missing(&none, why, sizeof(why)), 4);
	assert_non_null(strstr(why, "ulimit -r)"));
	assert_non_null(strstr(why, "18014398509481983 kB"));
	protection_describe(&none, text, sizeof(text));
	assert_non_null(strstr(text, "real-time class no"));
}

static void who_is_not_to_be_locked_is_not(void **state)
{
	struct protection protection = { .real_time = false };

	assert_int_equal(protection_lock(&protection), 0);
	assert_false(protection.locked);
}

/* In a process of its own: signals are the process's. */
static void a_signal_to_end_only_says_that_it_came(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	int status;

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		pid_t child = fork();

		if (child == 0) {
			protection_hold_signals();
			if (protection_quit_wanted())
				_exit(1);
			raise(signals[i]);
			_exit(protection_quit_wanted() ? 0 : 2);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	assert_false(protection_quit_wanted());
}

static void *touch(void *opaque)
{
	char *memory =
		mmap(NULL, 64 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(memory, 1, 64 << 12);
	munmap(memory, 64 << 12);
	if (opaque)
		protection_note_background_faults();
	return NULL;
}

static void faults_of_background_threads_are_not_those_of_requests(void **state)
{
	struct protection_faults before, request, background;

	protection_get_faults(&before);
	touch(NULL);
	protection_get_faults(&request);
	assert_true(request.minor >= before.minor + 64);
	assert_true(request.requests >= before.requests + 64);
	/* What this thread took until now is noted as the background's, once. */
	touch(&background);
	protection_get_faults(&background);
	assert_true(background.minor >= request.minor + 64);
	assert_true(background.requests < request.requests);
	protection_note_background_faults();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_all_protections_nothing_is_missing),
		cmocka_unit_test(each_that_is_missing_is_named_with_what_gives_it),
		cmocka_unit_test(all_that_are_missing_fit_into_the_room_for_it),
		cmocka_unit_test(who_is_not_to_be_locked_is_not),
		cmocka_unit_test(a_signal_to_end_only_says_that_it_came),
		cmocka_unit_test(faults_of_background_threads_are_not_those_of_requests),
	};

	return cmocka_run_group_tests_name("survival protection", tests, NULL, NULL);
}
