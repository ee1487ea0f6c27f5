/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What status shows, and what it says and returns where something is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_control.h"
#include "fake_host.h"
#include "tools/ramzswap/status.h"

static void said(const char *text, const char *in)
{
	if (!strstr(in, text))
		fail_msg("'%s' is missing in: %s", text, in);
}

static void all_that_is_in_force_is_shown(void **state)
{
	struct fake_host *fake = *state;

	assert_int_equal(status_show_all(&fake->host), 0);
	assert_string_equal(
		fake_said(fake),
		"ramzswap: swap on /dev/nbd0: 255 MB, 128 MB used, priority 100\n"
		"ramzswap: door: nbd (unless asked for another)\n"
		"ramzswap: guard: process 102, takes 10 MB of the area, for which the pool has no "
		"room\n"
		"ramzswap: server: process 101, resident 30000 kB, locked yes, OOM score -1000\n"
		"ramzswap: kernel: vm.min_free_kbytes 16384, vm.watermark_boost_factor 0, "
		"vm.page-cluster 3\n"
		"ramzswap: queue: requests of up to 128 kB, scheduler none\n");
	assert_string_equal(fake_complained(fake), "");
}

static void memory_that_is_not_locked_is_told(void **state)
{
	struct fake_host *fake = *state;

	fake_put(fake, "/proc/101/status", "VmLck: 0 kB\nVmRSS: 30000 kB");
	assert_int_equal(status_show(&fake->host), 0);
	said("locked no", fake_said(fake));
}

static void no_disk_is_not_running(void **state)
{
	struct fake_host *fake = *state;

	fake_remove(fake, "/run/ramzswap");
	assert_int_equal(status_show_all(&fake->host), 3);
	assert_string_equal(fake_complained(fake), "ramzswap: not running\n");
}

static void a_damaged_state_is_told(void **state)
{
	struct fake_host *fake = *state;

	fake_put(fake, "/run/ramzswap/state", "device=");
	assert_int_equal(status_show_all(&fake->host), 1);
	assert_string_equal(fake_complained(fake), "ramzswap: /run/ramzswap/state is damaged\n");
}

static void swap_that_is_off_is_warned_of(void **state)
{
	struct fake_host *fake = *state;

	fake_swaps(fake, 0, 0);
	assert_int_equal(status_show_all(&fake->host), 0);
	said("ramzswap: warning: the kernel does not swap to /dev/nbd0: ", fake_complained(fake));
}

static void a_guard_that_has_ended_is_warned_of(void **state)
{
	struct fake_host *fake = *state;

	fake_kill(fake, FAKE_GUARD);
	assert_int_equal(status_show_all(&fake->host), 0);
	said("ramzswap: warning: the guard has ended: a full pool or a dead server stops the "
	     "machine. 'ramzswap stop' and 'start' bring it back\n",
	     fake_complained(fake));
}

static void a_disk_without_a_guard_is_not(void **state)
{
	struct fake_host *fake = *state;

	fake_put(fake, "/run/ramzswap/state", "device=/dev/nbd0 attached=77");
	fake_remove(fake, "/run/ramzswap/guard");
	assert_int_equal(status_show_all(&fake->host), 0);
	assert_string_equal(fake_complained(fake), "");
}

static void a_dead_server_is_told(void **state)
{
	struct fake_host *fake = *state;

	fake_kill(fake, FAKE_SERVER);
	assert_int_equal(status_show_all(&fake->host), 1);
	said("ramzswap: the server of /dev/nbd0 is dead, and what was swapped out is lost: "
	     "'ramzswap "
	     "stop' takes it down\n",
	     fake_complained(fake));
	/* What is there is shown all the same. */
	said("ramzswap: swap on /dev/nbd0", fake_said(fake));
}

/* As when it is being started: nothing was lost. */
static void a_server_that_does_not_run_has_lost_nothing_where_swap_is_off(void **state)
{
	struct fake_host *fake = *state;

	fake_put(fake, "/proc/swaps", "Filename Type Size Used Priority\n");
	fake_kill(fake, FAKE_SERVER);
	assert_int_equal(status_show(&fake->host), 1);
	said("ramzswap: the server of /dev/nbd0 is dead, or is being started: 'ramzswap "
	     "stop' takes down what is left of it\n",
	     fake_complained(fake));
}

static void a_link_that_is_cut_is_told(void **state)
{
	struct fake_host *fake = *state;

	fake_remove(fake, "/sys/block/nbd0/pid");
	assert_int_equal(status_show_all(&fake->host), 1);
	said("ramzswap: /dev/nbd0 is attached to its server no more: somebody disconnected it, or "
	     "a "
	     "time limit did, and what was swapped out is lost. 'ramzswap stop' takes it down\n",
	     fake_complained(fake));
	fake_put(fake, "/sys/block/nbd0/pid", "4711");
	assert_int_equal(status_show(&fake->host), 1);
}

static void the_other_door_has_no_link(void **state)
{
	struct fake_host *fake = *state;

	fake_host_use_ublk(fake);
	assert_int_equal(status_show(&fake->host), 0);
	said("ramzswap: door: ublk (asked for)\n", fake_said(fake));
}

static void a_device_that_was_taken_away_is_told(void **state)
{
	struct fake_host *fake = *state;

	fake_host_use_ublk(fake);
	fake_host_lose_ublk(fake);
	assert_int_equal(status_show_all(&fake->host), 1);
	assert_string_equal(
		fake_complained(fake),
		"ramzswap: /dev/ublkb0 was taken away while the kernel swapped there: what was "
		"swapped out is lost, and the kernel cannot let go of the area. 'ramzswap stop' "
		"gives the server's memory back; restart the machine when it suits\n");
}

static void one_that_nobody_swapped_to_is_told_otherwise(void **state)
{
	struct fake_host *fake = *state;

	fake_host_use_ublk(fake);
	fake_remove(fake, "/sys/block/ublkb0");
	fake_swaps(fake, 0, 0);
	assert_int_equal(status_show(&fake->host), 1);
	assert_string_equal(fake_complained(fake),
			    "ramzswap: /dev/ublkb0 was taken away: 'ramzswap stop' and 'start' "
			    "bring it back\n");
}

/* As long as swap is on /sys has the device as attached. */
static void a_server_that_has_lost_its_client_is_told(void **state)
{
	struct fake_host *fake = *state;
	struct ramzswap_stats stats = { .connections = 1 };
	void *made;

	fake_host_answer(fake, &made, &stats);
	assert_int_equal(status_show(&fake->host), 0);
	stats.connections = 0;
	fake_control_set_stats(made, &stats);
	assert_int_equal(status_show(&fake->host), 1);
	said("ramzswap: /dev/nbd0 is attached to its server no more", fake_complained(fake));
	fake_control_teardown(&made);
}

static void one_whose_number_another_disk_has_is_told(void **state)
{
	struct fake_host *fake = *state;

	fake_host_use_ublk(fake);
	fake_put(fake, "/sys/block/ublkb0/diskseq", "6");
	assert_int_equal(status_show(&fake->host), 1);
	assert_string_equal(fake_complained(fake),
			    "ramzswap: /dev/ublkb0 was taken away: 'ramzswap stop' and 'start' "
			    "bring it back\n");
}

static void a_ublk_device_that_is_served_no_more_is_told(void **state)
{
	struct fake_host *fake = *state;
	struct ramzswap_stats stats = { 0 };
	void *made;

	fake_host_use_ublk(fake);
	fake_host_answer(fake, &made, &stats);
	assert_int_equal(status_show(&fake->host), 0);
	stats.links_lost = 1;
	fake_control_set_stats(made, &stats);
	assert_int_equal(status_show(&fake->host), 1);
	said("ramzswap: /dev/ublkb0 is served no more: its server's log says why, and what was "
	     "swapped out is lost. 'ramzswap stop' takes it down\n",
	     fake_complained(fake));
	fake_control_teardown(&made);
}

static void a_server_tells_its_statistics(void **state)
{
	struct fake_host *fake = *state;
	struct ramzswap_stats stats = {
		.disksize = 64 << 20,
		.pages_stored = 1280,
		.mem_used_total = 2 << 20,
		.locked = 1,
		.connections = 1,
	};
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct fake_control *control;
	char path[64];
	void *made;

	assert_int_equal(fake_control_setup(&made), 0);
	control = made;
	fake_control_set_stats(control, &stats);
	fake_put(fake, "/run/ramzswap/state", "device=/dev/nbd0 attached=77 control_socket='%s'",
		 "/run/ramzswap/control");
	snprintf(path, sizeof(path), "%s/run/ramzswap/control", fake->root);
	assert_int_equal(symlink(control->path, path), 0);
	assert_int_equal(status_show(&fake->host), 0);
	assert_null(strstr(fake_said(fake), "stored in"));
	assert_int_equal(status_show_all(&fake->host), 0);
	said("\n5.0 MiB stored in 2.0 MiB of memory: 3.0 MiB won, 2.50 to 1\n", fake_said(fake));
	said("\n  safe    locked, guard: in force; missing: IO flusher", fake_said(fake));
	fake_control_teardown(&made);
	/* A socket is left, and nobody there. */
	assert_int_equal(unlink(path), 0);
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(status_show_all(&fake->host), 1);
	said("ramzswap: no statistics from /run/ramzswap/control: ", fake_complained(fake));
}

#define ON_A_HOST(test) cmocka_unit_test_setup_teardown(test, fake_host_setup, fake_host_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_HOST(all_that_is_in_force_is_shown),
		ON_A_HOST(memory_that_is_not_locked_is_told),
		ON_A_HOST(no_disk_is_not_running),
		ON_A_HOST(a_damaged_state_is_told),
		ON_A_HOST(swap_that_is_off_is_warned_of),
		ON_A_HOST(a_guard_that_has_ended_is_warned_of),
		ON_A_HOST(a_disk_without_a_guard_is_not),
		ON_A_HOST(a_dead_server_is_told),
		ON_A_HOST(a_server_that_does_not_run_has_lost_nothing_where_swap_is_off),
		ON_A_HOST(a_link_that_is_cut_is_told),
		ON_A_HOST(the_other_door_has_no_link),
		ON_A_HOST(a_device_that_was_taken_away_is_told),
		ON_A_HOST(one_that_nobody_swapped_to_is_told_otherwise),
		ON_A_HOST(a_server_that_has_lost_its_client_is_told),
		ON_A_HOST(a_ublk_device_that_is_served_no_more_is_told),
		ON_A_HOST(one_whose_number_another_disk_has_is_told),
		ON_A_HOST(a_server_tells_its_statistics),
	};

	return cmocka_run_group_tests_name("tools status", tests, NULL, NULL);
}
