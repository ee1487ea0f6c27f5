/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plugin/preload/poll.c, whose read() takes the place of the C library's here.  Run with
 * RAMZSWAP_POLL_US=5000, once on all processors and once on one, where nothing is polled.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define REQUEST 28
#define POLL_US 5000

static atomic_uint questions;

/* Has a request come as soon as somebody was told that there is none. */
static int comes_when_asked = -1;

static void send_request(int fd, unsigned int number)
{
	char request[REQUEST] = { 0 };

	memcpy(request, &number, sizeof(number));
	assert_int_equal(send(fd, request, REQUEST, 0), REQUEST);
}

/* Takes the place of the C library's, to count who asks. */
ssize_t recv(int fd, void *buf, size_t length, int flags)
{
	ssize_t got = syscall(SYS_recvfrom, fd, buf, length, flags, NULL, NULL);

	if (!(flags & MSG_DONTWAIT))
		return got;
	questions++;
	if (got < 0 && errno == EAGAIN && comes_when_asked >= 0) {
		send_request(comes_when_asked, questions);
		errno = EAGAIN;
	}
	return got;
}

static bool may_poll(void)
{
	cpu_set_t processors;

	assert_int_equal(sched_getaffinity(0, sizeof(processors), &processors), 0);
	return CPU_COUNT(&processors) > 1;
}

static void make_pair(int *pair)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
}

static void close_pair(int *pair)
{
	close(pair[0]);
	close(pair[1]);
}

static void sleep_us(unsigned int us)
{
	struct timespec time = { .tv_nsec = us * 1000L };

	nanosleep(&time, NULL);
}

static uint64_t processor_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

struct client {
	int fd;
	unsigned int requests;
	unsigned int gap_us; /* before each of them */
};

/* Sends requests with their number in them, each when the one before has been answered. */
static void *ask(void *opaque)
{
	const struct client *client = opaque;
	char request[REQUEST] = { 0 };
	unsigned int answer;

	for (unsigned int i = 0; i < client->requests; i++) {
		if (client->gap_us)
			sleep_us(client->gap_us);
		memcpy(request, &i, sizeof(i));
		if (send(client->fd, request, REQUEST, 0) != REQUEST ||
		    syscall(SYS_read, client->fd, &answer, sizeof(answer)) != sizeof(answer) ||
		    answer != i)
			return "a wrong answer";
	}
	return NULL;
}

static void serve(int fd, unsigned int requests)
{
	char request[REQUEST];
	unsigned int number;

	for (unsigned int i = 0; i < requests; i++) {
		assert_int_equal(read(fd, request, REQUEST), REQUEST);
		memcpy(&number, request, sizeof(number));
		assert_int_equal(number, i);
		assert_int_equal(send(fd, &number, sizeof(number), 0), sizeof(number));
	}
}

static void serve_client(int *pair, unsigned int requests, unsigned int gap_us)
{
	struct client client = { .fd = pair[1], .requests = requests, .gap_us = gap_us };
	pthread_t thread;
	void *wrong;

	assert_int_equal(pthread_create(&thread, NULL, ask, &client), 0);
	serve(pair[0], requests);
	assert_int_equal(pthread_join(thread, &wrong), 0);
	assert_null(wrong);
}

/* Each comes between two questions: without a second one it is found asleep. */
static void requests_in_quick_succession_are_asked_for(void **state)
{
	const bool polls = may_poll();
	char request[REQUEST];
	int pair[2];

	make_pair(pair);
	questions = 0;
	comes_when_asked = polls ? pair[1] : -1;
	for (unsigned int i = 0; i < 2000; i++) {
		if (!polls)
			send_request(pair[1], i);
		assert_int_equal(read(pair[0], request, REQUEST), REQUEST);
	}
	comes_when_asked = -1;
	/* Two for each; one where whoever else wants the processor had it for long. */
	assert_uint_in_range(questions, polls ? 3000 : 0, polls ? 4000 : 0);
	close_pair(pair);
}

static void requests_in_quick_succession_are_answered(void **state)
{
	int pair[2];

	make_pair(pair);
	questions = 0;
	serve_client(pair, 2000, 0);
	if (may_poll())
		assert_true(questions >= 2000);
	else
		assert_int_equal(questions, 0);
	close_pair(pair);
}

static void requests_far_apart_cost_hardly_any_processor_time(void **state)
{
	int pair[2];
	uint64_t before;

	make_pair(pair);
	serve_client(pair, 200, 0);
	before = processor_us();
	serve_client(pair, 20, 4 * POLL_US);
	/* Twice the longest while until it has learned; all of them would be 20. */
	assert_uint_in_range(processor_us() - before, 0, 8 * POLL_US);
	close_pair(pair);
}

static void a_connection_ends_as_ever(void **state)
{
	char request[REQUEST];
	int pair[2];

	make_pair(pair);
	serve_client(pair, 100, 0);
	assert_int_equal(send(pair[1], "part", 4, 0), 4);
	assert_int_equal(read(pair[0], request, REQUEST), 4);
	close(pair[1]);
	assert_int_equal(read(pair[0], request, REQUEST), 0);
	close(pair[0]);
	errno = 0;
	assert_int_equal(read(pair[0], request, REQUEST), -1);
	assert_int_equal(errno, EBADF);
}

static void what_is_no_socket_is_read_as_ever(void **state)
{
	char request[REQUEST];
	int pair[2];

	make_pair(pair);
	serve_client(pair, 100, 0);
	close_pair(pair);
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(write(pair[1], "what is not a request at all", REQUEST), REQUEST);
	assert_int_equal(read(pair[0], request, REQUEST), REQUEST);
	assert_memory_equal(request, "what is not", 11);
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	errno = 0;
	assert_int_equal(read(pair[0], request, REQUEST), -1);
	assert_int_equal(errno, EAGAIN);
	close_pair(pair);
}

static void data_is_not_asked_for(void **state)
{
	char data[4096];
	int pair[2];

	make_pair(pair);
	questions = 0;
	assert_int_equal(send(pair[1], data, sizeof(data), 0), sizeof(data));
	assert_int_equal(read(pair[0], data, sizeof(data)), sizeof(data));
	assert_int_equal(questions, 0);
	close_pair(pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_in_quick_succession_are_asked_for),
		cmocka_unit_test(requests_in_quick_succession_are_answered),
		cmocka_unit_test(requests_far_apart_cost_hardly_any_processor_time),
		cmocka_unit_test(a_connection_ends_as_ever),
		cmocka_unit_test(what_is_no_socket_is_read_as_ever),
		cmocka_unit_test(data_is_not_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
