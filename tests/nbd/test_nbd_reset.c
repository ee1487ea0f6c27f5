/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reset beside clients that come: whoever is told that a write was done finds it, whether the
 * reset was before it or was refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "pages.h"
#include "server.h"

#define PAGE TEST_PAGE_SIZE
#define CHUNK (1u << 20)
#define FILLED (96u << 20)
#define ROUNDS 6
#define WRITTEN 40 /* pages by the client that comes while the disk is walked */

static const struct timespec two_ms = { .tv_nsec = 2000000 };

static int ask(const char *path, const char *line)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
	return fd;
}

/* Whether the answer is ok; it may only be that, or that a client is connected. */
static bool was_done(int fd)
{
	char answer[600];
	size_t length = 0;
	ssize_t got;

	while ((got = recv(fd, answer + length, sizeof(answer) - 1 - length, 0)) > 0)
		length += (size_t)got;
	close(fd);
	answer[length] = '\0';
	if (strcmp(answer, "ok\n") == 0)
		return true;
	assert_non_null(strstr(answer, "connected"));
	return false;
}

static void fill(const struct server *server, const unsigned char *chunk)
{
	struct nbd_handle *nbd = server_connect(server);

	for (uint64_t offset = 0; offset < FILLED; offset += CHUNK)
		nbd_ok(nbd_pwrite(nbd, chunk, CHUNK, offset, 0));
	server_disconnect(nbd);
}

/* From the end of the disk, which is walked last. */
static uint64_t place(unsigned int i)
{
	return FILLED - (uint64_t)(i + 1) * (FILLED / WRITTEN) / PAGE * PAGE;
}

static void write_and_find(const struct server *server, struct rng *rng, int reset, bool *done)
{
	unsigned char written[WRITTEN][PAGE], page[PAGE];
	struct nbd_handle *nbd = server_connect(server);

	for (unsigned int i = 0; i < WRITTEN; i++) {
		data_fill(rng, DATA_TEXT, written[i], PAGE);
		nbd_ok(nbd_pwrite(nbd, written[i], PAGE, place(i), 0));
	}
	*done = was_done(reset);
	for (unsigned int i = 0; i < WRITTEN; i++) {
		nbd_ok(nbd_pread(nbd, page, PAGE, place(i), 0));
		assert_memory_equal(page, written[i], PAGE);
	}
	/* What the reset forgot it forgot as a whole: nothing of before is beside it. */
	for (uint64_t at = 0; *done && at < FILLED; at += 16 * CHUNK) {
		nbd_ok(nbd_pread(nbd, page, PAGE, at + 2 * PAGE, 0));
		assert_true(data_is_zero(page, PAGE));
	}
	server_disconnect(nbd);
}

static void a_reset_loses_no_write_that_was_acknowledged(void **state)
{
	char directory[] = "/tmp/ramzswap-test-XXXXXX", path[64], control[80];
	const char *const params[] = { "size=128M", "swap=off", control, NULL };
	unsigned char *chunk = malloc(CHUNK);
	unsigned int resets = 0;
	struct rng rng = { 7 };
	struct server server;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/control", directory);
	snprintf(control, sizeof(control), "control=%s", path);
	server_start(&server, params);
	data_fill_any(&rng, chunk, CHUNK);
	for (int round = 0; round < ROUNDS; round++) {
		bool done;
		int reset;

		fill(&server, chunk);
		/* nbdkit may take a moment to see that the client has left. */
		nanosleep(&two_ms, NULL);
		reset = ask(path, "reset\n");
		nanosleep(&two_ms, NULL);
		write_and_find(&server, &rng, reset, &done);
		resets += done;
	}
	server_stop(&server);
	rmdir(directory);
	free(chunk);
	/* Or nothing was tried. */
	assert_true(resets > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reset_loses_no_write_that_was_acknowledged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
