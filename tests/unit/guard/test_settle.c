/* SPDX-License-Identifier: GPL-2.0-or-later */
/* That it gives memory back is seen where there is swap: tests/kernel/test-full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard/settle.h"

static char *memory;

static int make_memory(void **state)
{
	memory = mmap(NULL, 2 * SETTLE_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	memset(memory, 0x5a, 2 * SETTLE_MAX);
	return memory == MAP_FAILED || madvise(memory, 2 * SETTLE_MAX, MADV_DONTFORK);
}

static int free_memory(void **state)
{
	return munmap(memory, 2 * SETTLE_MAX);
}

static void memory_keeps_what_is_in_it(void **state)
{
	assert_int_equal(settle(memory, SETTLE_MAX), SETTLE_MAX);
	for (size_t i = 0; i < 2 * SETTLE_MAX; i++)
		assert_int_equal(memory[i], 0x5a);
}

static void no_process_is_left(void **state)
{
	settle(memory, SETTLE_MAX);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void later_children_get_no_copy(void **state)
{
	int status = -1;
	pid_t child;

	settle(memory, SETTLE_MAX);
	child = fork();
	if (child == 0) {
		unsigned char seen;

		_exit(mincore(memory, 1, &seen) == -1 && errno == ENOMEM ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void memory_that_was_never_there_is_left_alone(void **state)
{
	madvise(memory, 2 * SETTLE_MAX, MADV_DONTNEED);
	assert_int_equal(settle(memory, SETTLE_MAX), 0);
}

static void too_much_is_refused(void **state)
{
	assert_int_equal(settle(memory, 2 * SETTLE_MAX), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(memory_keeps_what_is_in_it, make_memory,
						free_memory),
		cmocka_unit_test_setup_teardown(no_process_is_left, make_memory, free_memory),
		cmocka_unit_test_setup_teardown(later_children_get_no_copy, make_memory,
						free_memory),
		cmocka_unit_test_setup_teardown(memory_that_was_never_there_is_left_alone,
						make_memory, free_memory),
		cmocka_unit_test_setup_teardown(too_much_is_refused, make_memory, free_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
