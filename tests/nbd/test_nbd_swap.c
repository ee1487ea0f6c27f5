/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a server makes of the swap of its machine: through other devices it is swap all the same,
 * and a kernel that has lost its link is said.
 *
 * What swap is on, and on what it lies, is told by files in the places of /proc/swaps,
 * /sys/class/block and /sys/block, in a mount namespace of this test's own.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "own_files.h"
#include "server.h"

#define HEADING "Filename\tType\tSize\tUsed\tPriority\n"

static const char swap_is_off[] = HEADING;
static const char on_our_device[] = HEADING "/dev/nbd0\tpartition\t65532\t0\t-2\n";
static const char on_a_mapping[] = HEADING "/dev/dm-9\tpartition\t65532\t0\t-2\n";
static const char on_a_disk[] = HEADING "/dev/sdz\tpartition\t65532\t0\t-2\n";

static char swaps[OWN_PATH_MAX], block[OWN_PATH_MAX];

static void a_server_does_not_end_while_what_lies_on_it_is_swap(void **state)
{
	const char *const params[] = { "size=64M", "swap=auto", NULL };
	struct server server;
	struct nbd_handle *nbd;

	say(swaps, on_a_mapping);
	server_start(&server, params);
	nbd = server_connect(&server);
	assert_int_equal(kill(server.pid, SIGTERM), 0);
	assert_true(server_comes_to_log(&server, "asked to quit"));
	assert_int_equal(waitpid(server.pid, NULL, WNOHANG), 0);
	say(swaps, swap_is_off);
	/* nbdkit waits for the last client to go. */
	server_disconnect(nbd);
	server_must_end(&server);
}

static void it_ends_where_swap_lies_on_other_disks(void **state)
{
	const char *const params[] = { "size=64M", "swap=auto", NULL };
	struct server server;
	struct nbd_handle *nbd;

	say(swaps, on_a_disk);
	server_start(&server, params);
	nbd = server_connect(&server);
	assert_int_equal(kill(server.pid, SIGTERM), 0);
	pause_ms(1500);
	assert_false(server_logged(&server, "asked to quit"));
	server_disconnect(nbd);
	server_must_end(&server);
}

static void a_link_that_is_lost_while_swap_is_on_is_said(void **state)
{
	const char *const params[] = { "size=64M", "swap=auto", NULL };
	struct server server;
	struct nbd_handle *nbd;

	say(swaps, on_our_device);
	server_start(&server, params);
	nbd = server_connect(&server);
	/* Longer than the server takes to look. */
	pause_ms(1500);
	server_disconnect(nbd);
	assert_true(server_comes_to_log(&server, "/dev/nbd0 is connected to this server no more"));
	server_stop(&server);
}

static void a_link_that_is_let_go_after_swapoff_is_not(void **state)
{
	const char *const params[] = { "size=64M", "swap=auto", NULL };
	struct server server;
	struct nbd_handle *nbd;

	say(swaps, on_our_device);
	server_start(&server, params);
	nbd = server_connect(&server);
	pause_ms(1500);
	say(swaps, swap_is_off);
	server_disconnect(nbd);
	pause_ms(2500);
	assert_false(server_logged(&server, "no more"));
	server_stop(&server);
}

static void make(const char *path, const char *text)
{
	char whole[256], *slash;

	snprintf(whole, sizeof(whole), "%s/%s", block, path);
	for (slash = whole + strlen(block) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(whole, 0755);
		*slash = '/';
	}
	say(whole, text);
}

/* A disk that is ours, a mapping that is made of it, and another disk. */
static void make_devices(void)
{
	char target[128], link[128];

	make("nbd0/pid", "1\n");
	make("nbd0/size", "131072\n");
	make("sdz/size", "131072\n");
	make("dm-9/slaves/.keep", "");
	snprintf(target, sizeof(target), "%s/nbd0", block);
	snprintf(link, sizeof(link), "%s/dm-9/slaves/nbd0", block);
	if (symlink(target, link) != 0)
		cannot("a link");
}

static void put_files_in_place(void)
{
	own_files_begin();
	own_path(swaps, "swaps");
	own_path(block, "block");
	if (mkdir(block, 0755) != 0)
		cannot("a directory");
	make_devices();
	say(swaps, swap_is_off);
	own_files_put(swaps, "/proc/swaps");
	own_files_put(block, "/sys/class/block");
	own_files_put(block, "/sys/block");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_does_not_end_while_what_lies_on_it_is_swap),
		cmocka_unit_test(it_ends_where_swap_lies_on_other_disks),
		cmocka_unit_test(a_link_that_is_lost_while_swap_is_on_is_said),
		cmocka_unit_test(a_link_that_is_let_go_after_swapoff_is_not),
	};
	int failed;

	put_files_in_place();
	failed = cmocka_run_group_tests_name("nbd swap", tests, NULL, NULL);
	own_files_end();
	return failed;
}
