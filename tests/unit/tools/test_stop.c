/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When swap is taken away, in which order all goes, and what is left where it is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_host.h"
#include "tools/ramzswap/stop.h"

static void said(struct fake_host *fake, const char *text)
{
	if (!strstr(fake_said(fake), text))
		fail_msg("'%s' is missing in: %s", text, fake_said(fake));
}

static void complained(struct fake_host *fake, const char *text)
{
	if (!strstr(fake_complained(fake), text))
		fail_msg("'%s' is missing in: %s", text, fake_complained(fake));
}

static void nothing_was_changed(struct fake_host *fake)
{
	assert_true(fake_exists(fake, "/run/ramzswap/state"));
	assert_true(fake_exists(fake, "/proc/101"));
	assert_string_equal(fake_text(fake, "/proc/sys/vm/min_free_kbytes"), "16384");
	assert_string_equal(fake_text(fake, "/sys/block/nbd0/queue/max_sectors_kb"), "128");
	assert_non_null(strstr(fake_text(fake, "/proc/swaps"), "/dev/nbd0"));
}

static void everything_is_gone(struct fake_host *fake)
{
	assert_false(fake_exists(fake, "/run/ramzswap"));
	assert_false(fake_exists(fake, "/run/ramzswap.kernel"));
	assert_false(fake_exists(fake, "/proc/101"));
	assert_string_equal(fake_text(fake, "/proc/sys/vm/min_free_kbytes"), "2048");
	assert_string_equal(fake_text(fake, "/proc/sys/vm/watermark_boost_factor"), "15000");
}

static void judged(bool forced, bool lives, bool served, bool swaps, bool marks,
		   enum stop_verdict expected)
{
	const struct stop_view view = { forced, lives, served, swaps, marks, false };

	assert_int_equal(stop_judge(&view), expected);
}

static void a_server_that_the_kernel_has_lost_is_as_good_as_dead(void **unused)
{
	struct stop_view view = {
		.server_lives = true, .served = true, .swaps = true, .lost = true
	};

	assert_int_equal(stop_judge(&view), STOP_WRONG);
	view.marks_lost = true;
	assert_int_equal(stop_judge(&view), STOP_BURY);
	/* After swapoff to have no client is as it should be. */
	view.swaps = false;
	assert_int_equal(stop_judge(&view), STOP_AT_ONCE);
}

static void each_case_has_its_verdict(void **unused)
{
	/* A server that lives. */
	judged(false, true, true, true, false, STOP_IF_IT_FITS);
	judged(false, true, false, true, true, STOP_IF_IT_FITS);
	judged(true, true, true, true, true, STOP_AT_ONCE);
	judged(false, true, true, false, true, STOP_AT_ONCE);
	/* One of which it is not known which it is: nor by force. */
	judged(false, false, true, true, true, STOP_NAMELESS);
	judged(true, false, true, true, true, STOP_NAMELESS);
	judged(false, false, true, false, true, STOP_NAMELESS);
	/* A dead one. */
	judged(false, false, false, true, true, STOP_BURY);
	judged(false, false, false, true, false, STOP_WRONG);
	judged(true, false, false, true, false, STOP_BURY);
	judged(false, false, false, false, false, STOP_BURY);
}

static void what_fits_is_stopped_in_the_order_that_loses_nothing(void **state)
{
	struct fake_host *fake = *state;

	assert_int_equal(stop_disk(&fake->host, false), 0);
	assert_string_equal(fake->log, "commit; end 102; swapoff /dev/nbd0; disconnect /dev/nbd0; "
				       "end 101; lock; unlock; ");
	assert_string_equal(fake_text(fake, "/sys/block/nbd0/queue/scheduler"), "mq-deadline");
	assert_string_equal(fake_text(fake, "/sys/block/nbd0/queue/max_sectors_kb"), "256");
	everything_is_gone(fake);
	said(fake, "ramzswap: stopped\n");
	assert_string_equal(fake_complained(fake), "");
	assert_int_equal(fake->rests, 0);
}

static void what_does_not_fit_is_refused_after_fifteen_seconds(void **state)
{
	struct fake_host *fake = *state;

	/* The guard's 10240 kB go with it. */
	fake_meminfo(fake, 131072 - 10240 - 1, 0);
	assert_int_equal(stop_disk(&fake->host, false), 1);
	complained(fake,
		   "ramzswap: 118 MB are swapped out and only 117 MB of memory are available: "
		   "end some programs first (--force tries all the same).  Nothing was "
		   "changed, swap goes on\n");
	assert_string_equal(fake->log, "commit; ");
	assert_int_equal(fake->now_ms, STOP_ROOM_MS);
	nothing_was_changed(fake);
	assert_string_equal(fake_said(fake), "");
}

static void what_just_fits_is_stopped(void **state)
{
	struct fake_host *fake = *state;

	fake_meminfo(fake, 100000, 131072 - 10240 - 100000);
	assert_int_equal(stop_disk(&fake->host, false), 0);
	everything_is_gone(fake);
}

static void give_room(struct fake_host *fake)
{
	if (fake->now_ms == 5000)
		fake_meminfo(fake, 200000, 0);
}

static void room_that_comes_back_in_time_will_do(void **state)
{
	struct fake_host *fake = *state;

	fake_meminfo(fake, 1000, 0);
	fake->at_rest = give_room;
	assert_int_equal(stop_disk(&fake->host, false), 0);
	assert_int_equal(fake->now_ms, 5000);
	everything_is_gone(fake);
}

static void take_long(struct fake_host *fake)
{
	fake->now_ms += 4900;
}

static void looks_that_take_long_are_few(void **state)
{
	struct fake_host *fake = *state;

	fake_meminfo(fake, 1000, 0);
	fake->at_rest = take_long;
	assert_int_equal(stop_disk(&fake->host, false), 1);
	assert_int_equal(fake->rests, 3);
}

static void interrupt(struct fake_host *fake)
{
	fake->interrupted = fake->now_ms == 3000;
}

static void who_does_not_want_to_wait_for_room_changes_nothing(void **state)
{
	struct fake_host *fake = *state;

	fake_meminfo(fake, 1000, 0);
	fake->at_rest = interrupt;
	assert_int_equal(stop_disk(&fake->host, false), 1);
	assert_int_equal(fake->now_ms, 3000);
	assert_string_equal(fake_complained(fake),
			    "ramzswap: interrupted: swap on /dev/nbd0 goes on, with "
			    "128 MB swapped out; nothing is lost\n");
	assert_string_equal(fake->log, "commit; ");
	nothing_was_changed(fake);
}

static void a_swapoff_that_is_interrupted_leaves_all_and_a_guard(void **state)
{
	struct fake_host *fake = *state;

	fake->swapoff_error = EINTR;
	assert_int_equal(stop_disk(&fake->host, false), 1);
	assert_string_equal(fake_complained(fake),
			    "ramzswap: interrupted: swap on /dev/nbd0 goes on, with "
			    "128 MB swapped out; nothing is lost\n");
	assert_non_null(
		strstr(fake->log, "commit; end 102; swapoff /dev/nbd0; /sbin/ramzswap-guard "));
	/* Nobody else is at it: who waits at a terminal is told at once. */
	assert_int_equal(fake->rests, 0);
	nothing_was_changed(fake);
}

static void one_that_was_through_before_is_a_stop(void **state)
{
	struct fake_host *fake = *state;

	fake->swapoff_error = EINTR;
	fake->swap_goes_meanwhile = true;
	assert_int_equal(stop_disk(&fake->host, false), 0);
	everything_is_gone(fake);
}

static void a_kernel_that_tells_nothing_is_not_believed(void **state)
{
	struct fake_host *fake = *state;

	fake_put(fake, "/proc/meminfo", "%s", "");
	assert_int_equal(stop_disk(&fake->host, false), 1);
	complained(fake, "0 MB are swapped out and only 0 MB of memory are available");
	nothing_was_changed(fake);
}

static void force_asks_for_no_room(void **state)
{
	struct fake_host *fake = *state;

	fake_meminfo(fake, 0, 0);
	assert_int_equal(stop_disk(&fake->host, true), 0);
	everything_is_gone(fake);
	assert_int_equal(fake->rests, 0);
}

static void a_swapoff_that_fails_leaves_all_and_a_guard(void **state)
{
	struct fake_host *fake = *state;

	fake->swapoff_error = ENOMEM;
	assert_int_equal(stop_disk(&fake->host, true), 1);
	complained(fake,
		   "ramzswap: swapoff: /dev/nbd0: swapoff failed: Cannot allocate memory; the "
		   "disk stays attached and swap goes on\n");
	assert_string_equal(fake->log,
			    "commit; end 102; swapoff /dev/nbd0; /sbin/ramzswap-guard /dev/nbd0 "
			    "/run/ramzswap/control 101 /run/ramzswap/state /run/ramzswap/pid "
			    "/run/ramzswap/guard /run/ramzswap.kernel/saved "
			    "/run/ramzswap.kernel/_run_ramzswap.user; ");
	nothing_was_changed(fake);
}

static void one_without_a_guard_gets_none(void **state)
{
	struct fake_host *fake = *state;

	fake_kill(fake, FAKE_GUARD);
	fake->swapoff_error = EPERM;
	assert_int_equal(stop_disk(&fake->host, true), 1);
	assert_string_equal(fake->log, "commit; swapoff /dev/nbd0; ");
	nothing_was_changed(fake);
}

static void a_guard_that_does_not_end_is_warned_of(void **state)
{
	struct fake_host *fake = *state;

	fake->never_ends = FAKE_GUARD;
	assert_int_equal(stop_disk(&fake->host, false), 0);
	complained(fake, "ramzswap: warning: process 102 does not end\n");
	said(fake, "stopped");
}

static void somebody_else_at_swapoff_is_as_good(void **state)
{
	struct fake_host *fake = *state;

	fake->swapoff_error = EBUSY;
	fake->swap_goes_meanwhile = true;
	assert_int_equal(stop_disk(&fake->host, false), 0);
	everything_is_gone(fake);
}

static void swap_that_is_off_already_takes_no_swapoff(void **state)
{
	struct fake_host *fake = *state;

	fake_swaps(fake, 0, 0);
	assert_int_equal(stop_disk(&fake->host, false), 0);
	assert_null(strstr(fake->log, "swapoff"));
	everything_is_gone(fake);
}

static void a_server_that_is_not_named_is_left_alone(void **state)
{
	struct fake_host *fake = *state;

	fake_remove(fake, "/run/ramzswap/pid");
	assert_int_equal(stop_disk(&fake->host, true), 1);
	complained(fake,
		   "ramzswap: /run/ramzswap/pid does not name the server, which lives: nothing "
		   "was changed\n");
	assert_string_equal(fake->log, "");
	nothing_was_changed(fake);
}

static void die(struct fake_host *fake)
{
	fake_kill(fake, FAKE_SERVER);
	fake_put(fake, "/proc/net/unix", "Num RefCount\n00: 2 0 10 1 1 77 /run/ramzswap/socket2");
}

/* Its first thread has gone, and the last is at its end. */
static void a_server_that_is_just_dying_is_waited_for(void **state)
{
	struct fake_host *fake = *state;

	fake_put(fake, "/proc/101/status", "Name:\t@nbdkit\nState:\tZ (zombie)");
	fake->at_rest = die;
	assert_int_equal(stop_disk(&fake->host, false), 0);
	complained(fake, "ramzswap: warning: the server is dead");
	everything_is_gone(fake);
}

static void a_dead_server_is_buried(void **state)
{
	struct fake_host *fake = *state;

	die(fake);
	fake_meminfo(fake, 0, 0);
	assert_int_equal(stop_disk(&fake->host, false), 0);
	complained(fake, "ramzswap: warning: the server is dead and what was swapped out is lost: "
			 "programs that need it will end\n");
	/* Before swapoff, which would wait for the server. */
	assert_string_equal(
		fake->log,
		"disconnect /dev/nbd0; commit; end 102; swapoff /dev/nbd0; disconnect /dev/nbd0; "
		"lock; unlock; ");
	everything_is_gone(fake);
}

/* It keeps its name until its parent looks. */
static void a_server_that_has_ended_unseen_is_dead(void **state)
{
	struct fake_host *fake = *state;

	die(fake);
	fake_put(fake, "/proc/101/comm", "@nbdkit");
	fake_put(fake, "/proc/101/status", "Name:\t@nbdkit\nState:\tZ (zombie)");
	fake->release = "5.18.19";
	assert_int_equal(stop_disk(&fake->host, false), 1);
	complained(fake, "ramzswap: warning: the server is dead");
	assert_null(strstr(fake->log, "swapoff"));
	fake->release = "5.19";
	assert_int_equal(stop_disk(&fake->host, false), 0);
	assert_null(strstr(fake->log, "end 101"));
	said(fake, "stopped");
}

static void a_kernel_that_marks_nothing_keeps_the_swap_of_a_dead_server(void **state)
{
	static const char *const releases[] = { "4.19.0-27-amd64", "5.9.1", "5.18.19", "", "next" };
	struct fake_host *fake = *state;

	die(fake);
	for (size_t i = 0; i < sizeof(releases) / sizeof(releases[0]); i++) {
		fake->release = releases[i];
		assert_int_equal(stop_disk(&fake->host, false), 1);
		assert_null(strstr(fake->log, "swapoff"));
		assert_non_null(strstr(fake_text(fake, "/proc/swaps"), "/dev/nbd0"));
		assert_true(fake_exists(fake, "/run/ramzswap/state"));
	}
	complained(fake, "ramzswap: this kernel's swapoff would give them wrong pages instead: "
			 "restart the machine (--force does it all the same)\n");
	assert_int_equal(stop_disk(&fake->host, true), 0);
	everything_is_gone(fake);
}

static void a_device_that_somebody_else_has_taken_is_left_alone(void **state)
{
	struct fake_host *fake = *state;

	die(fake);
	fake_put(fake, "/sys/block/nbd0/pid", "4711");
	assert_int_equal(stop_disk(&fake->host, false), 0);
	assert_null(strstr(fake->log, "swapoff"));
	assert_null(strstr(fake->log, "disconnect"));
	assert_non_null(strstr(fake_text(fake, "/proc/swaps"), "/dev/nbd0"));
	assert_string_equal(fake_text(fake, "/sys/block/nbd0/queue/max_sectors_kb"), "128");
	everything_is_gone(fake);
}

static void a_device_that_stays_attached_is_warned_of(void **state)
{
	struct fake_host *fake = *state;

	fake->stays_attached = true;
	assert_int_equal(stop_disk(&fake->host, false), 0);
	complained(fake, "ramzswap: warning: /dev/nbd0 stays attached\n");
	assert_in_range(fake->now_ms, 5000, 5200);
}

static void the_other_door_goes_with_its_server(void **state)
{
	struct fake_host *fake = *state;

	fake_host_use_ublk(fake);
	assert_int_equal(stop_disk(&fake->host, false), 0);
	assert_string_equal(fake->log,
			    "commit; end 102; swapoff /dev/ublkb0; end 101; lock; unlock; ");
	everything_is_gone(fake);
}

static void a_device_that_was_taken_away_is_warned_of(void **state)
{
	struct fake_host *fake = *state;

	fake_host_use_ublk(fake);
	fake_host_lose_ublk(fake);
	assert_int_equal(stop_disk(&fake->host, false), 0);
	assert_string_equal(fake->log, "commit; end 102; end 101; lock; unlock; ");
	complained(fake,
		   "ramzswap: warning: the kernel keeps the swap area of /dev/ublkb0, which "
		   "was taken away, and cannot write there: where memory runs out nobody has a "
		   "program ended for that any more; restart the machine when it suits\n");
	everything_is_gone(fake);
}

/* Requests of a device that nobody answers for wait without end, and the machine with them. */
static void a_swapoff_that_fails_leaves_who_answers_for_a_dead_server(void **state)
{
	struct fake_host *fake = *state;

	fake_host_use_ublk(fake);
	die(fake);
	fake->bury_error = EBUSY;
	fake->swapoff_error = EINTR;
	assert_int_equal(stop_disk(&fake->host, false), 1);
	assert_non_null(strstr(fake->log, "swapoff /dev/ublkb0; "));
	assert_null(strstr(fake->log, "end 102; "));
}

static void nor_is_he_sent_away_from_one_that_lives_and_serves_no_more(void **state)
{
	struct fake_host *fake = *state;
	const struct ramzswap_stats stats = { .links_lost = 1 };
	void *made;

	fake_host_use_ublk(fake);
	fake_host_answer(fake, &made, &stats);
	fake->swapoff_error = EINTR;
	assert_int_equal(stop_disk(&fake->host, false), 1);
	complained(fake, "ramzswap: warning: the server has lost its link to the kernel and what "
			 "was swapped out is lost");
	assert_non_null(strstr(fake->log, "swapoff /dev/ublkb0; "));
	assert_null(strstr(fake->log, "end 102; "));
	fake_control_teardown(&made);
}

/* The server could not serve it any more, the guard took it away, and another disk has the number. */
static void the_device_of_another_disk_is_let_alone(void **state)
{
	struct fake_host *fake = *state;

	fake_host_use_ublk(fake);
	fake_put(fake, "/sys/block/ublkb0/diskseq", "6");
	assert_int_equal(stop_disk(&fake->host, false), 0);
	assert_string_equal(fake->log, "commit; end 102; end 101; lock; unlock; ");
	assert_non_null(strstr(fake_text(fake, "/proc/swaps"), "/dev/ublkb0"));
	everything_is_gone(fake);
}

static void nor_is_it_buried(void **state)
{
	struct fake_host *fake = *state;

	fake_host_use_ublk(fake);
	fake_put(fake, "/sys/block/ublkb0/diskseq", "6");
	die(fake);
	assert_int_equal(stop_disk(&fake->host, false), 0);
	assert_null(strstr(fake->log, "--bury"));
	assert_null(strstr(fake->log, "swapoff"));
}

static void what_a_dead_server_left_of_the_other_door_is_buried(void **state)
{
	struct fake_host *fake = *state;

	fake_host_use_ublk(fake);
	die(fake);
	fake->bury_error = EIO;
	assert_int_equal(stop_disk(&fake->host, false), 0);
	assert_non_null(strstr(fake->log, "/sbin/ramzswap-guard --bury /dev/ublkb0; "));
	complained(fake, "ramzswap: warning: /dev/ublkb0 is left behind\n");
	everything_is_gone(fake);
}

static void a_damaged_state_changes_nothing(void **state)
{
	struct fake_host *fake = *state;

	fake_put(fake, "/run/ramzswap/state", "device='/dev/nbd0");
	assert_int_equal(stop_disk(&fake->host, true), 1);
	complained(fake, "/run/ramzswap/state is damaged: nothing was changed\n");
	assert_string_equal(fake->log, "");
	nothing_was_changed(fake);
}

static void settings_that_another_disk_wants_stay(void **state)
{
	struct fake_host *fake = *state;

	fake_put(fake, "/run/ramzswap.kernel/_run_second.user", "/run/second");
	fake_put(fake, "/run/second/state", "device=/dev/nbd1");
	assert_int_equal(stop_disk(&fake->host, false), 0);
	said(fake, "ramzswap: another disk is in use: the kernel's settings stay as they are\n");
	assert_string_equal(fake_text(fake, "/proc/sys/vm/min_free_kbytes"), "16384");
	assert_true(fake_exists(fake, "/run/ramzswap.kernel/saved"));
	assert_false(fake_exists(fake, "/run/ramzswap.kernel/_run_ramzswap.user"));
}

static void settings_that_no_disk_wants_any_more_do_not(void **state)
{
	struct fake_host *fake = *state;

	/* It died without a word. */
	fake_put(fake, "/run/ramzswap.kernel/_run_second.user", "/run/second");
	assert_int_equal(stop_disk(&fake->host, false), 0);
	everything_is_gone(fake);
}

static void a_setting_that_cannot_be_restored_is_told(void **state)
{
	struct fake_host *fake = *state;

	fake_put(fake, "/run/ramzswap.kernel/saved",
		 "1 /proc/sys/vm/gone\n2 /etc/passwd\n2048 /proc/sys/vm/min_free_kbytes\n"
		 "15000 /proc/sys/vm/watermark_boost_factor");
	fake_put(fake, "/etc/passwd", "root");
	assert_int_equal(stop_disk(&fake->host, false), 0);
	complained(fake, "ramzswap: warning: cannot restore /proc/sys/vm/gone to 1\n");
	/* Nothing but settings is written. */
	assert_string_equal(fake_text(fake, "/etc/passwd"), "root");
	everything_is_gone(fake);
}

static void a_queue_that_somebody_else_has_set_stays(void **state)
{
	struct fake_host *fake = *state;

	fake_put(fake, "/sys/block/nbd0/queue/max_sectors_kb", "64");
	fake_put(fake, "/sys/block/nbd0/queue/scheduler", "mq-deadline [none] kyber");
	assert_int_equal(stop_disk(&fake->host, false), 0);
	assert_string_equal(fake_text(fake, "/sys/block/nbd0/queue/max_sectors_kb"), "64");
	/* Of several it is the one in brackets that start had set. */
	assert_string_equal(fake_text(fake, "/sys/block/nbd0/queue/scheduler"), "mq-deadline");
}

static void a_queue_that_takes_no_setting_is_told(void **state)
{
	struct fake_host *fake = *state;

	fake_put(fake, "/run/ramzswap/state",
		 "device=/dev/nbd0 attached=77 had_scheduler='' set_scheduler='none'\n"
		 "had_max_sectors_kb='256' set_max_sectors_kb=''");
	fake_remove(fake, "/sys/block/nbd0/queue/max_sectors_kb");
	assert_int_equal(stop_disk(&fake->host, false), 0);
	complained(fake, "ramzswap: warning: cannot restore max_sectors_kb of /dev/nbd0 to 256\n");
	assert_string_equal(fake_text(fake, "/sys/block/nbd0/queue/scheduler"), "none");
}

#define ON_A_HOST(test) cmocka_unit_test_setup_teardown(test, fake_host_setup, fake_host_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_case_has_its_verdict),
		cmocka_unit_test(a_server_that_the_kernel_has_lost_is_as_good_as_dead),
		ON_A_HOST(what_fits_is_stopped_in_the_order_that_loses_nothing),
		ON_A_HOST(what_does_not_fit_is_refused_after_fifteen_seconds),
		ON_A_HOST(what_just_fits_is_stopped),
		ON_A_HOST(room_that_comes_back_in_time_will_do),
		ON_A_HOST(looks_that_take_long_are_few),
		ON_A_HOST(who_does_not_want_to_wait_for_room_changes_nothing),
		ON_A_HOST(a_swapoff_that_is_interrupted_leaves_all_and_a_guard),
		ON_A_HOST(one_that_was_through_before_is_a_stop),
		ON_A_HOST(a_kernel_that_tells_nothing_is_not_believed),
		ON_A_HOST(force_asks_for_no_room),
		ON_A_HOST(a_swapoff_that_fails_leaves_all_and_a_guard),
		ON_A_HOST(one_without_a_guard_gets_none),
		ON_A_HOST(a_guard_that_does_not_end_is_warned_of),
		ON_A_HOST(somebody_else_at_swapoff_is_as_good),
		ON_A_HOST(swap_that_is_off_already_takes_no_swapoff),
		ON_A_HOST(a_server_that_is_not_named_is_left_alone),
		ON_A_HOST(a_server_that_is_just_dying_is_waited_for),
		ON_A_HOST(a_dead_server_is_buried),
		ON_A_HOST(a_server_that_has_ended_unseen_is_dead),
		ON_A_HOST(a_kernel_that_marks_nothing_keeps_the_swap_of_a_dead_server),
		ON_A_HOST(a_device_that_somebody_else_has_taken_is_left_alone),
		ON_A_HOST(a_device_that_stays_attached_is_warned_of),
		ON_A_HOST(the_other_door_goes_with_its_server),
		ON_A_HOST(a_device_that_was_taken_away_is_warned_of),
		ON_A_HOST(a_swapoff_that_fails_leaves_who_answers_for_a_dead_server),
		ON_A_HOST(nor_is_he_sent_away_from_one_that_lives_and_serves_no_more),
		ON_A_HOST(the_device_of_another_disk_is_let_alone),
		ON_A_HOST(nor_is_it_buried),
		ON_A_HOST(what_a_dead_server_left_of_the_other_door_is_buried),
		ON_A_HOST(a_damaged_state_changes_nothing),
		ON_A_HOST(settings_that_another_disk_wants_stay),
		ON_A_HOST(settings_that_no_disk_wants_any_more_do_not),
		ON_A_HOST(a_setting_that_cannot_be_restored_is_told),
		ON_A_HOST(a_queue_that_somebody_else_has_set_stays),
		ON_A_HOST(a_queue_that_takes_no_setting_is_told),
	};

	return cmocka_run_group_tests_name("tools stop", tests, NULL, NULL);
}
