/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A server without nbdkit: it starts, serves, answers, and ends, whatever failed before. */
#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/control.h"
#include "server/server.h"
#include "store/store.h"

static char folder[] = "/tmp/ramzswap-server-XXXXXX", socket_path[64], backing_path[64];
static struct server server;

static void note(const char *line)
{
}

static void never(void)
{
	fail_msg("nobody asked the server to end");
}

/* Of those that begin() has set another may be wanted. */
static void set(const char *key, const char *value)
{
	char why[PARAMS_WHY_MAX] = "";

	memset(server.params.given, 0, sizeof(server.params.given));
	if (params_set(&server.params, key, value, why, sizeof(why)))
		fail_msg("%s=%s: %s", key, value, why);
}

/* A server of a small disk that protects nothing, with its parameters given so far. */
static int begin(void **state)
{
	const struct clients none = CLIENTS_INITIALIZER;

	memset(&server, 0, sizeof(server));
	server.clients = none;
	server.log = note;
	server.note = note;
	server.quit = never;
	params_init(&server.params, UINT64_C(1) << 30);
	set("size", "16M");
	set("swap", "off");
	set("control", socket_path);
	return 0;
}

static void complete(void)
{
	char why[PARAMS_WHY_MAX] = "";

	if (params_complete(&server.params, why, sizeof(why)))
		fail_msg("%s", why);
}

static void start(void)
{
	char why[SERVER_WHY_MAX] = "";

	complete();
	if (server_prepare(&server, why, sizeof(why)) || server_start(&server, why, sizeof(why)))
		fail_msg("%s", why);
}

/* The statistics, as rzscontrol gets them. */
static struct ramzswap_stats ask(void)
{
	static char answer[CONTROL_STATS_MAX + 1];
	struct ramzswap_stats stats;
	const char *body, *error;
	int fd = control_connect(socket_path, 10);

	assert_true(fd >= 0);
	assert_int_equal(control_send(fd, "stats"), 0);
	assert_int_equal(control_receive(fd, 10, answer, sizeof(answer)), 0);
	close(fd);
	body = control_body(answer, &error);
	assert_non_null(body);
	assert_int_equal(stats_parse_plain(&stats, body), 0);
	return stats;
}

static void it_serves_and_answers(void **state)
{
	char page[STORE_PAGE_SIZE], back[STORE_PAGE_SIZE];
	struct ramzswap_stats stats;

	start();
	memset(page, 'a', sizeof(page));
	assert_int_equal(store_write(server.store, page, sizeof(page), 8192), 0);
	assert_int_equal(store_read(server.store, back, sizeof(back), 8192), 0);
	assert_memory_equal(page, back, sizeof(page));
	stats = ask();
	assert_int_equal(stats.disksize, 16 << 20);
	assert_int_equal(stats.num_writes, 1);
	assert_int_equal(stats.same_pages, 1);
	assert_int_equal(stats.locked, 0);
	assert_true(stats.uptime_seconds < 600);
	server_stop(&server);
	/* Nothing is left behind. */
	assert_int_equal(access(socket_path, F_OK), -1);
}

static void the_reserve_is_there_before_the_first_request(void **state)
{
	set("reserve", "2M");
	start();
	assert_true(ask().reserve_ready >= 2 << 20 >> 1);
	server_stop(&server);
}

/* A log that keeps who writes to it waiting. */
static sem_t log_reached, log_goes_on;

static void log_waits(const char *line)
{
	sem_post(&log_reached);
	while (sem_wait(&log_goes_on) != 0)
		;
}

static bool wait_for(bool (*is_so)(void), unsigned int seconds)
{
	const struct timespec moment = { .tv_nsec = 50 * 1000 * 1000 };

	for (unsigned int i = 0; i < seconds * 20; i++) {
		if (is_so())
			return true;
		nanosleep(&moment, NULL);
	}
	return false;
}

static bool log_was_reached(void)
{
	return sem_trywait(&log_reached) == 0;
}

static bool reserve_is_there(void)
{
	return ask().reserve_ready >= 1 << 20 >> 1;
}

static void the_reserve_is_refilled_while_the_log_keeps_its_thread_waiting(void **state)
{
	static unsigned char noise[1 << 20];
	uint32_t random = 1;

	sem_init(&log_reached, 0, 0);
	sem_init(&log_goes_on, 0, 0);
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (unsigned char)((random = random * 1103515245 + 12345) >> 16);
	set("memlimit", "6M");
	set("reserve", "1M");
	server.log = log_waits;
	start();
	/* Until it is full, which is worth a line. */
	for (uint64_t at = 0; at < 16 << 20; at += sizeof(noise))
		(void)store_write(server.store, noise, sizeof(noise), at);
	assert_true(wait_for(log_was_reached, 120));
	assert_int_equal(store_zero(server.store, 16 << 20, 0), 0);
	assert_int_equal(store_write(server.store, noise, sizeof(noise), 0), 0);
	assert_true(wait_for(reserve_is_there, 120));
	for (unsigned int i = 0; i < 1000; i++)
		sem_post(&log_goes_on);
	server_stop(&server);
}

/* Before the thread that writes to the log: what it says next. */
static char said[512];
static atomic_bool was_said;

static void keep_line(const char *line)
{
	snprintf(said, sizeof(said), "%s", line);
	atomic_store(&was_said, true);
}

static bool something_was_said(void)
{
	return atomic_load(&was_said);
}

/* Tells it once that its device 3 has ended, for this reason. */
static void end_of_device(int err)
{
	begin(NULL);
	server.log = keep_line;
	start();
	atomic_store(&was_said, false);
	server.ublk_end.error = err;
	atomic_store(&server.ublk_end.device, 3);
	assert_true(wait_for(something_was_said, 120));
	server_stop(&server);
}

static void a_ublk_device_that_is_served_no_more_is_told(void **state)
{
	end_of_device(-EBADF);
	assert_string_equal(said,
			    "ublk: /dev/ublkb3 is served no more: Bad file descriptor: what is "
			    "swapped out there cannot be read any more");
	end_of_device(0);
	assert_string_equal(said, "ublk: somebody else has taken /dev/ublkb3 away: what is swapped "
				  "out there cannot be read any more");
}

static void it_ends_whether_it_was_started_or_not(void **state)
{
	char why[SERVER_WHY_MAX] = "";

	server_stop(&server);
	begin(NULL);
	complete();
	assert_int_equal(server_prepare(&server, why, sizeof(why)), 0);
	server_stop(&server);
	assert_int_equal(access(socket_path, F_OK), -1);
}

static void a_backing_store_that_cannot_be_had_is_an_error_that_says_why(void **state)
{
	char why[SERVER_WHY_MAX] = "";

	set("backing", "/nowhere/at/all");
	set("backing-size", "64M");
	complete();
	assert_true(server_prepare(&server, why, sizeof(why)) < 0);
	assert_int_equal(strncmp(why, "backing", 7), 0);
	assert_null(strchr(why, '\n'));
	server_stop(&server);
}

static void a_control_socket_that_cannot_be_made_is_an_error_that_says_why(void **state)
{
	char why[SERVER_WHY_MAX] = "";

	set("control", "/nowhere/at/all");
	complete();
	assert_true(server_prepare(&server, why, sizeof(why)) < 0);
	assert_non_null(strstr(why, "/nowhere/at/all"));
	server_stop(&server);
}

static void pages_go_behind_the_pool_by_themselves(void **state)
{
	unsigned char page[STORE_PAGE_SIZE];
	uint32_t random = 1;

	set("backing", backing_path);
	set("backing-size", "64M");
	set("memlimit", "4M");
	start();
	for (uint64_t i = 0; i < (16 << 20) / STORE_PAGE_SIZE; i++) {
		for (size_t j = 0; j < sizeof(page); j++) {
			random = random * 1103515245 + 12345;
			page[j] = (unsigned char)(random >> 16);
		}
		assert_int_equal(store_write(server.store, page, sizeof(page), i * sizeof(page)),
				 0);
	}
	assert_true(ask().bd_count > 1000);
	server_stop(&server);
	unlink(backing_path);
}

static void the_most_memory_is_the_limit_or_what_the_disk_can_take(void **state)
{
	struct params params = { .size = 800, .memlimit = STORE_NO_LIMIT };

	assert_int_equal(server_memory_at_most(&params), 900);
	params.memlimit = 500;
	assert_int_equal(server_memory_at_most(&params), 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(it_serves_and_answers, begin),
		cmocka_unit_test_setup(the_reserve_is_there_before_the_first_request, begin),
		cmocka_unit_test_setup(
			the_reserve_is_refilled_while_the_log_keeps_its_thread_waiting, begin),
		cmocka_unit_test_setup(a_ublk_device_that_is_served_no_more_is_told, begin),
		cmocka_unit_test_setup(it_ends_whether_it_was_started_or_not, begin),
		cmocka_unit_test_setup(a_backing_store_that_cannot_be_had_is_an_error_that_says_why,
				       begin),
		cmocka_unit_test_setup(
			a_control_socket_that_cannot_be_made_is_an_error_that_says_why, begin),
		cmocka_unit_test_setup(pages_go_behind_the_pool_by_themselves, begin),
		cmocka_unit_test(the_most_memory_is_the_limit_or_what_the_disk_can_take),
	};
	int failed;

	if (!mkdtemp(folder))
		return 1;
	snprintf(socket_path, sizeof(socket_path), "%s/control", folder);
	snprintf(backing_path, sizeof(backing_path), "%s/backing", folder);
	failed = cmocka_run_group_tests_name("server server", tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
