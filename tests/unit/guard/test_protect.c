/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Promises of plugin/guard/protect.h about memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "guard/protect.h"
#include "mapping.h"

#define KIB 1024u
#define CANNOT_LOCK 77

/* What the kernel says of the mapping that the address lies in, in KiB; -1 if there is none. */
static long kib_of(const void *address, const char *key)
{
	char value[512];

	if (!mapping_value((uintptr_t)address, key, value, sizeof(value)))
		return -1;
	return strtol(value, NULL, 10);
}

/* Uses so much of the stack. */
static __attribute__((noinline)) void go_deep(void)
{
	volatile char stack[100 * KIB];

	for (size_t i = 0; i < sizeof(stack); i += KIB)
		stack[i] = 1;
}

/* In a process of its own, whose class and score change. */
static int be_protected(void)
{
	char here;
	long resident;

	go_deep();
	guard_protect();
	if (mlock(&here, 1) != 0 || kib_of((const void *)&be_protected, "Locked:") <= 0)
		return CANNOT_LOCK;
	resident = kib_of(&here, "Locked:");
	printf("%ld KiB of the stack are locked\n", resident);
	if (resident < 64 || resident > 96)
		return 1;
	/* It goes on growing where it has to. */
	go_deep();
	return 0;
}

static void a_guard_locks_what_it_uses_of_its_stack_and_not_all_that_is_mapped(void **state)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		status = be_protected();
		fflush(stdout);
		_exit(status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CANNOT_LOCK) {
		print_message("may not lock memory (ulimit -l): not tested\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_guard_locks_what_it_uses_of_its_stack_and_not_all_that_is_mapped),
	};

	return cmocka_run_group_tests_name("protect", tests, NULL, NULL);
}
