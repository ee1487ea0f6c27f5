/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random requests of every kind, many in flight on several connections, against a
 * plain array that holds what the disk must hold.
 *
 * A request is only sent if no byte of it is being changed by one in flight (and,
 * if it changes bytes itself, read by one).  So each has one right answer, although
 * requests in flight share pages, and any connection may touch any byte.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pages.h"
#include "server.h"

#define CONNECTIONS 4
#define DEPTH 16
#define SLOTS (CONNECTIONS * DEPTH)
#define COUNT_MAX (256 * 1024)
#define SENT_LEAST 200
#define FAILURES_LEAST 10
#define ANSWER_SECONDS 60
#define PATIENCE_SECONDS 120

enum kind { READ, WRITE, ZERO, TRIM, CACHE, FLUSH, STATUS, RECHECK };

struct op {
	bool busy;
	int done, err;
	enum kind kind;
	enum kind failed; /* of a RECHECK: the request that failed */
	unsigned int connection;
	uint64_t offset, count;
	uint64_t status_end;   /* of a STATUS: up to where extents have come */
	unsigned char *buf;    /* COUNT_MAX bytes: what is written, or was read */
	unsigned char *wanted; /* of a RECHECK: what the range was to become */
	struct disk *disk;
};

struct disk {
	struct server server;
	struct nbd_handle *nbd[CONNECTIONS];
	struct op ops[SLOTS];
	struct rng rng;
	uint64_t size;
	unsigned char *shadow;
	bool limited;
	unsigned long sent, failures;
	int in_flight;
};

static bool changes(const struct op *op)
{
	return op->kind == WRITE || op->kind == ZERO || op->kind == TRIM || op->kind == RECHECK;
}

static bool looks(const struct op *op)
{
	return op->kind == READ || op->kind == STATUS;
}

static bool collides(const struct disk *disk, const struct op *op)
{
	for (int i = 0; i < SLOTS; i++) {
		const struct op *other = &disk->ops[i];

		if (!other->busy || other == op || op->offset >= other->offset + other->count ||
		    other->offset >= op->offset + op->count)
			continue;
		if (changes(other) ? changes(op) || looks(op) : changes(op) && looks(other))
			return true;
	}
	return false;
}

static void choose_range(struct disk *disk, struct op *op)
{
	struct rng *rng = &disk->rng;
	uint64_t count;

	op->offset = rng_below(rng, disk->size);
	switch (rng_below(rng, 6)) {
	case 0:
	case 1:
	case 2:
		op->offset -= op->offset % TEST_PAGE_SIZE;
		count = TEST_PAGE_SIZE * (1 + rng_below(rng, 4));
		break;
	case 3:
		count = 1 + rng_below(rng, 600);
		break;
	case 4:
		count = 1 + rng_below(rng, 20000);
		break;
	default:
		count = 1 + rng_below(rng, COUNT_MAX);
		break;
	}
	op->count = count < disk->size - op->offset ? count : disk->size - op->offset;
}

static enum kind choose_kind(struct rng *rng)
{
	static const enum kind kinds[] = { READ,  READ, READ, WRITE, WRITE, WRITE, WRITE,
					   WRITE, ZERO, TRIM, CACHE, FLUSH, STATUS };

	return kinds[rng_below(rng, sizeof(kinds) / sizeof(kinds[0]))];
}

static int completed(void *opaque, int *error)
{
	struct op *op = opaque;

	op->err = *error;
	op->done = 1;
	return 1;
}

/* Whatever is called a hole must be zero, and ramzswap calls every whole page of zeroes one. */
static void check_extent(struct op *op, uint64_t offset, uint64_t length, uint32_t flags)
{
	const struct disk *disk = op->disk;
	uint64_t page = (offset + TEST_PAGE_SIZE - 1) / TEST_PAGE_SIZE;
	uint64_t end = offset + length;

	if (flags & LIBNBD_STATE_ZERO) {
		if (!data_is_zero(disk->shadow + offset, length))
			fail_msg("data at %" PRIu64 " + %" PRIu64 " called zero", offset, length);
	} else if (server_is_ours()) {
		for (; (page + 1) * TEST_PAGE_SIZE <= end; page++) {
			if (data_is_zero(disk->shadow + page * TEST_PAGE_SIZE, TEST_PAGE_SIZE))
				fail_msg("page %" PRIu64 " of zeroes called data", page);
		}
	}
}

static int extents_came(void *opaque, const char *context, uint64_t offset, uint32_t *entries,
			size_t count, int *error)
{
	struct op *op = opaque;

	/* The last one may reach past the range, to bytes that are being changed. */
	for (size_t i = 0; i + 1 < count && offset < op->offset + op->count; i += 2) {
		uint64_t length = entries[i], end = op->offset + op->count;

		check_extent(op, offset, length < end - offset ? length : end - offset,
			     entries[i + 1]);
		offset += length;
	}
	op->status_end = offset;
	return 0;
}

static uint32_t any_flags(struct rng *rng, uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t flags = 0;

	if (rng_below(rng, 3) == 0)
		flags |= a;
	if (rng_below(rng, 3) == 0)
		flags |= b;
	if (rng_below(rng, 3) == 0)
		flags |= c;
	return flags;
}

static void send_op(struct disk *disk, struct op *op)
{
	struct nbd_handle *nbd = disk->nbd[op->connection];
	nbd_completion_callback done = { .callback = completed, .user_data = op };
	nbd_extent_callback extents = { .callback = extents_came, .user_data = op };
	struct rng *rng = &disk->rng;
	int64_t cookie = 0;

	op->busy = true;
	op->done = 0;
	op->err = 0;
	op->disk = disk;
	disk->in_flight++;
	disk->sent++;
	switch (op->kind) {
	case READ:
	case RECHECK:
		memset(op->buf, 0xa5, op->count);
		cookie = nbd_aio_pread(nbd, op->buf, op->count, op->offset, done,
				       any_flags(rng, LIBNBD_CMD_FLAG_DF, 0, 0));
		break;
	case WRITE:
		cookie = nbd_aio_pwrite(nbd, op->buf, op->count, op->offset, done,
					any_flags(rng, LIBNBD_CMD_FLAG_FUA, 0, 0));
		break;
	case ZERO:
		cookie = nbd_aio_zero(nbd, op->count, op->offset, done,
				      any_flags(rng, LIBNBD_CMD_FLAG_FUA, LIBNBD_CMD_FLAG_NO_HOLE,
						LIBNBD_CMD_FLAG_FAST_ZERO));
		break;
	case TRIM:
		cookie = nbd_aio_trim(nbd, op->count, op->offset, done,
				      any_flags(rng, LIBNBD_CMD_FLAG_FUA, 0, 0));
		break;
	case CACHE:
		cookie = nbd_aio_cache(nbd, op->count, op->offset, done, 0);
		break;
	case FLUSH:
		cookie = nbd_aio_flush(nbd, done, 0);
		break;
	case STATUS:
		cookie = nbd_aio_block_status(nbd, op->count, op->offset, extents, done,
					      any_flags(rng, LIBNBD_CMD_FLAG_REQ_ONE, 0, 0));
		break;
	}
	if (cookie == -1)
		fail_msg("%s", nbd_get_error());
}

/* Fills a free slot and sends it, unless every range tried collides. */
static bool send_any(struct disk *disk, struct op *op)
{
	op->kind = choose_kind(&disk->rng);
	op->connection = (unsigned int)((op - disk->ops) / DEPTH);
	for (int tries = 0; tries < 10; tries++) {
		choose_range(disk, op);
		if (op->kind == FLUSH)
			op->offset = op->count = 0;
		if (collides(disk, op))
			continue;
		if (op->kind == WRITE)
			data_fill_any(&disk->rng, op->buf, op->count);
		send_op(disk, op);
		return true;
	}
	return false;
}

/*
 * A request for want of memory not done, or not to its end: its pages are new up to
 * some page and old from there.  Reads the range to see; until then it stays taken.
 */
static void recheck(struct disk *disk, struct op *op)
{
	if (!disk->limited || (op->err != ENOSPC && op->err != ENOMEM))
		fail_msg("request of kind %d at %" PRIu64 " + %" PRIu64 ": %s", (int)op->kind,
			 op->offset, op->count, strerror(op->err));
	assert_true(changes(op));
	disk->failures++;
	if (op->kind == WRITE)
		memcpy(op->wanted, op->buf, op->count);
	else
		memset(op->wanted, 0, op->count);
	op->failed = op->kind;
	op->kind = RECHECK;
	send_op(disk, op);
}

static void accept_prefix(struct disk *disk, struct op *op)
{
	bool stopped = false;

	for (uint64_t at = 0, len; at < op->count; at += len) {
		unsigned char *old = disk->shadow + op->offset + at;

		len = TEST_PAGE_SIZE - (op->offset + at) % TEST_PAGE_SIZE;
		if (len > op->count - at)
			len = op->count - at;
		if (!stopped && memcmp(op->buf + at, op->wanted + at, len) == 0) {
			memcpy(old, op->buf + at, len);
			continue;
		}
		stopped = true;
		if (memcmp(op->buf + at, old, len) != 0)
			fail_msg("a failed request of kind %d changed %" PRIu64 " + %" PRIu64,
				 (int)op->failed, op->offset + at, len);
	}
}

static void finish(struct disk *disk, struct op *op)
{
	size_t at;

	disk->in_flight--;
	op->busy = false;
	if (op->err) {
		recheck(disk, op);
		return;
	}
	switch (op->kind) {
	case READ:
		at = data_differs(op->buf, disk->shadow + op->offset, op->count);
		if (at != op->count)
			fail_msg("byte %" PRIu64 " of a read of %" PRIu64 " + %" PRIu64
				 " is %#x instead of %#x",
				 op->offset + at, op->offset, op->count, op->buf[at],
				 disk->shadow[op->offset + at]);
		break;
	case WRITE:
		memcpy(disk->shadow + op->offset, op->buf, op->count);
		break;
	case ZERO:
	case TRIM:
		memset(disk->shadow + op->offset, 0, op->count);
		break;
	case STATUS:
		assert_true(op->status_end > op->offset);
		break;
	case RECHECK:
		accept_prefix(disk, op);
		break;
	case CACHE:
	case FLUSH:
		break;
	}
}

static void wait_for_news(struct disk *disk)
{
	struct pollfd fds[CONNECTIONS];
	int ready;

	for (int i = 0; i < CONNECTIONS; i++) {
		unsigned int direction = nbd_aio_get_direction(disk->nbd[i]);

		fds[i].fd = nbd_aio_get_fd(disk->nbd[i]);
		fds[i].events = (direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
				(direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0);
	}
	ready = poll(fds, CONNECTIONS, ANSWER_SECONDS * 1000);
	if (ready <= 0)
		fail_msg("no answer within %d seconds, %d requests in flight", ANSWER_SECONDS,
			 disk->in_flight);
	for (int i = 0; i < CONNECTIONS; i++) {
		unsigned int direction = nbd_aio_get_direction(disk->nbd[i]);

		if (fds[i].revents & (POLLIN | POLLHUP | POLLERR) &&
		    direction & LIBNBD_AIO_DIRECTION_READ)
			nbd_ok(nbd_aio_notify_read(disk->nbd[i]));
		else if (fds[i].revents & POLLOUT && direction & LIBNBD_AIO_DIRECTION_WRITE)
			nbd_ok(nbd_aio_notify_write(disk->nbd[i]));
	}
}

static void finish_done(struct disk *disk)
{
	for (int i = 0; i < SLOTS; i++) {
		if (disk->ops[i].busy && disk->ops[i].done)
			finish(disk, &disk->ops[i]);
	}
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Fewer would show nothing, however slow the machine is. */
static bool has_enough(const struct disk *disk)
{
	return disk->sent > SENT_LEAST && (!disk->limited || disk->failures > FAILURES_LEAST);
}

/*
 * Sends so many requests, or as many as there is time for but no fewer than enough, and waits
 * for all of them.
 */
static void run(struct disk *disk, unsigned long requests, double seconds)
{
	double end = now() + seconds;

	requests = disk->sent + requests * test_scale() / 100;
	while ((disk->sent < requests && now() < end) ||
	       (!has_enough(disk) && now() < end + PATIENCE_SECONDS)) {
		for (int i = 0; i < SLOTS; i++) {
			if (!disk->ops[i].busy)
				(void)send_any(disk, &disk->ops[i]);
		}
		finish_done(disk);
		wait_for_news(disk);
		finish_done(disk);
	}
	while (disk->in_flight > 0) {
		wait_for_news(disk);
		finish_done(disk);
	}
	assert_true(has_enough(disk));
}

static void compare_all(struct disk *disk, unsigned int connection)
{
	unsigned char *buf = malloc(disk->size);
	const uint64_t step = 1024 * 1024;

	for (uint64_t at = 0; at < disk->size; at += step) {
		uint64_t count = disk->size - at < step ? disk->size - at : step;

		nbd_ok(nbd_pread(disk->nbd[connection], buf + at, count, at, 0));
	}
	assert_int_equal(data_differs(buf, disk->shadow, disk->size), disk->size);
	free(buf);
}

static void disk_open(struct disk *disk, uint64_t size, const char *const params[], uint64_t seed)
{
	memset(disk, 0, sizeof(*disk));
	server_start(&disk->server, params);
	disk->size = size;
	disk->rng.state = seed;
	disk->shadow = calloc(1, size);
	for (int i = 0; i < CONNECTIONS; i++)
		disk->nbd[i] = server_connect(&disk->server);
	for (int i = 0; i < SLOTS; i++) {
		disk->ops[i].buf = malloc(COUNT_MAX);
		disk->ops[i].wanted = malloc(COUNT_MAX);
	}
	assert_int_equal(nbd_get_size(disk->nbd[0]), size);
}

static void disk_close(struct disk *disk)
{
	for (unsigned int i = 0; i < CONNECTIONS; i++)
		compare_all(disk, i);
	fprintf(stderr, "%lu requests, %lu of them refused for want of memory\n", disk->sent,
		disk->failures);
	for (int i = 0; i < CONNECTIONS; i++)
		server_disconnect(disk->nbd[i]);
	server_stop(&disk->server);
	free(disk->shadow);
	for (int i = 0; i < SLOTS; i++) {
		free(disk->ops[i].buf);
		free(disk->ops[i].wanted);
	}
}

static void requests_in_flight_leave_what_they_should(void **state)
{
	const char *const params[] = { "size=8000001", "swap=off", NULL };
	static struct disk disk;

	disk_open(&disk, 8000001, params, rng_seed(1));
	run(&disk, 60000, 12);
	disk_close(&disk);
}

static void requests_in_flight_on_few_pages_leave_what_they_should(void **state)
{
	const char *const params[] = { "size=50001", "swap=off", NULL };
	static struct disk disk;

	disk_open(&disk, 50001, params, rng_seed(2));
	run(&disk, 60000, 8);
	disk_close(&disk);
}

static void requests_in_flight_leave_what_they_should_with_every_protection(void **state)
{
	const char *const params[] = { "size=8000001", NULL };
	static struct disk disk;

	disk_open(&disk, 8000001, params, rng_seed(3));
	run(&disk, 20000, 5);
	disk_close(&disk);
}

static void requests_refused_for_want_of_memory_leave_old_pages(void **state)
{
	const char *const params[] = { "size=8000001", "memlimit=2M", "swap=off", NULL };
	static struct disk disk;

	if (!server_is_ours())
		skip();
	disk_open(&disk, 8000001, params, rng_seed(4));
	disk.limited = true;
	run(&disk, 40000, 8);
	disk_close(&disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_in_flight_leave_what_they_should),
		cmocka_unit_test(requests_in_flight_on_few_pages_leave_what_they_should),
		cmocka_unit_test(requests_in_flight_leave_what_they_should_with_every_protection),
		cmocka_unit_test(requests_refused_for_want_of_memory_leave_old_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
