/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plugin/preload/reply.c, whose send() takes the place of the C library's here. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define LARGE (1 << 20)

static void make_pair(int *pair)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
}

static void close_pair(int *pair)
{
	close(pair[0]);
	close(pair[1]);
}

static void nothing_comes(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void a_head_leaves_with_its_data(void **state)
{
	char got[16];
	int pair[2];

	make_pair(pair);
	assert_int_equal(send(pair[0], "head", 4, MSG_MORE), 4);
	nothing_comes(pair[1]);
	assert_int_equal(send(pair[0], "data", 4, 0), 4);
	assert_int_equal(recv(pair[1], got, sizeof(got), 0), 8);
	assert_memory_equal(got, "headdata", 8);
	close_pair(pair);
}

static void a_reply_without_data_leaves_at_once(void **state)
{
	char got[16];
	int pair[2];

	make_pair(pair);
	assert_int_equal(send(pair[0], "reply", 5, 0), 5);
	assert_int_equal(recv(pair[1], got, sizeof(got), MSG_DONTWAIT), 5);
	close_pair(pair);
}

static void three_parts_stay_in_order(void **state)
{
	char got[16];
	int pair[2];

	make_pair(pair);
	assert_int_equal(send(pair[0], "a", 1, MSG_MORE), 1);
	assert_int_equal(send(pair[0], "b", 1, MSG_MORE), 1);
	assert_int_equal(send(pair[0], "c", 1, 0), 1);
	assert_int_equal(recv(pair[1], got, sizeof(got), MSG_WAITALL | MSG_DONTWAIT), 3);
	assert_memory_equal(got, "abc", 3);
	close_pair(pair);
}

/* As nbdkit does: until all is sent, and again after EINTR and EAGAIN. */
static void send_all(int fd, const unsigned char *data, size_t length, int flags)
{
	while (length > 0) {
		ssize_t sent = send(fd, data, length, flags);

		if (sent < 0) {
			assert_true(errno == EAGAIN || errno == EINTR);
			continue;
		}
		assert_true(sent > 0);
		data += sent;
		length -= (size_t)sent;
	}
}

static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 2654435761u >> 16);
}

static void *drain(void *arg)
{
	int fd = *(int *)arg;
	unsigned char buffer[4099];
	size_t at = 0, wrong = 0;
	ssize_t got;

	while ((got = recv(fd, buffer, sizeof(buffer), 0)) > 0)
		for (ssize_t i = 0; i < got; i++, at++)
			wrong += buffer[i] != byte_at(at);
	return (void *)(at == LARGE ? wrong : SIZE_MAX);
}

static void a_small_socket_buffer_loses_nothing(void **state)
{
	unsigned char *data = malloc(LARGE);
	int pair[2], small = 1;
	size_t at = 0;
	pthread_t reader;
	void *wrong;

	for (size_t i = 0; i < LARGE; i++)
		data[i] = byte_at(i);
	make_pair(pair);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	pthread_create(&reader, NULL, drain, &pair[1]);
	while (at < LARGE) {
		size_t length = LARGE - at < 40016 ? LARGE - at : 40016;

		send_all(pair[0], data + at, 16, MSG_MORE | MSG_DONTWAIT);
		send_all(pair[0], data + at + 16, length - 16, MSG_DONTWAIT);
		at += length;
	}
	close(pair[0]);
	pthread_join(reader, &wrong);
	assert_ptr_equal(wrong, NULL);
	close(pair[1]);
	free(data);
}

static void nothing_of_a_dead_connection_reaches_the_next(void **state)
{
	char got[16];
	int pair[2], next[2];

	make_pair(pair);
	close(pair[1]);
	assert_int_equal(send(pair[0], "head", 4, MSG_MORE), 4);
	assert_int_equal(send(pair[0], "data", 4, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	close(pair[0]);
	make_pair(next);
	assert_int_equal(next[0], pair[0]);
	assert_int_equal(send(next[0], "new", 3, 0), 3);
	assert_int_equal(recv(next[1], got, sizeof(got), 0), 3);
	assert_memory_equal(got, "new", 3);
	close_pair(next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_leaves_with_its_data),
		cmocka_unit_test(a_reply_without_data_leaves_at_once),
		cmocka_unit_test(three_parts_stay_in_order),
		cmocka_unit_test(a_small_socket_buffer_loses_nothing),
		cmocka_unit_test(nothing_of_a_dead_connection_reaches_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
