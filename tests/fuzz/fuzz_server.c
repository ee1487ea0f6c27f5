/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes to a whole server, through its socket.  The first byte says what the rest is: what a
 * client says from its first byte on, handshake included; or requests after a handshake, each of
 * which must be answered, rightly, beside a plain array.  After each input a client who was there
 * before must find the disk as the array says.
 *
 * RAMZSWAP_PLUGIN names the plugin; the server is a process, so only what it answers guides an
 * engine.  Options -t 1 --no-sr, with which nbdkit before 1.34 lives through clients that hang up.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "choices.h"
#include "nbd/server.h"
#include "seeds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAGE 4096u
#define DISK_SIZE ((1u << 20) + 777u)
#define COUNT_MAX (128u << 10)
#define REQUESTS_MAX 64u

#define REQUEST_MAGIC 0x25609513u
#define REPLY_MAGIC 0x67446698u

enum command { CMD_READ, CMD_WRITE, CMD_DISC, CMD_FLUSH, CMD_TRIM, CMD_CACHE, CMD_ZERO };

/* What a request that changes bytes may ask for; of the others any flag is too much. */
#define FLAG_FUA 1u
#define FLAG_NO_HOLE 2u
#define FLAG_FAST_ZERO 16u

static struct server server;
static int watcher = -1; /* a client that is there all the time */
static unsigned char shadow[DISK_SIZE], buf[DISK_SIZE];

static void send_all(int fd, const void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t sent = send(fd, (const char *)data + done, size - done, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			seeds_fail("the server takes nothing: %s", strerror(errno));
		done += sent > 0 ? (size_t)sent : 0;
	}
}

/* Some bytes, or what recv returns otherwise: the engine's alarm clock may ring meanwhile. */
static ssize_t receive_some(int fd, void *data, size_t size)
{
	ssize_t got;

	do
		got = recv(fd, data, size, 0);
	while (got < 0 && errno == EINTR);
	return got;
}

static void receive_all(int fd, void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t got = receive_some(fd, (char *)data + done, size - done);

		if (got <= 0)
			seeds_fail("the server says %zu bytes of %zu: %s", done, size,
				   got < 0 ? strerror(errno) : "the end");
		done += (size_t)got;
	}
}

/* A client after the handshake. */
static int come(void)
{
	struct {
		uint32_t flags;
		uint64_t magic;
		uint32_t option, length;
	} __attribute__((packed))
	hello = { htobe32(3), htobe64(UINT64_C(0x49484156454F5054)), htobe32(1), 0 };
	unsigned char greeting[18], reply[10];
	int fd = server_connect_raw(&server);
	uint64_t size;

	if (fd < 0)
		seeds_fail("nobody is let in any more");
	receive_all(fd, greeting, sizeof(greeting));
	send_all(fd, &hello, sizeof(hello));
	receive_all(fd, reply, sizeof(reply));
	memcpy(&size, reply, sizeof(size));
	if (be64toh(size) != DISK_SIZE)
		seeds_fail("the disk has another size");
	return fd;
}

/* Sends a request and waits for its answer, the error of which it returns. */
static uint32_t request(int fd, uint16_t type, uint16_t flags, uint64_t offset, uint32_t count)
{
	struct {
		uint32_t magic;
		uint16_t flags, type;
		uint64_t handle, offset;
		uint32_t count;
	} __attribute__((packed))
	asked = { htobe32(REQUEST_MAGIC), htobe16(flags),  htobe16(type),
		  offset ^ count,	  htobe64(offset), htobe32(count) };
	struct {
		uint32_t magic, error;
		uint64_t handle;
	} __attribute__((packed)) reply;

	send_all(fd, &asked, sizeof(asked));
	if (type == CMD_WRITE)
		send_all(fd, buf, count);
	receive_all(fd, &reply, sizeof(reply));
	if (be32toh(reply.magic) != REPLY_MAGIC || reply.handle != asked.handle)
		seeds_fail("an answer to nothing");
	if (type == CMD_READ && reply.error == 0)
		receive_all(fd, buf, count);
	return be32toh(reply.error);
}

static void must_be_right(uint64_t offset, uint32_t count)
{
	if (memcmp(buf, shadow + offset, count) != 0)
		seeds_fail("a read of %u bytes at %llu is wrong", count,
			   (unsigned long long)offset);
}

/* Whether nothing is wrong with it, so that it must be done. */
static bool is_plain(uint16_t type, uint16_t flags, uint64_t offset, uint32_t count)
{
	if (type == CMD_FLUSH)
		return flags == 0 && offset == 0 && count == 0;
	return type <= CMD_ZERO && type != CMD_DISC && count > 0 && offset < DISK_SIZE &&
	       count <= DISK_SIZE - offset &&
	       (flags == 0 || (flags == FLAG_FUA && (type == CMD_WRITE || type == CMD_ZERO)) ||
		(flags == FLAG_NO_HOLE && type == CMD_ZERO));
}

static void one_request(int fd, struct choices *choices)
{
	static const uint16_t odd_flags[] = { FLAG_FUA, FLAG_NO_HOLE, FLAG_FAST_ZERO, 4, 0x8000 };
	uint16_t type = (uint16_t)choose(choices, 9), flags = 0;
	uint64_t offset = choose(choices, DISK_SIZE);
	uint32_t count = (uint32_t)choose(choices, choose(choices, 4) ? 3 * PAGE : COUNT_MAX);
	uint32_t error;

	if (choose(choices, 4) == 0)
		flags = odd_flags[choose(choices, sizeof(odd_flags) / sizeof(odd_flags[0]))];
	if (choose(choices, 8) == 0)
		offset = choose(choices, 2) ? UINT64_MAX - offset : DISK_SIZE + offset;
	if (choose(choices, 2))
		offset &= ~(uint64_t)(PAGE - 1);
	/* Which is a goodbye, and has no answer. */
	if (type == CMD_DISC)
		type = CMD_FLUSH;
	if (type == CMD_FLUSH && choose(choices, 2))
		offset = count = 0;
	if (type == CMD_WRITE)
		data_fill_any(&choices->rng, buf, count);
	error = request(fd, type, flags, offset, count);
	if (error && is_plain(type, flags, offset, count))
		seeds_fail("request %u of %u bytes at %llu fails: %u", type, count,
			   (unsigned long long)offset, error);
	if (error || type == CMD_FLUSH || type == CMD_CACHE)
		return;
	if (type > CMD_ZERO || offset >= DISK_SIZE || count > DISK_SIZE - offset)
		seeds_fail("request %u of %u bytes at %llu is said to be done", type, count,
			   (unsigned long long)offset);
	if (type == CMD_READ)
		must_be_right(offset, count);
	else if (type == CMD_WRITE)
		memcpy(shadow + offset, buf, count);
	else
		memset(shadow + offset, 0, count);
}

static void say_requests(const uint8_t *data, size_t size)
{
	struct choices choices = { .bytes = data, .left = size, .rng = { size } };
	int fd = come();

	for (unsigned int i = 0; i < REQUESTS_MAX && choices_left(&choices); i++)
		one_request(fd, &choices);
	close(fd);
}

/* Whatever the server makes of it, it ends the conversation. */
static void say_anything(const uint8_t *data, size_t size)
{
	int fd = server_connect_raw(&server);
	ssize_t got;

	if (fd < 0)
		seeds_fail("nobody is let in any more");
	/* It may have hung up before the end. */
	(void)send(fd, data, size, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	while ((got = receive_some(fd, buf, sizeof(buf))) > 0)
		;
	if (got < 0 && errno != ECONNRESET)
		seeds_fail("the server neither answers nor hangs up");
	close(fd);
}

static void begin(void)
{
	const char *const params[] = { "-t1",	   "--no-sr",	  "size=1049353",
				       "swap=off", "memlimit=8M", NULL };

	server_start(&server, params);
	watcher = come();
}

static void look_at_all(void)
{
	for (uint32_t at = 0; at < DISK_SIZE; at += COUNT_MAX) {
		uint32_t count = DISK_SIZE - at < COUNT_MAX ? DISK_SIZE - at : COUNT_MAX;

		if (request(watcher, CMD_READ, 0, at, count))
			seeds_fail("a read fails");
		must_be_right(at, count);
	}
}

/* What is said may be a handshake and a write. */
static void make_all_zeroes(void)
{
	if (request(watcher, CMD_ZERO, 0, 0, DISK_SIZE))
		seeds_fail("the disk cannot be made zeroes");
	memset(shadow, 0, sizeof(shadow));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (watcher < 0)
		begin();
	if (data[0] % 2) {
		say_requests(data + 1, size - 1);
	} else {
		say_anything(data + 1, size - 1);
		make_all_zeroes();
	}
	look_at_all();
	return 0;
}
