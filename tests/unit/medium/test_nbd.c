/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An NBD server as a medium: one that is there, one that goes and comes back, one that hangs. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "medium/medium.h"

#define MIB (UINT64_C(1) << 20)
#define SIZE (16 * MIB)
#define SHORT 2u     /* of which the end is waited for, and more than a call takes */
#define PATIENCE 60u /* more than anything takes on a machine with much else to do */

static char dir[] = "/tmp/ramzswap-nbd-XXXXXX";
static char socket_path[64], disk_path[64], uri[128];
static char why[MEDIUM_WHY_MAX];
static pid_t server;
static unsigned char *block, *back;

static double seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static bool answers(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool connected;

	strcpy(address.sun_path, socket_path);
	connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return connected;
}

static void start_server(const char *option)
{
	unlink(socket_path);
	server = fork();
	if (server == 0) {
		execlp("nbdkit", "nbdkit", "-f", "--exit-with-parent", "-U", socket_path, "file",
		       disk_path, option, (char *)NULL);
		_exit(127);
	}
	for (unsigned int i = 0; i < PATIENCE * 100 && !answers(); i++)
		usleep(10000);
	assert_true(answers());
}

static void stop_server(void)
{
	if (server <= 0)
		return;
	kill(server, SIGCONT);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	server = 0;
}

static int open_it(struct medium **medium, unsigned int patience)
{
	struct medium_config config = { .where = uri, .patience = patience };

	*why = '\0';
	return medium_open(medium, &config, why, sizeof(why));
}

static int setup(void **state)
{
	FILE *disk;

	if (system("nbdkit --version > /dev/null 2>&1") != 0) {
		print_message("no nbdkit here: skipped\n");
		exit(77);
	}
	if (!mkdtemp(dir) || posix_memalign((void **)&block, 4096, MIB) ||
	    posix_memalign((void **)&back, 4096, MIB))
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/sock", dir);
	snprintf(disk_path, sizeof(disk_path), "%s/disk", dir);
	snprintf(uri, sizeof(uri), "nbd+unix:///?socket=%s", socket_path);
	disk = fopen(disk_path, "w");
	if (!disk)
		return -1;
	fclose(disk);
	return truncate(disk_path, SIZE);
}

static int teardown(void **state)
{
	stop_server();
	unlink(socket_path);
	unlink(disk_path);
	rmdir(dir);
	free(block);
	free(back);
	return 0;
}

static int stop_after(void **state)
{
	stop_server();
	return 0;
}

static void fill(unsigned char value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		block[i] = (unsigned char)(value + i / 7);
}

/* A call of this patience may be too slow on a busy machine: that is not what is tested. */
static struct medium *open_started(unsigned int patience)
{
	struct medium *medium;

	for (int i = 0; i < 10; i++) {
		if (open_it(&medium, patience) != 0)
			continue;
		if (medium->ops->start(medium) == 0)
			return medium;
		medium->ops->close(medium);
	}
	fail_msg("%s", *why ? why : "no connection");
	return NULL;
}

static void test_what_is_written_is_read(void **state)
{
	struct medium *medium;

	start_server(NULL);
	medium = open_started(PATIENCE);
	assert_int_equal(medium->size, SIZE);
	fill(1, MIB);
	assert_int_equal(medium->ops->write(medium, block, MIB, SIZE - MIB), 0);
	assert_int_equal(medium->ops->read(medium, back, MIB, SIZE - MIB), 0);
	assert_memory_equal(block, back, MIB);
	assert_int_equal(medium->ops->read(medium, back, 512, SIZE - 512), 0);
	assert_memory_equal(block + MIB - 512, back, 512);
	medium->ops->discard(medium, MIB, SIZE - MIB);
	assert_int_equal(medium->ops->read(medium, back, 512, SIZE - MIB), 0);
	assert_int_equal(back[0] | back[511], 0);
	medium->ops->close(medium);
}

static struct medium *reading_medium;
static atomic_uint finished;

static void *read_once(void *opaque)
{
	int *result = opaque;
	void *buf;
	int err;

	if (posix_memalign(&buf, 4096, 4096))
		abort();
	err = reading_medium->ops->read(reading_medium, buf, 4096, MIB);
	if (result)
		*result = err ? err : memcmp(buf, block, 4096);
	atomic_fetch_add(&finished, 1);
	free(buf);
	return NULL;
}

static void test_a_server_that_comes_back_is_waited_for(void **state)
{
	pthread_t thread;
	int result = 1;

	start_server(NULL);
	reading_medium = open_started(PATIENCE);
	fill(2, 4096);
	assert_int_equal(reading_medium->ops->write(reading_medium, block, 4096, MIB), 0);
	stop_server();
	finished = 0;
	assert_int_equal(pthread_create(&thread, NULL, read_once, &result), 0);
	usleep(700000);
	assert_int_equal(finished, 0);
	start_server(NULL);
	pthread_join(thread, NULL);
	assert_int_equal(result, 0);
	assert_int_equal(reading_medium->ops->write(reading_medium, block, 4096, 2 * MIB), 0);
	reading_medium->ops->close(reading_medium);
}

/* A server that is there again is found, sooner or later. */
static void must_be_found_again(struct medium *medium)
{
	double end = seconds() + PATIENCE;

	while (medium->ops->read(medium, back, 4096, MIB) != 0) {
		assert_true(seconds() < end);
		usleep(100000);
	}
	assert_int_equal(medium->ops->read(medium, back, 4096, MIB), 0);
}

static void test_patience_ends(void **state)
{
	struct medium *medium;
	double start;

	start_server(NULL);
	medium = open_started(SHORT);
	stop_server();
	start = seconds();
	assert_true(medium->ops->read(medium, back, 4096, MIB) < 0);
	assert_true(seconds() - start >= SHORT * 0.9);
	assert_true(seconds() - start < PATIENCE);
	/* From then on nobody waits, or 100 reads would take 100 times as long. */
	start = seconds();
	for (int i = 0; i < 100; i++)
		assert_true(medium->ops->read(medium, back, 4096, MIB) < 0);
	assert_true(seconds() - start < 5 * SHORT);
	/* But the server is still called now and then. */
	start_server(NULL);
	must_be_found_again(medium);
	medium->ops->close(medium);
}

static void test_a_server_that_hangs_is_given_up(void **state)
{
	struct medium *medium;
	double start;

	start_server(NULL);
	medium = open_started(SHORT);
	kill(server, SIGSTOP);
	waitpid(server, NULL, WUNTRACED);
	start = seconds();
	assert_true(medium->ops->read(medium, back, 4096, MIB) < 0);
	/* The request, then a call that is not answered, each with its own end. */
	assert_true(seconds() - start >= SHORT * 0.9);
	assert_true(seconds() - start < PATIENCE);
	kill(server, SIGCONT);
	must_be_found_again(medium);
	medium->ops->close(medium);
}

/* Takes the place of the server, and a call, but says nothing. */
static int take_a_call(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), call;

	strcpy(address.sun_path, socket_path);
	unlink(socket_path);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	call = accept(listener, NULL, NULL);
	assert_true(call >= 0);
	close(listener);
	return call;
}

static void test_only_some_wait_for_a_lost_server(void **state)
{
	pthread_t threads[16];
	int call;

	start_server(NULL);
	reading_medium = open_started(PATIENCE);
	stop_server();
	finished = 0;
	/* Who calls the server has noticed that it is lost. */
	assert_int_equal(pthread_create(&threads[0], NULL, read_once, NULL), 0);
	call = take_a_call();
	for (int i = 1; i < 16; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_once, NULL), 0);
	for (unsigned int i = 0; i < PATIENCE * 100 && finished < 8; i++)
		usleep(10000);
	usleep(300000);
	assert_int_equal(finished, 8);
	close(call);
	start_server(NULL);
	for (int i = 0; i < 16; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(finished, 16);
	reading_medium->ops->close(reading_medium);
}

static void test_bad_servers_are_refused(void **state)
{
	struct medium *medium;
	struct medium_config config = { .where = uri, .size = 2 * SIZE };

	assert_true(open_it(&medium, SHORT) < 0);
	assert_non_null(strstr(why, "cannot be reached"));
	assert_null(strchr(why, '\n'));

	start_server(NULL);
	assert_int_equal(medium_open(&medium, &config, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "fewer than backing-size"));
	stop_server();

	start_server("-r");
	assert_int_equal(open_it(&medium, PATIENCE), -EROFS);
	assert_non_null(strstr(why, "read-only"));
}

static void test_a_foreign_export_is_not_overwritten(void **state)
{
	struct medium *medium;

	start_server(NULL);
	medium = open_started(PATIENCE);
	fill(1, 4096);
	assert_int_equal(medium->ops->write(medium, block, 4096, 0), 0);
	medium->ops->close(medium);
	assert_int_equal(open_it(&medium, PATIENCE), -EEXIST);
	assert_non_null(strstr(why, "backing-force=on"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_what_is_written_is_read, stop_after),
		cmocka_unit_test_teardown(test_a_server_that_comes_back_is_waited_for, stop_after),
		cmocka_unit_test_teardown(test_patience_ends, stop_after),
		cmocka_unit_test_teardown(test_a_server_that_hangs_is_given_up, stop_after),
		cmocka_unit_test_teardown(test_only_some_wait_for_a_lost_server, stop_after),
		cmocka_unit_test_teardown(test_bad_servers_are_refused, stop_after),
		cmocka_unit_test_teardown(test_a_foreign_export_is_not_overwritten, stop_after),
	};

	return cmocka_run_group_tests_name("medium nbd", tests, setup, teardown);
}
