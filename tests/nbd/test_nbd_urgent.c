/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbdkit started by hand, without what ramzswap(8) preloads, replies as a task of a real-time
 * class where this machine swaps to an nbd device and memory is short (allocator/urgent.h);
 * and it is not to be ended there while a client is connected.
 *
 * What is free is told by short_memory.c (RAMZSWAP_SHORT_MEMORY names it), what swap is on by a
 * file in the place of /proc/swaps, in a mount namespace of this test's own.
 */
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "own_files.h"
#include "server.h"

#define PATIENCE_SECONDS 60
#define PAGE 4096

static const char swap_is_on[] = "Filename\tType\tSize\tUsed\tPriority\n"
				 "/dev/nbd0\tpartition\t65532\t0\t-2\n";
static const char swap_is_off[] = "Filename\tType\tSize\tUsed\tPriority\n";

static char swaps[OWN_PATH_MAX], free_megabytes[OWN_PATH_MAX];

/* How many threads of a process are of the class that a reply is sent in. */
static int urgent_threads(pid_t pid)
{
	char path[64];
	struct dirent *entry;
	DIR *tasks;
	int count = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	assert_non_null(tasks);
	while ((entry = readdir(tasks)))
		count += entry->d_name[0] != '.' &&
			 sched_getscheduler(atoi(entry->d_name)) == SCHED_RR;
	closedir(tasks);
	return count;
}

/* Writes a page until so many threads are urgent after a reply. */
static void urgent_after_a_reply(const struct server *server, struct nbd_handle *nbd, int threads)
{
	static const char page[PAGE] = "page";
	int seen = -1;

	for (int i = 0; i < PATIENCE_SECONDS * 20 && seen != threads; i++) {
		nbd_ok(nbd_pwrite(nbd, page, PAGE, 0, 0));
		/* The reply may be here before the thread that sent it goes on. */
		pause_ms(50);
		seen = urgent_threads(server->pid);
	}
	assert_int_equal(seen, threads);
}

static void a_reply_is_urgent_where_the_machine_swaps_and_memory_is_short(void **state)
{
	const char *const params[] = { "size=64M", "swap=auto", NULL };
	struct server server;
	struct nbd_handle *nbd;

	say(swaps, swap_is_off);
	say(free_megabytes, "20");
	server_start(&server, params);
	nbd = server_connect(&server);
	urgent_after_a_reply(&server, nbd, 0);
	say(swaps, swap_is_on);
	urgent_after_a_reply(&server, nbd, 1);
	say(free_megabytes, "200");
	urgent_after_a_reply(&server, nbd, 0);
	say(free_megabytes, "20");
	urgent_after_a_reply(&server, nbd, 1);
	say(swaps, swap_is_off);
	urgent_after_a_reply(&server, nbd, 0);
	server_disconnect(nbd);
	server_stop(&server);
}

static void no_reply_is_urgent_with_swap_off(void **state)
{
	const char *const params[] = { "size=64M", "swap=off", NULL };
	struct server server;
	struct nbd_handle *nbd;

	say(swaps, swap_is_on);
	say(free_megabytes, "20");
	server_start(&server, params);
	nbd = server_connect(&server);
	/* Longer than the server takes to look. */
	for (int i = 0; i < 20; i++) {
		urgent_after_a_reply(&server, nbd, 0);
		pause_ms(50);
	}
	server_disconnect(nbd);
	server_stop(&server);
}

static void it_does_not_end_while_a_client_may_swap_to_it(void **state)
{
	static const int ends_nbdkit[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	const char *const params[] = { "size=64M", "swap=auto", NULL };
	struct server server;
	struct nbd_handle *nbd;
	char page[PAGE];

	say(swaps, swap_is_on);
	say(free_megabytes, "200");
	server_start(&server, params);
	nbd = server_connect(&server);
	for (size_t i = 0; i < sizeof(ends_nbdkit) / sizeof(ends_nbdkit[0]); i++)
		assert_int_equal(kill(server.pid, ends_nbdkit[i]), 0);
	for (int i = 0; i < 40; i++) {
		nbd_ok(nbd_pread(nbd, page, PAGE, 0, 0));
		pause_ms(50);
	}
	assert_int_equal(waitpid(server.pid, NULL, WNOHANG), 0);
	assert_true(server_logged(&server, "asked to quit"));
	say(swaps, swap_is_off);
	/* nbdkit waits for the last client to go. */
	server_disconnect(nbd);
	server_must_end(&server);
}

/* What this machine swaps to is another server's disk. */
static void it_ends_without_a_client_though_swap_is_on(void **state)
{
	const char *const params[] = { "size=64M", "swap=auto", NULL };
	struct server server;

	say(swaps, swap_is_on);
	say(free_megabytes, "200");
	server_start(&server, params);
	server_stop(&server);
}

static void a_server_told_to_end_does_when_its_client_has_gone(void **state)
{
	const char *const params[] = { "size=64M", "swap=auto", NULL };
	struct server server;
	struct nbd_handle *nbd;

	say(swaps, swap_is_on);
	say(free_megabytes, "200");
	server_start(&server, params);
	nbd = server_connect(&server);
	assert_int_equal(kill(server.pid, SIGTERM), 0);
	(void)server_comes_to_log(&server, "asked to quit");
	server_disconnect(nbd);
	server_must_end(&server);
}

static void put_files_in_place(void)
{
	const struct sched_param lowest = { .sched_priority = 1 };
	const char *runtime = getenv("RAMZSWAP_PRELOAD"), *shim = getenv("RAMZSWAP_SHORT_MEMORY");
	char preload[4096];

	if (sched_setscheduler(0, SCHED_RR, &lowest) != 0)
		cannot("a real-time class");
	sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){ 0 });
	if (!shim)
		cannot("RAMZSWAP_SHORT_MEMORY");
	own_files_begin();
	own_path(swaps, "swaps");
	own_path(free_megabytes, "free");
	say(swaps, swap_is_off);
	own_files_put(swaps, "/proc/swaps");
	snprintf(preload, sizeof(preload), "%s%s%s", runtime ? runtime : "",
		 runtime && *runtime ? ":" : "", shim);
	setenv("RAMZSWAP_PRELOAD", preload, 1);
	setenv("RAMZSWAP_TEST_FREE", free_megabytes, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reply_is_urgent_where_the_machine_swaps_and_memory_is_short),
		cmocka_unit_test(no_reply_is_urgent_with_swap_off),
		cmocka_unit_test(it_does_not_end_while_a_client_may_swap_to_it),
		cmocka_unit_test(it_ends_without_a_client_though_swap_is_on),
		cmocka_unit_test(a_server_told_to_end_does_when_its_client_has_gone),
	};
	int failed;

	put_files_in_place();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	own_files_end();
	return failed;
}
