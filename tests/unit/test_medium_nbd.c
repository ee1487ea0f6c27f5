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

#include "medium.h"

#define MIB (UINT64_C(1) << 20)
#define SIZE (16 * MIB)

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
	struct sockaddr_un address = {.sun_family = AF_UNIX};
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
		execlp("nbdkit", "nbdkit", "-f", "-U", socket_path, "file", disk_path, option,
		       (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 500 && !answers(); i++)
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
	struct medium_config config = {.where = uri, .patience = patience};

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

static struct medium *open_started(unsigned int patience)
{
	struct medium *medium;

	if (open_it(&medium, patience) != 0)
		fail_msg("%s", why);
	assert_int_equal(medium->ops->start(medium), 0);
	return medium;
}

static void test_what_is_written_is_read(void **state)
{
	struct medium *medium;

	start_server(NULL);
	medium = open_started(5);
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
	reading_medium = open_started(10);
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

static void test_patience_ends(void **state)
{
	struct medium *medium;
	double start;

	start_server(NULL);
	medium = open_started(1);
	stop_server();
	start = seconds();
	assert_true(medium->ops->read(medium, back, 4096, MIB) < 0);
	assert_in_range((int)((seconds() - start) * 10), 9, 40);
	/* From then on nobody waits, but the server is still called now and then. */
	start = seconds();
	for (int i = 0; i < 100; i++)
		assert_true(medium->ops->read(medium, back, 4096, MIB) < 0);
	assert_true(seconds() - start < 1);
	start_server(NULL);
	for (int i = 0; i < 100 && medium->ops->read(medium, back, 4096, MIB) != 0; i++)
		usleep(100000);
	assert_int_equal(medium->ops->read(medium, back, 4096, MIB), 0);
	medium->ops->close(medium);
}

static void test_a_server_that_hangs_is_given_up(void **state)
{
	struct medium *medium;
	double start;

	start_server(NULL);
	medium = open_started(1);
	kill(server, SIGSTOP);
	waitpid(server, NULL, WUNTRACED);
	start = seconds();
	assert_true(medium->ops->read(medium, back, 4096, MIB) < 0);
	/* The request, then a call that is not answered, each with its own end. */
	assert_in_range((int)(seconds() - start), 1, 15);
	kill(server, SIGCONT);
	for (int i = 0; i < 100 && medium->ops->read(medium, back, 4096, MIB) != 0; i++)
		usleep(100000);
	assert_int_equal(medium->ops->read(medium, back, 4096, MIB), 0);
	medium->ops->close(medium);
}

static void test_only_some_wait_for_a_lost_server(void **state)
{
	pthread_t threads[16];

	start_server(NULL);
	reading_medium = open_started(2);
	stop_server();
	finished = 0;
	/* The first to notice. */
	assert_int_equal(pthread_create(&threads[0], NULL, read_once, NULL), 0);
	usleep(300000);
	for (int i = 1; i < 16; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_once, NULL), 0);
	usleep(300000);
	assert_int_equal(finished, 8);
	for (int i = 0; i < 16; i++)
		pthread_join(threads[i], NULL);
	reading_medium->ops->close(reading_medium);
}

static void test_bad_servers_are_refused(void **state)
{
	struct medium *medium;
	struct medium_config config = {.where = uri, .size = 2 * SIZE};

	assert_true(open_it(&medium, 1) < 0);
	assert_non_null(strstr(why, "cannot be reached"));
	assert_null(strchr(why, '\n'));

	start_server(NULL);
	assert_int_equal(medium_open(&medium, &config, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "fewer than backing-size"));
	stop_server();

	start_server("-r");
	assert_int_equal(open_it(&medium, 1), -EROFS);
	assert_non_null(strstr(why, "read-only"));
}

static void test_a_foreign_export_is_not_overwritten(void **state)
{
	struct medium *medium;

	start_server(NULL);
	medium = open_started(1);
	fill(1, 4096);
	assert_int_equal(medium->ops->write(medium, block, 4096, 0), 0);
	medium->ops->close(medium);
	assert_int_equal(open_it(&medium, 1), -EEXIST);
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
