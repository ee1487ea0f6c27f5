/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the kernel is asked to end a program, and above all when it is not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "survival/oom_call.h"

#define MIB (UINT64_C(1) << 20)
#define LOOK_MS 500

static struct oom_call oom_call;
static struct oom_call_view view;

/* What was judged since begin. */
static unsigned int asked, killed;

static int begin(void **state)
{
	oom_call = (struct oom_call){ .trigger = -1, .meminfo = -1, .swaps = -1, .prepared = true };
	view = (struct oom_call_view){
		.now_ms = 1000000,
		.memory = { .total = 1024 * MIB,
			    .available = 5 * MIB,
			    .swappable = 3 * MIB,
			    .files = MIB },
	};
	asked = killed = 0;
	return 0;
}

/* One more look: whether anything is to be done. */
static unsigned int look(void)
{
	enum relief relief = oom_call_judge(&oom_call, &view);

	asked += relief == RELIEF_ASK_KERNEL;
	killed += relief == RELIEF_END_ONE;
	return relief != RELIEF_NONE;
}

/* How often it is due in so many seconds of so many writes at each look. */
static unsigned int due(unsigned int seconds, unsigned int good, unsigned int failing)
{
	unsigned int count = 0;

	for (unsigned int ms = 0; ms < seconds * 1000; ms += LOOK_MS) {
		view.now_ms += LOOK_MS;
		view.writes += good + failing;
		view.failed += failing;
		count += look();
	}
	return count;
}

static void test_writes_that_fail_without_end_are_relieved_each_time_anew(void **state)
{
	for (int i = 0; i < 3; i++) {
		assert_int_equal(due(9, 10, 1000), 0);
		assert_int_equal(due(2, 10, 1000), 1);
	}
}

static void test_a_machine_with_memory_left_is_left_alone(void **state)
{
	view.memory.available = 33 * MIB;
	assert_int_equal(due(100, 0, 1000), 0);
	/* A large one is short of memory later than 1/32 says. */
	view.memory.total = 256 * 1024 * MIB;
	view.memory.available = 130 * MIB;
	assert_int_equal(due(100, 0, 1000), 0);
	view.memory.available = 120 * MIB;
	assert_int_equal(due(21, 0, 1000), 2);
}

static void test_a_machine_whose_memory_is_not_known_is_left_alone(void **state)
{
	view.memory.total = view.memory.available = 0;
	assert_int_equal(due(100, 0, 1000), 0);
}

static void test_some_failures_among_many_writes_are_no_reason(void **state)
{
	assert_int_equal(due(100, 100, 50), 0);
	assert_int_equal(due(100, 100, 0), 0);
}

static void test_failures_with_pauses_are_no_reason(void **state)
{
	for (int i = 0; i < 20; i++) {
		assert_int_equal(due(6, 0, 1000), 0);
		assert_int_equal(due(4, 0, 0), 0);
	}
	/* A short pause does not hide that there is no end. */
	assert_int_equal(due(5, 0, 1000), 0);
	assert_int_equal(due(2, 0, 0), 0);
	assert_int_equal(due(5, 0, 1000), 1);
}

static void test_writes_that_do_not_even_fail_any_more_are_relieved(void **state)
{
	assert_int_equal(due(5, 0, 1000), 0);
	view.memory.writeback = 12 * MIB;
	assert_int_equal(due(5, 0, 0), 0);
	assert_int_equal(due(1, 0, 0), 1);
	/* And again, if that was of no use. */
	assert_int_equal(due(10, 0, 0), 1);
}

static void test_a_machine_that_is_quiet_after_a_failure_is_left_alone(void **state)
{
	assert_int_equal(due(5, 0, 1000), 0);
	assert_int_equal(due(100, 0, 0), 0);
	/* Nor is one in which no write has failed and none is under way. */
	view.memory.writeback = 12 * MIB;
	assert_int_equal(due(100, 0, 0), 0);
}

/* Looks at a request that began and does not end. */
static unsigned int due_while_waiting(unsigned int seconds, unsigned int ended)
{
	unsigned int count = 0;

	view.under_way = true;
	for (unsigned int ms = 0; ms < seconds * 1000; ms += LOOK_MS) {
		view.now_ms += LOOK_MS;
		view.ended += ended;
		view.writes += ended;
		count += look();
	}
	return count;
}

static void test_a_server_that_waits_for_the_memory_it_is_to_free_is_relieved(void **state)
{
	view.memory.writeback = MIB / 2;
	view.ended = 1000;
	assert_int_equal(due_while_waiting(10, 0), 0);
	assert_int_equal(due_while_waiting(1, 0), 1);
	/* The kernel would come too late. */
	assert_int_equal(killed, 1);
	/* And again, if that was of no use; also where a request ends now and then. */
	assert_int_equal(due_while_waiting(5, 0), 1);
	assert_int_equal(asked, 1);
	assert_int_equal(due_while_waiting(10, 1), 2);
	assert_int_equal(killed, 2);
	assert_int_equal(asked, 2);
}

/* Nothing but an end of its requests frees a page there: so ten seconds are of no use. */
static void test_a_server_that_gets_no_memory_at_all_is_relieved_sooner(void **state)
{
	view.memory.writeback = MIB / 2;
	view.exhausted = true;
	assert_int_equal(due_while_waiting(2, 0), 0);
	assert_int_equal(due_while_waiting(1, 0), 1);
	assert_int_equal(killed, 1);
	/* As long as requests end it is not. */
	assert_int_equal(due_while_waiting(100, 2), 0);
}

static void test_a_program_is_ended_where_writes_go_on_failing(void **state)
{
	assert_int_equal(due(11, 10, 1000), 1);
	assert_int_equal(asked, 1);
	assert_int_equal(due(11, 10, 1000), 1);
	assert_int_equal(killed, 1);
}

static void test_what_was_of_use_is_the_first_to_be_done_again(void **state)
{
	view.memory.writeback = MIB / 2;
	/* Requests end again, though memory is still short. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(due_while_waiting(10, 0), 1);
		assert_int_equal(due_while_waiting(1, 2), 0);
	}
	assert_int_equal(killed, 3);
	view.under_way = false;
	view.memory.writeback = 0;
	/* Memory came back. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(due(11, 0, 1000), 1);
		view.memory.available = 100 * MIB;
		assert_int_equal(due(4, 0, 0), 0);
		view.memory.available = 5 * MIB;
	}
	assert_int_equal(asked, 3);
	assert_int_equal(killed, 3);
}

static void test_a_server_that_is_slow_is_left_alone(void **state)
{
	view.memory.writeback = MIB / 2;
	assert_int_equal(due_while_waiting(100, 2), 0);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(due_while_waiting(9, 0), 0);
		assert_int_equal(due_while_waiting(1, 100), 0);
	}
}

/* What programs have in memory, of their own and of files. */
static void programs_have(uint64_t own, uint64_t files)
{
	view.memory.swappable = own;
	view.memory.files = files;
}

static void test_programs_that_have_a_few_pages_in_memory_are_relieved(void **state)
{
	view.memory.total = 128 * MIB;
	view.memory.available = MIB / 4;
	programs_have(300 << 10, 400 << 10);
	assert_int_equal(due_while_waiting(9, 100), 0);
	assert_int_equal(due_while_waiting(1, 100), 1);
	assert_true(oom_call.starved);
	assert_int_equal(asked, 1);
	/* By the server itself, if the kernel's choice was of no use or it made none. */
	assert_int_equal(due_while_waiting(10, 100), 1);
	assert_int_equal(killed, 1);
	programs_have(4 * MIB, 4 * MIB);
	assert_int_equal(due_while_waiting(1, 100), 0);
	programs_have(0, 0);
	assert_int_equal(due_while_waiting(10, 100), 1);
	assert_int_equal(asked, 2);
}

static void test_programs_that_get_somewhere_are_left_alone(void **state)
{
	programs_have(3 * MIB / 2, MIB);
	assert_int_equal(due_while_waiting(100, 100), 0);
	programs_have(MIB, 3 * MIB / 2);
	assert_int_equal(due_while_waiting(100, 100), 0);
	/* A load that comes through. */
	for (int i = 0; i < 10; i++) {
		programs_have(40 << 10, 60 << 10);
		assert_int_equal(due_while_waiting(9, 100), 0);
		programs_have(2 * MIB, 60 << 10);
		assert_int_equal(due_while_waiting(1, 100), 0);
	}
	/* What is locked counts as nothing; where nothing is swapped it is a machine at rest. */
	programs_have(0, 0);
	assert_int_equal(due_while_waiting(100, 7), 0);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(due_while_waiting(4, 100), 0);
		assert_int_equal(due_while_waiting(4, 7), 0);
	}
	view.memory.available = 33 * MIB;
	assert_int_equal(due_while_waiting(100, 100), 0);
}

static void test_pauses_of_those_that_have_nothing_do_not_hide_it(void **state)
{
	unsigned int count = 0;

	programs_have(0, 0);
	for (int i = 0; i < 9; i++)
		count += due_while_waiting(1, 100) + due_while_waiting(2, 3);
	assert_int_equal(count, 0);
	assert_int_equal(due_while_waiting(1, 100), 1);
	assert_int_equal(asked, 1);
	for (int i = 0; i < 10; i++)
		count += due_while_waiting(2, 3) + due_while_waiting(1, 100);
	assert_int_equal(count, 1);
	assert_int_equal(killed, 1);
}

/* Programs of a large machine may have little to do: what they do that for takes so much. */
static void test_a_large_machine_is_not_said_to_starve_by_its_size(void **state)
{
	view.memory.total = 64 * 1024 * MIB;
	programs_have(3 * MIB, MIB);
	assert_int_equal(due_while_waiting(100, 100), 0);
	programs_have(2 * MIB, MIB);
	assert_int_equal(due_while_waiting(10, 100), 1);
}

static void test_a_request_that_waits_for_something_else_is_no_reason(void **state)
{
	/* Nothing is being swapped out. */
	assert_int_equal(due_while_waiting(100, 0), 0);
	view.memory.writeback = MIB / 2;
	view.memory.available = 33 * MIB;
	assert_int_equal(due_while_waiting(100, 0), 0);
	/* No request, or one that waits for a disk. */
	view.memory.available = 5 * MIB;
	view.under_way = false;
	assert_int_equal(due(100, 0, 0), 0);
}

static void test_a_server_that_was_stopped_is_no_reason(void **state)
{
	view.memory.writeback = MIB / 2;
	assert_int_equal(due_while_waiting(1, 0), 0);
	view.now_ms += 60000;
	assert_int_equal(due_while_waiting(5, 0), 0);
}

static void test_a_device_that_was_taken_away_is_a_reason_where_memory_is_short(void **state)
{
	view.lost = true;
	assert_int_equal(due(9, 0, 0), 0);
	assert_int_equal(due(2, 0, 0), 1);
	assert_int_equal(due(11, 0, 0), 1);
	view.memory.available = 33 * MIB;
	assert_int_equal(due(100, 0, 0), 0);
	/* Nor at once, when it gets short. */
	view.memory.available = 5 * MIB;
	assert_int_equal(due(9, 0, 0), 0);
	assert_int_equal(due(2, 0, 0), 1);
}

static void test_another_area_that_takes_pages_will_do(void **state)
{
	static const char orphan[] = "/dev/ublkb3\\040(deleted) partition 262140 100 100\n";
	static const char another[] = "/dev/zram0 partition 262140 100 100\n";
	FILE *swaps = tmpfile();

	assert_non_null(swaps);
	oom_call.swaps = fileno(swaps);
	assert_false(oom_call_is_lost(&oom_call, 3));
	assert_int_equal(pwrite(oom_call.swaps, orphan, strlen(orphan), 0), strlen(orphan));
	assert_true(oom_call_is_lost(&oom_call, 3));
	assert_false(oom_call_is_lost(&oom_call, 0));
	assert_int_equal(pwrite(oom_call.swaps, another, strlen(another), strlen(orphan)),
			 strlen(another));
	assert_false(oom_call_is_lost(&oom_call, 3));
	fclose(swaps);
	oom_call.swaps = -1;
}

static void test_the_call_writes_what_the_kernel_expects(void **state)
{
	int ends[2];
	char byte = 0;

	assert_int_equal(oom_call_make(&oom_call), -ENOENT);
	assert_int_equal(pipe(ends), 0);
	oom_call.trigger = ends[1];
	assert_int_equal(oom_call_make(&oom_call), 0);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(byte, 'f');
	close(ends[0]);
	oom_call_finish(&oom_call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
			test_writes_that_fail_without_end_are_relieved_each_time_anew, begin),
		cmocka_unit_test_setup(test_a_machine_with_memory_left_is_left_alone, begin),
		cmocka_unit_test_setup(test_a_machine_whose_memory_is_not_known_is_left_alone,
				       begin),
		cmocka_unit_test_setup(test_some_failures_among_many_writes_are_no_reason, begin),
		cmocka_unit_test_setup(test_failures_with_pauses_are_no_reason, begin),
		cmocka_unit_test_setup(test_writes_that_do_not_even_fail_any_more_are_relieved,
				       begin),
		cmocka_unit_test_setup(test_a_machine_that_is_quiet_after_a_failure_is_left_alone,
				       begin),
		cmocka_unit_test_setup(
			test_a_server_that_waits_for_the_memory_it_is_to_free_is_relieved, begin),
		cmocka_unit_test_setup(test_a_server_that_gets_no_memory_at_all_is_relieved_sooner,
				       begin),
		cmocka_unit_test_setup(test_a_program_is_ended_where_writes_go_on_failing, begin),
		cmocka_unit_test_setup(test_what_was_of_use_is_the_first_to_be_done_again, begin),
		cmocka_unit_test_setup(test_a_server_that_is_slow_is_left_alone, begin),
		cmocka_unit_test_setup(test_programs_that_have_a_few_pages_in_memory_are_relieved,
				       begin),
		cmocka_unit_test_setup(test_programs_that_get_somewhere_are_left_alone, begin),
		cmocka_unit_test_setup(test_pauses_of_those_that_have_nothing_do_not_hide_it,
				       begin),
		cmocka_unit_test_setup(test_a_large_machine_is_not_said_to_starve_by_its_size,
				       begin),
		cmocka_unit_test_setup(test_a_request_that_waits_for_something_else_is_no_reason,
				       begin),
		cmocka_unit_test_setup(test_a_server_that_was_stopped_is_no_reason, begin),
		cmocka_unit_test_setup(
			test_a_device_that_was_taken_away_is_a_reason_where_memory_is_short, begin),
		cmocka_unit_test_setup(test_another_area_that_takes_pages_will_do, begin),
		cmocka_unit_test_setup(test_the_call_writes_what_the_kernel_expects, begin),
	};

	return cmocka_run_group_tests_name("relief", tests, NULL, NULL);
}
