/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a start has begun is taken back, newest first, and what one that died left is removed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_host.h"
#include "tools/ramzswap/undo.h"

static void said(const char *text, const char *in)
{
	if (!strstr(in, text))
		fail_msg("'%s' is missing in: %s", text, in);
}

static int undo(struct fake_host *fake, const char *step)
{
	char *const steps[] = { (char *)step, NULL };

	return undo_steps(&fake->host, steps);
}

static void all_steps_are_taken_back_in_their_order(void **state)
{
	char *const steps[] = { (char *)"swap",
				(char *)"device",
				(char *)"queue",
				(char *)"server",
				(char *)"kernel",
				(char *)"files",
				NULL };
	struct fake_host *fake = *state;

	assert_int_equal(undo_steps(&fake->host, steps), 0);
	assert_string_equal(fake->log, "end 102; swapoff /dev/nbd0; disconnect /dev/nbd0; end 101; "
				       "lock; unlock; ");
	assert_false(fake_exists(fake, "/run/ramzswap"));
	assert_false(fake_exists(fake, "/run/ramzswap.kernel"));
	assert_string_equal(fake_text(fake, "/sys/block/nbd0/queue/max_sectors_kb"), "256");
	assert_string_equal(fake_said(fake), "");
}

static void a_step_takes_back_that_alone(void **state)
{
	struct fake_host *fake = *state;

	assert_int_equal(undo(fake, "queue"), 0);
	assert_string_equal(fake_text(fake, "/sys/block/nbd0/queue/scheduler"), "mq-deadline");
	assert_string_equal(fake->log, "");
	assert_int_equal(undo(fake, "server"), 0);
	assert_string_equal(fake->log, "end 101; ");
	assert_false(fake_exists(fake, "/run/ramzswap/bin"));
	assert_true(fake_exists(fake, "/run/ramzswap/state"));
	assert_int_equal(undo(fake, "kernel"), 0);
	assert_string_equal(fake_text(fake, "/proc/sys/vm/min_free_kbytes"), "2048");
	assert_true(fake_exists(fake, "/run/ramzswap/state"));
}

static void swap_that_stays_keeps_all_the_rest(void **state)
{
	char *const steps[] = { (char *)"swap", (char *)"device", (char *)"files", NULL };
	struct fake_host *fake = *state;

	fake->swapoff_error = ENOMEM;
	assert_int_equal(undo_steps(&fake->host, steps), 1);
	said("ramzswap: warning: swapoff: /dev/nbd0: swapoff failed: Cannot allocate memory: swap "
	     "goes on, 'ramzswap stop' ends it\n",
	     fake_complained(fake));
	assert_non_null(strstr(fake->log, "/sbin/ramzswap-guard /dev/nbd0"));
	assert_null(strstr(fake->log, "disconnect"));
	assert_true(fake_exists(fake, "/run/ramzswap/state"));
}

static void what_was_not_begun_is_taken_back_too(void **state)
{
	struct fake_host *fake = *state;

	fake_put(fake, "/run/ramzswap/state", "device=/dev/nbd0 door=nbd door_why='asked for'");
	fake_kill(fake, FAKE_SERVER);
	fake_kill(fake, FAKE_GUARD);
	fake_swaps(fake, 0, 0);
	fake_remove(fake, "/sys/block/nbd0/pid");
	fake_remove(fake, "/run/ramzswap.kernel");
	assert_int_equal(undo(fake, "swap"), 0);
	assert_int_equal(undo(fake, "queue"), 0);
	assert_int_equal(undo(fake, "server"), 0);
	assert_int_equal(undo(fake, "kernel"), 0);
	assert_int_equal(undo(fake, "files"), 0);
	assert_string_equal(fake->log, "lock; unlock; ");
	assert_string_equal(fake_complained(fake), "");
	assert_false(fake_exists(fake, "/run/ramzswap"));
}

static void other_peoples_files_stay(void **state)
{
	struct fake_host *fake = *state;

	fake_put(fake, "/run/ramzswap/notes", "mine");
	assert_int_equal(undo(fake, "files"), 0);
	assert_string_equal(fake_text(fake, "/run/ramzswap/notes"), "mine");
	assert_false(fake_exists(fake, "/run/ramzswap/state"));
}

static void nobody_undoes_what_is_unknown(void **state)
{
	struct fake_host *fake = *state;

	assert_false(undo_knows("everything"));
	assert_true(undo_knows("files"));
	assert_int_equal(undo(fake, "everything"), 1);
	fake_put(fake, "/run/ramzswap/state", "?");
	assert_int_equal(undo(fake, "swap"), 1);
	said("state is damaged: nothing is undone", fake_complained(fake));
	assert_string_equal(fake->log, "");
}

static void a_disk_that_runs_is_no_leftover(void **state)
{
	struct fake_host *fake = *state;

	assert_int_equal(undo_leftovers(&fake->host), 1);
	said("ramzswap: runs already as process 101 on /dev/nbd0 ('ramzswap stop' ends it)\n",
	     fake_complained(fake));
	assert_string_equal(fake->log, "");
}

static void nobody_serves(struct fake_host *fake)
{
	fake_kill(fake, FAKE_SERVER);
	fake_put(fake, "/proc/net/unix", "Num RefCount");
}

static void swap_on_a_dead_server_is_for_stop(void **state)
{
	struct fake_host *fake = *state;

	nobody_serves(fake);
	assert_int_equal(undo_leftovers(&fake->host), 1);
	said("ramzswap: the server of /dev/nbd0 is dead but the kernel still swaps there: try "
	     "'ramzswap stop'; pages stored there are lost\n",
	     fake_complained(fake));
	assert_string_equal(fake->log, "");
}

static void what_a_server_that_died_left_is_removed(void **state)
{
	struct fake_host *fake = *state;

	nobody_serves(fake);
	fake_swaps(fake, 0, 0);
	assert_int_equal(undo_leftovers(&fake->host), 0);
	said("ramzswap: removing what a server that died left in /run/ramzswap\n", fake_said(fake));
	assert_string_equal(fake->log, "disconnect /dev/nbd0; lock; unlock; ");
	assert_string_equal(fake_text(fake, "/proc/sys/vm/min_free_kbytes"), "2048");
	assert_false(fake_exists(fake, "/run/ramzswap/state"));
	assert_false(fake_exists(fake, "/run/ramzswap/pid"));
}

static void a_socket_that_is_served_is_in_use(void **state)
{
	struct fake_host *fake = *state;

	fake_remove(fake, "/run/ramzswap/state");
	assert_int_equal(undo_leftovers(&fake->host), 1);
	said("ramzswap: /run/ramzswap/socket: in use by another server\n", fake_complained(fake));
	assert_true(fake_exists(fake, "/run/ramzswap/pid"));
}

static void a_socket_whose_server_is_just_dying_is_none(void **state)
{
	struct fake_host *fake = *state;

	fake_remove(fake, "/run/ramzswap/state");
	fake->at_rest = nobody_serves;
	assert_int_equal(undo_leftovers(&fake->host), 0);
	assert_false(fake_exists(fake, "/run/ramzswap/pid"));
}

static void a_clean_place_has_no_leftovers(void **state)
{
	struct fake_host *fake = *state;

	nobody_serves(fake);
	fake_remove(fake, "/run/ramzswap");
	assert_int_equal(undo_leftovers(&fake->host), 0);
	assert_string_equal(fake_said(fake), "");
	assert_string_equal(fake->log, "");
}

static void a_damaged_state_is_for_its_owner(void **state)
{
	struct fake_host *fake = *state;

	fake_put(fake, "/run/ramzswap/state", "device=/dev/sda");
	assert_int_equal(undo_leftovers(&fake->host), 1);
	said("/run/ramzswap/state is damaged", fake_complained(fake));
	assert_true(fake_exists(fake, "/run/ramzswap/state"));
}

#define ON_A_HOST(test) cmocka_unit_test_setup_teardown(test, fake_host_setup, fake_host_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_HOST(all_steps_are_taken_back_in_their_order),
		ON_A_HOST(a_step_takes_back_that_alone),
		ON_A_HOST(swap_that_stays_keeps_all_the_rest),
		ON_A_HOST(what_was_not_begun_is_taken_back_too),
		ON_A_HOST(other_peoples_files_stay),
		ON_A_HOST(nobody_undoes_what_is_unknown),
		ON_A_HOST(a_disk_that_runs_is_no_leftover),
		ON_A_HOST(swap_on_a_dead_server_is_for_stop),
		ON_A_HOST(what_a_server_that_died_left_is_removed),
		ON_A_HOST(a_socket_that_is_served_is_in_use),
		ON_A_HOST(a_socket_whose_server_is_just_dying_is_none),
		ON_A_HOST(a_clean_place_has_no_leftovers),
		ON_A_HOST(a_damaged_state_is_for_its_owner),
	};

	return cmocka_run_group_tests_name("tools undo", tests, NULL, NULL);
}
