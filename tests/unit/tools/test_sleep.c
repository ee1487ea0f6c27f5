/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done before the machine sleeps and after, and when it is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fake_host.h"
#include "tools/ramzswap/sleep.h"
#include "tools/ramzswap/status.h"

#define MOUNT "/sys/fs/cgroup"

static void said(const char *text, const char *in)
{
	if (!strstr(in, text))
		fail_msg("'%s' is missing in: %s", text, in);
}

/* Another area for the image, with so many kilobytes free. */
static void put_another_area(struct fake_host *fake, unsigned long room)
{
	fake_put(fake, "/proc/swaps",
		 "Filename Type Size Used Priority\n/dev/nbd0 partition 262140 131072 100\n"
		 "/dev/sda2 partition %lu 0 -2",
		 room);
}

static void nothing_was_changed(struct fake_host *fake)
{
	said("Nothing was changed, swap goes on\n", fake_complained(fake));
	/* But for who waits for room, and is to say so when interrupted. */
	assert_true(!*fake->log || strcmp(fake->log, "commit; ") == 0);
	assert_false(fake_exists(fake, "/run/ramzswap/swap-off"));
	assert_false(fake_exists(fake, "/run/ramzswap/asleep"));
}

static void swap_is_taken_off_for_hibernation_and_comes_back(void **state)
{
	struct fake_host *fake = *state;

	put_another_area(fake, 500000);
	assert_int_equal(sleep_before_hibernation(&fake->host, false), 0);
	assert_string_equal(fake->log, "commit; end 102; swapoff /dev/nbd0; ");
	said("ramzswap: swap on /dev/nbd0 is off for hibernation: 'ramzswap wake' brings it back\n",
	     fake_said(fake));
	/* The server goes on, attached. */
	assert_true(fake_exists(fake, "/proc/101"));
	assert_int_equal(status_show(&fake->host), 0);
	said("is off for hibernation", fake_complained(fake));
	assert_null(strstr(fake_complained(fake), "guard has ended"));

	fake->log[0] = '\0';
	assert_int_equal(sleep_wake(&fake->host), 0);
	said("swapon /dev/nbd0 100; /sbin/ramzswap-guard /dev/nbd0 /run/ramzswap/control 101",
	     fake->log);
	said("ramzswap: the kernel swaps to /dev/nbd0 again\n", fake_said(fake));
	assert_false(fake_exists(fake, "/run/ramzswap/swap-off"));
	/* Once. */
	fake->log[0] = '\0';
	assert_int_equal(sleep_wake(&fake->host), 0);
	assert_string_equal(fake->log, "");
}

static void hibernation_without_room_is_refused_with_what_is_missing(void **state)
{
	struct fake_host *fake = *state;

	put_another_area(fake, 1024);
	/* 131072 - 10240 kB are swapped out. */
	fake_meminfo(fake, 98 << 10, 0);
	assert_int_equal(sleep_before_hibernation(&fake->host, false), 1);
	said("ramzswap: hibernation needs swap taken off: 118 MB are swapped out and only 99 MB of "
	     "memory and other swap are available, 19 MB are missing: end some programs first.",
	     fake_complained(fake));
	nothing_was_changed(fake);
}

static void hibernation_without_another_area_is_refused(void **state)
{
	struct fake_host *fake = *state;

	assert_int_equal(sleep_before_hibernation(&fake->host, false), 1);
	said("hibernation needs another swap area", fake_complained(fake));
	nothing_was_changed(fake);
}

static void what_is_gone_without_power_keeps_no_image(void **state)
{
	struct fake_host *fake = *state;

	fake_put(fake, "/proc/swaps",
		 "Filename Type Size Used Priority\n/dev/nbd0 partition 262140 131072 100\n"
		 "/dev/zram0 partition 500000 0 5\n/dev/nbd1 partition 500000 0 5");
	assert_int_equal(sleep_before_hibernation(&fake->host, false), 1);
	said("hibernation needs another swap area", fake_complained(fake));
	nothing_was_changed(fake);
}

/* Its server would be stopped, and the kernel wait for it; ours is as the line says. */
static void another_server_refuses(struct fake_host *fake, const char *ours)
{
	char swaps[256];

	snprintf(swaps, sizeof(swaps),
		 "Filename Type Size Used Priority\n%s"
		 "/dev/nbd1 partition 500000 0 5\n/swap file 500000 0 -2",
		 ours);
	fake_put(fake, "/proc/swaps", "%s", swaps);
	assert_int_equal(sleep_before_hibernation(&fake->host, false), 1);
	said("another nbd or ublk device, too, whose server would be stopped: take that off first",
	     fake_complained(fake));
	nothing_was_changed(fake);
}

/* Another disk of ours is asked next. */
static void swap_on_another_server_refuses_hibernation(void **state)
{
	struct fake_host *fake = *state;

	another_server_refuses(fake, "/dev/nbd0 partition 262140 131072 100\n");
	assert_int_equal(sleep_before_hibernation(&fake->host, true), 0);
	said("swapoff /dev/nbd0", fake->log);
}

/* Ours may be off, and another disk of ours have been the first that was asked. */
static void swap_on_another_server_refuses_it_where_ours_is_off(void **state)
{
	struct fake_host *fake = *state;

	another_server_refuses(fake, "");
	assert_int_equal(sleep_before_hibernation(&fake->host, true), 0);
	said("nothing to do", fake_said(fake));
}

static void our_disk_is_never_the_images_place(void **state)
{
	struct fake_host *fake = *state;

	put_another_area(fake, 500000);
	fake_put(fake, "/sys/block/nbd0/dev", "43:0");
	fake_put(fake, "/sys/power/resume", "43:0");
	assert_int_equal(sleep_before_hibernation(&fake->host, false), 1);
	said("cannot be kept in the disk itself", fake_complained(fake));
	nothing_was_changed(fake);
	fake_put(fake, "/sys/power/resume", "8:2");
	assert_int_equal(sleep_before_hibernation(&fake->host, false), 0);
}

static void a_swapoff_that_fails_refuses_hibernation(void **state)
{
	struct fake_host *fake = *state;

	put_another_area(fake, 500000);
	fake->swapoff_error = ENOMEM;
	assert_int_equal(sleep_before_hibernation(&fake->host, false), 1);
	said("Cannot allocate memory; the disk stays attached and swap goes on",
	     fake_complained(fake));
	said("/sbin/ramzswap-guard /dev/nbd0", fake->log);
	assert_false(fake_exists(fake, "/run/ramzswap/swap-off"));
}

static void a_swapon_that_fails_says_what_to_do(void **state)
{
	struct fake_host *fake = *state;

	put_another_area(fake, 500000);
	assert_int_equal(sleep_before_hibernation(&fake->host, false), 0);
	fake->swapon_error = EINVAL;
	assert_int_equal(sleep_wake(&fake->host), 1);
	said("ramzswap: swapon of /dev/nbd0: Invalid argument: 'ramzswap stop' and 'start' bring "
	     "it back\n",
	     fake_complained(fake));
	assert_true(fake_exists(fake, "/run/ramzswap/swap-off"));
}

static void without_swap_nothing_is_to_be_done(void **state)
{
	struct fake_host *fake = *state;

	fake_swaps(fake, 0, 0);
	assert_int_equal(sleep_before_hibernation(&fake->host, false), 0);
	assert_int_equal(sleep_before_suspend(&fake->host), 0);
	fake_remove(fake, "/run/ramzswap/state");
	assert_int_equal(sleep_before_hibernation(&fake->host, false), 0);
	assert_int_equal(sleep_wake(&fake->host), 0);
	said("no disk is in use: nothing to do\n", fake_said(fake));
	assert_string_equal(fake->log, "");
}

static void a_dead_server_is_for_stop(void **state)
{
	struct fake_host *fake = *state;

	fake_kill(fake, FAKE_SERVER);
	assert_int_equal(sleep_before_hibernation(&fake->host, false), 1);
	assert_int_equal(sleep_before_suspend(&fake->host), 1);
	said("ramzswap: the server of /dev/nbd0 is dead: 'ramzswap stop' first\n",
	     fake_complained(fake));
	assert_string_equal(fake->log, "");
}

/* A process of some name, in groups as /proc tells them. */
static void put_process(struct fake_host *fake, int number, int parent, const char *name,
			const char *groups)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", number);
	fake_put(fake, path, "%s", name);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", number);
	fake_put(fake, path, "%s", groups);
	snprintf(path, sizeof(path), "/proc/%d/status", number);
	fake_put(fake, path, "Name: %s\nPPid: %d\nVmSize: 4096 kB", name, parent);
}

/* Of version 2: the group can be frozen, and says at once that it is. */
static void put_group(struct fake_host *fake, const char *group)
{
	char path[256];

	snprintf(path, sizeof(path), MOUNT "%s/cgroup.procs", group);
	fake_put(fake, path, "%s", "");
	snprintf(path, sizeof(path), MOUNT "%s/cgroup.freeze", group);
	fake_put(fake, path, "0");
	snprintf(path, sizeof(path), MOUNT "%s/cgroup.events", group);
	fake_put(fake, path, "populated 1\nfrozen 1");
}

static const char *frozen(struct fake_host *fake, const char *group)
{
	char path[256];

	snprintf(path, sizeof(path), MOUNT "%s/cgroup.freeze", group);
	return fake_text(fake, path);
}

static void put_groups(struct fake_host *fake)
{
	fake_put(fake, MOUNT "/cgroup.procs", "%s", "");
	put_group(fake, "/ramzswap-asleep");
	put_group(fake, "/init.scope");
	put_group(fake, "/system.slice");
	put_group(fake, "/system.slice/ramzswap.service");
	put_group(fake, "/system.slice/sleep.service");
	put_group(fake, "/system.slice/dbus.service");
	put_group(fake, "/system.slice/db.service");
	put_group(fake, "/user.slice");
	put_group(fake, "/user.slice/held");
	put_process(fake, 1, 0, "systemd", "0::/init.scope");
	put_process(fake, FAKE_SERVER, 1, "nbdkit", "0::/system.slice/ramzswap.service");
	put_process(fake, FAKE_GUARD, 1, "ramzswap-guard", "0::/system.slice/ramzswap.service");
	put_process(fake, 90, 1, "sh", "0::/system.slice/sleep.service");
	put_process(fake, FAKE_SELF, 90, "ramzswap-ctl", "0::/system.slice/sleep.service");
	put_process(fake, 91, 1, "dbus-daemon", "0::/system.slice/dbus.service");
	put_process(fake, 92, 1, "mysqld", "0::/system.slice/db.service");
	put_process(fake, 93, 1, "bash", "0::/user.slice/a");
}

static void programs_are_stopped_but_not_who_serves(void **state)
{
	struct fake_host *fake = *state;

	put_groups(fake);
	assert_int_equal(sleep_before_suspend(&fake->host), 0);
	assert_string_equal(frozen(fake, "/user.slice"), "1");
	assert_string_equal(frozen(fake, "/system.slice/db.service"), "1");
	assert_string_equal(frozen(fake, "/ramzswap-asleep"), "1");
	assert_string_equal(frozen(fake, "/system.slice"), "0");
	assert_string_equal(frozen(fake, "/system.slice/ramzswap.service"), "0");
	assert_string_equal(frozen(fake, "/system.slice/sleep.service"), "0");
	assert_string_equal(frozen(fake, "/system.slice/dbus.service"), "0");
	assert_string_equal(frozen(fake, "/init.scope"), "0");
	assert_string_equal(fake->log, "commit; /sbin/ramzswap-ctl wake --later; hold 102; ");
	said("programs are stopped for suspend", fake_said(fake));
	assert_string_equal(fake_complained(fake), "");

	fake_put(fake, "/run/ramzswap/waker", "104");
	put_process(fake, 104, 1, "ramzswap-ctl", "0::/system.slice/sleep.service");
	assert_int_equal(sleep_wake(&fake->host), 0);
	assert_string_equal(frozen(fake, "/user.slice"), "0");
	assert_string_equal(frozen(fake, "/system.slice/db.service"), "0");
	assert_false(fake_exists(fake, "/run/ramzswap/asleep"));
	assert_false(fake_exists(fake, "/run/ramzswap/waker"));
	said("release 102; end 104; ", fake->log);
}

static void what_was_frozen_before_stays_so(void **state)
{
	struct fake_host *fake = *state;

	put_groups(fake);
	fake_put(fake, MOUNT "/system.slice/db.service/cgroup.freeze", "1");
	assert_int_equal(sleep_before_suspend(&fake->host), 0);
	assert_int_equal(sleep_wake(&fake->host), 0);
	assert_string_equal(frozen(fake, "/system.slice/db.service"), "1");
	assert_string_equal(frozen(fake, "/user.slice"), "0");
}

static void members_of_the_root_are_moved(void **state)
{
	struct fake_host *fake = *state;

	put_groups(fake);
	put_process(fake, 95, 1, "hog", "0::/");
	assert_int_equal(sleep_before_suspend(&fake->host), 0);
	assert_string_equal(fake_text(fake, MOUNT "/ramzswap-asleep/cgroup.procs"), "95");
	assert_int_equal(sleep_wake(&fake->host), 0);
	assert_string_equal(fake_text(fake, MOUNT "/cgroup.procs"), "95");
}

static void kernel_threads_are_not(void **state)
{
	struct fake_host *fake = *state;

	put_groups(fake);
	put_process(fake, 95, 2, "kswapd0", "0::/");
	fake_put(fake, "/proc/95/status", "Name: kswapd0\nPPid: 2");
	assert_int_equal(sleep_before_suspend(&fake->host), 0);
	assert_string_equal(fake_text(fake, MOUNT "/ramzswap-asleep/cgroup.procs"), "");
}

static void one_that_does_not_stop_is_warned_of(void **state)
{
	struct fake_host *fake = *state;

	put_groups(fake);
	fake_put(fake, MOUNT "/user.slice/cgroup.events", "populated 1\nfrozen 0");
	assert_int_equal(sleep_before_suspend(&fake->host), 0);
	said("ramzswap: warning: not all programs have stopped within ten seconds: the kernel may "
	     "refuse to suspend\n",
	     fake_complained(fake));
	assert_in_range(fake->now_ms, 10000, 10700);
}

static void write_out(struct fake_host *fake)
{
	fake_put(fake, "/proc/meminfo", "MemTotal: 524288 kB\nWriteback: %d kB",
		 fake->now_ms < 2000 ? 4 : 0);
}

static void what_is_being_swapped_out_is_waited_for(void **state)
{
	struct fake_host *fake = *state;

	put_groups(fake);
	fake->at_rest = write_out;
	write_out(fake);
	assert_int_equal(sleep_before_suspend(&fake->host), 0);
	assert_in_range(fake->now_ms, 2300, 2600);
	assert_string_equal(fake_complained(fake), "");
}

static void twice_is_refused(void **state)
{
	struct fake_host *fake = *state;

	put_groups(fake);
	assert_int_equal(sleep_before_suspend(&fake->host), 0);
	assert_int_equal(sleep_before_suspend(&fake->host), 1);
	said("programs are stopped already: 'ramzswap wake' first", fake_complained(fake));
	assert_int_equal(sleep_wake(&fake->host), 0);
	assert_string_equal(frozen(fake, "/user.slice"), "0");
}

static void no_freezer_is_told(void **state)
{
	struct fake_host *fake = *state;

	assert_int_equal(sleep_before_suspend(&fake->host), 1);
	said("ramzswap: programs cannot be stopped: this kernel or its mounts have no cgroup "
	     "freezer\n",
	     fake_complained(fake));
	assert_false(fake_exists(fake, "/run/ramzswap/asleep"));
}

static void version_one_has_a_freezer_too(void **state)
{
	struct fake_host *fake = *state;

	fake_put(fake, MOUNT "/freezer/cgroup.procs", "%s", "");
	fake_put(fake, MOUNT "/freezer/ramzswap-asleep/freezer.state", "THAWED");
	fake_put(fake, MOUNT "/freezer/ramzswap-asleep/cgroup.procs", "%s", "");
	fake_put(fake, MOUNT "/freezer/box/freezer.state", "THAWED");
	put_process(fake, 1, 0, "init", "5:freezer:/\n1:name=systemd:/init.scope");
	put_process(fake, FAKE_SERVER, 1, "nbdkit", "5:freezer:/\n1:name=systemd:/x");
	put_process(fake, FAKE_SELF, 1, "ramzswap-ctl", "5:freezer:/");
	put_process(fake, 95, 1, "hog", "9:cpu,cpuacct:/a\n5:devices,freezer:/");
	assert_int_equal(sleep_before_suspend(&fake->host), 0);
	assert_string_equal(fake_text(fake, MOUNT "/freezer/box/freezer.state"), "FROZEN");
	assert_string_equal(fake_text(fake, MOUNT "/freezer/ramzswap-asleep/freezer.state"),
			    "FROZEN");
	assert_string_equal(fake_text(fake, MOUNT "/freezer/ramzswap-asleep/cgroup.procs"), "95");
	assert_int_equal(sleep_wake(&fake->host), 0);
	assert_string_equal(fake_text(fake, MOUNT "/freezer/box/freezer.state"), "THAWED");
	assert_string_equal(fake_text(fake, MOUNT "/freezer/cgroup.procs"), "95");
}

#define ON_A_HOST(test) cmocka_unit_test_setup_teardown(test, fake_host_setup, fake_host_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_HOST(swap_is_taken_off_for_hibernation_and_comes_back),
		ON_A_HOST(hibernation_without_room_is_refused_with_what_is_missing),
		ON_A_HOST(hibernation_without_another_area_is_refused),
		ON_A_HOST(what_is_gone_without_power_keeps_no_image),
		ON_A_HOST(swap_on_another_server_refuses_hibernation),
		ON_A_HOST(swap_on_another_server_refuses_it_where_ours_is_off),
		ON_A_HOST(our_disk_is_never_the_images_place),
		ON_A_HOST(a_swapoff_that_fails_refuses_hibernation),
		ON_A_HOST(a_swapon_that_fails_says_what_to_do),
		ON_A_HOST(without_swap_nothing_is_to_be_done),
		ON_A_HOST(a_dead_server_is_for_stop),
		ON_A_HOST(programs_are_stopped_but_not_who_serves),
		ON_A_HOST(what_was_frozen_before_stays_so),
		ON_A_HOST(members_of_the_root_are_moved),
		ON_A_HOST(kernel_threads_are_not),
		ON_A_HOST(one_that_does_not_stop_is_warned_of),
		ON_A_HOST(what_is_being_swapped_out_is_waited_for),
		ON_A_HOST(twice_is_refused),
		ON_A_HOST(no_freezer_is_told),
		ON_A_HOST(version_one_has_a_freezer_too),
	};

	return cmocka_run_group_tests_name("tools sleep", tests, NULL, NULL);
}
