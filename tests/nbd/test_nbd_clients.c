/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients that misbehave: they die in the middle of a write, leave before their
 * replies, or talk nonsense.  The others must not notice.
 */
#include <endian.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pages.h"
#include "server.h"

#define PAGE TEST_PAGE_SIZE
#define DISK_SIZE (4u << 20)

/* From the NBD protocol (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md). */
#define REQUEST_MAGIC 0x25609513u
#define OPT_MAGIC UINT64_C(0x49484156454F5054)
#define OPT_EXPORT_NAME 1u
#define CMD_READ 0u
#define CMD_WRITE 1u

static const char *const params[] = { "size=4M", "swap=off", NULL };

static void send_all(int fd, const void *data, size_t size)
{
	assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* A client after the handshake, without anything of libnbd; -1 if nobody answers. */
static int raw_client(const struct server *server)
{
	int fd = server_connect_raw(server);
	unsigned char greeting[18], reply[8 + 2 + 124];
	struct {
		uint32_t flags;
		uint64_t magic;
		uint32_t option, length;
	} __attribute__((packed))
	hello = { htobe32(1), htobe64(OPT_MAGIC), htobe32(OPT_EXPORT_NAME), 0 };
	uint64_t size;

	if (fd < 0)
		return -1;
	if (recv(fd, greeting, sizeof(greeting), MSG_WAITALL) != sizeof(greeting)) {
		close(fd);
		return -1;
	}
	assert_memory_equal(greeting, "NBDMAGICIHAVEOPT", 16);
	if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello) ||
	    recv(fd, reply, sizeof(reply), MSG_WAITALL) != sizeof(reply)) {
		close(fd);
		return -1;
	}
	memcpy(&size, reply, sizeof(size));
	assert_int_equal(be64toh(size), DISK_SIZE);
	return fd;
}

/* Whether it could be sent. */
static bool send_request(int fd, uint16_t type, uint64_t offset, uint32_t count)
{
	struct {
		uint32_t magic;
		uint16_t flags, type;
		uint64_t handle, offset;
		uint32_t count;
	} __attribute__((packed))
	request = { htobe32(REQUEST_MAGIC), 0, htobe16(type), 1, htobe64(offset), htobe32(count) };

	return send(fd, &request, sizeof(request), MSG_NOSIGNAL) == sizeof(request);
}

/* Whether the disk answers, and holds this. */
static bool holds(struct nbd_handle *nbd, const unsigned char *shadow)
{
	unsigned char *buf = malloc(DISK_SIZE);
	bool same = nbd_pread(nbd, buf, DISK_SIZE, 0, 0) == 0 &&
		    data_differs(buf, shadow, DISK_SIZE) == DISK_SIZE;

	free(buf);
	if (!same)
		print_message("what is wrong: %s\n", nbd_get_error() ? nbd_get_error() : "data");
	return same;
}

static void must_be_healthy(struct nbd_handle *nbd, const unsigned char *shadow)
{
	assert_true(holds(nbd, shadow));
}

/* Every page of the range must be the one of before or the one that was on its way. */
static void must_be_old_or_new(struct nbd_handle *nbd, unsigned char *shadow,
			       const unsigned char *sent, uint32_t count, uint64_t offset)
{
	unsigned char page[PAGE];

	for (uint64_t at = offset, len; at < offset + count; at += len) {
		len = PAGE - at % PAGE;
		if (len > offset + count - at)
			len = offset + count - at;
		nbd_ok(nbd_pread(nbd, page, len, at, 0));
		if (memcmp(page, shadow + at, len) != 0)
			assert_memory_equal(page, sent + (at - offset), len);
		memcpy(shadow + at, page, len);
	}
}

static void a_client_that_dies_while_writing_leaves_old_or_new_pages(void **state)
{
	unsigned char *shadow = malloc(DISK_SIZE), *sent = malloc(DISK_SIZE);
	struct server server;
	struct nbd_handle *nbd;
	struct rng rng = { 1 };

	server_start(&server, params);
	nbd = server_connect(&server);
	data_fill_any(&rng, shadow, DISK_SIZE);
	nbd_ok(nbd_pwrite(nbd, shadow, DISK_SIZE, 0, 0));
	for (unsigned int round = 0; round < 60 * test_scale() / 100; round++) {
		int fd = raw_client(&server);
		uint32_t count = 1 + (uint32_t)rng_below(&rng, 500000);
		uint64_t offset = rng_below(&rng, DISK_SIZE - count);
		/* From nothing of the data up to all of it, and every few a page border. */
		uint32_t part = (uint32_t)rng_below(&rng, count + 1);

		if (round % 4 == 0)
			offset -= offset % PAGE;
		if (round % 4 == 0)
			part -= part % PAGE;
		data_fill_any(&rng, sent, count);
		assert_true(send_request(fd, CMD_WRITE, offset, count));
		if (part > 150000) /* more than a socket holds must not block us for ever */
			part = 150000;
		send_all(fd, sent, part);
		if (round % 2)
			shutdown(fd, SHUT_WR);
		close(fd);
		if (part < count)
			must_be_healthy(nbd, shadow);
		else
			must_be_old_or_new(nbd, shadow, sent, count, offset);
	}
	server_disconnect(nbd);
	server_stop(&server);
	free(shadow);
	free(sent);
}

/* Clients that ask for much and close without reading.  Ends early if nobody answers. */
static void leave_early(const struct server *server, struct rng *rng)
{
	for (int round = 0; round < 40; round++) {
		int fd = raw_client(server);

		if (fd < 0)
			return;
		for (int i = 0; i < 20; i++)
			(void)send_request(fd, CMD_READ, rng_below(rng, DISK_SIZE / 2),
					   DISK_SIZE / 4);
		close(fd);
	}
}

/* nbdkit 1.32 lets a thread send to the socket that another has closed and made -1. */
static bool nbdkit_used_a_closed_socket(const struct server *server)
{
	return server_logged(server, "raw_send_socket: Assertion `sock >= 0' failed");
}

static void clients_leave_early(const char *const server_params[], bool may_abort)
{
	unsigned char *shadow = malloc(DISK_SIZE);
	struct rng rng = { 2 };
	struct server server;
	struct nbd_handle *nbd;
	bool healthy;
	int status;

	server_start(&server, server_params);
	nbd = server_connect(&server);
	data_fill_any(&rng, shadow, DISK_SIZE);
	nbd_ok(nbd_pwrite(nbd, shadow, DISK_SIZE, 0, 0));
	leave_early(&server, &rng);
	healthy = holds(nbd, shadow);
	nbd_close(nbd);
	free(shadow);
	/* Only when it has ended is it sure that the last reply has been tried. */
	status = server_end(&server);
	if (may_abort && nbdkit_used_a_closed_socket(&server)) {
		server_forget(&server);
		print_message("this nbdkit aborts when a client with several threads leaves "
			      "before its replies: a fault of nbdkit, not of its plugin\n");
		skip();
	}
	if (!healthy || status != 0)
		server_print_log(&server);
	assert_true(healthy);
	assert_int_equal(status, 0);
	server_must_not_have_complained(&server);
	server_forget(&server);
}

static void clients_that_leave_before_their_replies_do_no_harm(void **state)
{
	static const char *const one_thread[] = { "-t1", "size=4M", "swap=off", NULL };

	clients_leave_early(one_thread, false);
}

static void nor_do_they_with_many_threads(void **state)
{
	clients_leave_early(params, true);
}

static void nonsense_does_no_harm(void **state)
{
	unsigned char *shadow = calloc(1, DISK_SIZE), noise[2000];
	struct server server;
	struct nbd_handle *nbd;
	struct rng rng = { 3 };

	server_start(&server, params);
	nbd = server_connect(&server);
	data_fill_any(&rng, shadow, 1 << 20);
	nbd_ok(nbd_pwrite(nbd, shadow, 1 << 20, 0, 0));
	for (int round = 0; round < 40; round++) {
		int fd = round % 2 ? raw_client(&server) : server_connect_raw(&server);

		data_fill(&rng, DATA_RANDOM, noise, sizeof(noise));
		/* The server may hang up on it while it comes in: that is its good right. */
		(void)!send(fd, noise, 1 + rng_below(&rng, sizeof(noise)), MSG_NOSIGNAL);
		close(fd);
	}
	/* Well-formed, but of a command that does not exist, and of absurd sizes. */
	for (uint16_t type = 0; type < 300; type += 7) {
		unsigned char reply[16];
		uint32_t error;
		int fd = raw_client(&server);

		assert_true(send_request(fd, type, UINT64_MAX - 5, UINT32_MAX));
		assert_int_equal(recv(fd, reply, sizeof(reply), MSG_WAITALL), sizeof(reply));
		memcpy(&error, reply + 4, sizeof(error));
		assert_int_equal(be32toh(error), EINVAL);
		close(fd);
	}
	must_be_healthy(nbd, shadow);
	server_disconnect(nbd);
	server_stop(&server);
	free(shadow);
}

static void many_connections_come_and_go(void **state)
{
	unsigned char page[PAGE], again[PAGE];
	struct nbd_handle *held[20];
	struct server server;
	struct rng rng = { 4 };

	server_start(&server, params);
	for (int i = 0; i < 20; i++)
		held[i] = server_connect(&server);
	for (uint64_t i = 0; i < 100; i++) {
		struct nbd_handle *nbd = server_connect(&server);

		data_fill(&rng, DATA_TEXT, page, PAGE);
		nbd_ok(nbd_pwrite(nbd, page, PAGE, i * PAGE, 0));
		if (i % 2)
			server_disconnect(nbd);
		else
			nbd_close(nbd); /* without a goodbye */
		nbd_ok(nbd_pread(held[i % 20], again, PAGE, i * PAGE, 0));
		assert_memory_equal(page, again, PAGE);
	}
	for (int i = 0; i < 20; i++)
		server_disconnect(held[i]);
	server_stop(&server);
}

static void a_stop_with_clients_connected_is_clean(void **state)
{
	unsigned char *buf = malloc(DISK_SIZE);
	struct server server;
	struct nbd_handle *nbd[3];
	struct rng rng = { 5 };
	int status;

	server_start(&server, params);
	data_fill_any(&rng, buf, DISK_SIZE);
	for (int i = 0; i < 3; i++) {
		nbd[i] = server_connect(&server);
		nbd_ok(nbd_pwrite(nbd[i], buf, DISK_SIZE, 0, 0));
	}
	/* nbdkit waits for its clients, but takes none in any more, and ends with the last. */
	kill(server.pid, SIGTERM);
	for (int i = 0; i < 3; i++)
		nbd_close(nbd[i]);
	status = server_end(&server);
	if (status != 0)
		server_print_log(&server);
	assert_int_equal(status, 0);
	server_must_not_have_complained(&server);
	server_forget(&server);
	free(buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_that_dies_while_writing_leaves_old_or_new_pages),
		cmocka_unit_test(clients_that_leave_before_their_replies_do_no_harm),
		cmocka_unit_test(nor_do_they_with_many_threads),
		cmocka_unit_test(nonsense_does_no_harm),
		cmocka_unit_test(many_connections_come_and_go),
		cmocka_unit_test(a_stop_with_clients_connected_is_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
