/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An NBD server as a medium, by libnbd.
 *
 * Several connections, if the server says that they see one another's writes, so
 * that a page is read while a segment is being written; else one.  Each has a
 * lock and carries one request at a time.  Every request has a deadline: a server
 * that hangs is treated as one that is gone, and its connection is closed.
 *
 * A lost server is called again, at first at once and then less and less often.  A
 * request waits for it until the server has been away for longer than the patience,
 * and fails from then on; no more than WAITING_MAX wait, so that they do not use up
 * the threads that others need for pages in memory.
 *
 * libnbd allocates memory for each request (some hundred bytes) and for each
 * connection: such a medium is not for a machine that swaps to it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libnbd_calls.h"
#include "medium.h"

#define CONNECTIONS 4u
#define PATIENCE_SECONDS 30u
#define CONNECT_MS 5000u
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define WAITING_MAX 8u

struct connection {
	pthread_mutex_t lock;
	struct nbd_handle *handle; /* NULL: lost */
};

struct nbd {
	struct medium medium;
	char *uri;
	uint64_t patience_ms;
	uint32_t request_max;
	bool can_discard;
	bool can_flush;
	unsigned int connections;
	struct connection connection[CONNECTIONS];
	atomic_uint turn; /* the connection that is tried first */
	atomic_uint waiting;
	/* Guards what follows: the state of the server, as last seen. */
	pthread_mutex_t lock;
	uint64_t lost_since; /* ms; 0: it is there */
	uint64_t next_try;   /* ms */
	uint64_t backoff;    /* ms */
};

static uint64_t now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void sleep_ms(uint64_t ms)
{
	struct timespec time = {
		.tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000) * 1000000,
	};

	nanosleep(&time, NULL);
}

/* libnbd's own text, without the name of the call before it. */
static const char *nbd_reason(void)
{
	const char *text = libnbd.get_error(), *colon;

	if (!text)
		return "no reason given";
	colon = strstr(text, ": ");
	return strncmp(text, "nbd_", 4) == 0 && colon ? colon + 2 : text;
}

/* Connects within so many milliseconds.  NULL with libnbd's error set, or timed_out. */
static struct nbd_handle *dial(const char *uri, uint64_t ms, bool *timed_out)
{
	struct nbd_handle *handle = libnbd.create();
	uint64_t deadline = now_ms() + ms;

	*timed_out = false;
	if (!handle)
		return NULL;
	libnbd.set_uri_allow_local_file(handle, true);
	if (libnbd.aio_connect_uri(handle, uri) == -1)
		goto failed;
	while (libnbd.aio_is_connecting(handle) == 1) {
		uint64_t now = now_ms();
		int polled = now < deadline ? libnbd.poll(handle, (int)(deadline - now)) : 0;

		if (polled == -1)
			goto failed;
		if (polled == 0) {
			*timed_out = true;
			goto failed;
		}
	}
	if (libnbd.aio_is_ready(handle) == 1)
		return handle;
failed:
	libnbd.close(handle);
	return NULL;
}

static uint64_t connect_ms(const struct nbd *nbd)
{
	return nbd->patience_ms < CONNECT_MS ? nbd->patience_ms : CONNECT_MS;
}

static bool right_size(struct nbd *nbd, struct nbd_handle *handle)
{
	int64_t size = libnbd.get_size(handle);

	return size >= 0 && (uint64_t)size >= nbd->medium.size;
}

/* Returns whether it has been lost for too long to be waited for. */
static bool note_lost(struct nbd *nbd)
{
	uint64_t now = now_ms();
	bool too_long;

	pthread_mutex_lock(&nbd->lock);
	if (nbd->lost_since == 0) {
		nbd->lost_since = now;
		nbd->backoff = BACKOFF_MIN_MS;
		nbd->next_try = now;
	}
	too_long = now > nbd->lost_since + nbd->patience_ms;
	pthread_mutex_unlock(&nbd->lock);
	return too_long;
}

static void note_there(struct nbd *nbd)
{
	pthread_mutex_lock(&nbd->lock);
	nbd->lost_since = 0;
	pthread_mutex_unlock(&nbd->lock);
}

/*
 * How long to wait until the server may be called again: 0 for now, and then it is
 * the caller's turn.  UINT64_MAX if it has been away for too long to wait at all.
 */
static uint64_t wait_before_call(struct nbd *nbd)
{
	uint64_t now = now_ms(), wait = 0;

	pthread_mutex_lock(&nbd->lock);
	if (nbd->lost_since != 0 && now < nbd->next_try) {
		wait = nbd->next_try - now;
		if (now > nbd->lost_since + nbd->patience_ms)
			wait = UINT64_MAX;
	} else if (nbd->lost_since != 0) {
		nbd->next_try = now + nbd->backoff;
		nbd->backoff *= 2;
		if (nbd->backoff > BACKOFF_MAX_MS)
			nbd->backoff = BACKOFF_MAX_MS;
	}
	pthread_mutex_unlock(&nbd->lock);
	return wait;
}

/* The connection's lock is held.  Waits as long as there is patience. */
static int reconnect(struct nbd *nbd, struct connection *connection)
{
	for (;;) {
		uint64_t wait = wait_before_call(nbd);
		bool timed_out;

		if (wait == UINT64_MAX)
			return -ENOTCONN;
		if (wait > 0) {
			sleep_ms(wait);
			continue;
		}
		connection->handle = dial(nbd->uri, connect_ms(nbd), &timed_out);
		if (connection->handle && right_size(nbd, connection->handle)) {
			note_there(nbd);
			return 0;
		}
		if (connection->handle)
			libnbd.close(connection->handle);
		connection->handle = NULL;
		if (note_lost(nbd))
			return -ENOTCONN;
	}
}

/*
 * Until the request of this cookie is done.  0, a negative errno from the server, or
 * -ENOTCONN if the connection is of no use any more.
 */
static int await(struct nbd *nbd, struct nbd_handle *handle, int64_t cookie)
{
	uint64_t deadline = now_ms() + nbd->patience_ms;

	if (cookie == -1)
		return -ENOTCONN;
	for (;;) {
		int done = libnbd.aio_command_completed(handle, (uint64_t)cookie);
		uint64_t now;

		if (done == 1)
			return 0;
		if (done == -1) {
			int err = libnbd.get_errno();

			if (libnbd.aio_is_ready(handle) != 1)
				return -ENOTCONN;
			return err > 0 ? -err : -EIO;
		}
		now = now_ms();
		if (now >= deadline || libnbd.poll(handle, (int)(deadline - now)) <= 0)
			return -ENOTCONN;
	}
}

struct transfer {
	enum { TRANSFER_READ, TRANSFER_WRITE, TRANSFER_DISCARD } what;
	char *buf;
	size_t len;
	uint64_t offset;
};

static int transfer_on(struct nbd *nbd, struct nbd_handle *handle, const struct transfer *transfer)
{
	size_t done = 0;
	int err = 0;

	while (done < transfer->len && !err) {
		size_t len = transfer->len - done;
		uint64_t offset = transfer->offset + done;
		int64_t cookie;

		if (len > nbd->request_max)
			len = nbd->request_max;
		if (transfer->what == TRANSFER_READ)
			cookie = libnbd.aio_pread(handle, transfer->buf + done, len, offset,
					       NBD_NULL_COMPLETION, 0);
		else if (transfer->what == TRANSFER_WRITE)
			cookie = libnbd.aio_pwrite(handle, transfer->buf + done, len, offset,
						NBD_NULL_COMPLETION, 0);
		else
			cookie = libnbd.aio_trim(handle, len, offset, NBD_NULL_COMPLETION, 0);
		err = await(nbd, handle, cookie);
		done += len;
	}
	/* Only this tells whether a server with a cache has found a place for it. */
	if (!err && transfer->what == TRANSFER_WRITE && nbd->can_flush)
		err = await(nbd, handle, libnbd.aio_flush(handle, NBD_NULL_COMPLETION, 0));
	return err;
}

/* A connection that is free, or else the one whose turn it is, when it is. */
static struct connection *take_connection(struct nbd *nbd)
{
	unsigned int turn = atomic_fetch_add(&nbd->turn, 1);

	for (unsigned int i = 0; i < nbd->connections; i++) {
		struct connection *connection = &nbd->connection[(turn + i) % nbd->connections];

		if (pthread_mutex_trylock(&connection->lock) == 0)
			return connection;
	}
	pthread_mutex_lock(&nbd->connection[turn % nbd->connections].lock);
	return &nbd->connection[turn % nbd->connections];
}

static bool is_lost(struct nbd *nbd)
{
	bool lost;

	pthread_mutex_lock(&nbd->lock);
	lost = nbd->lost_since != 0;
	pthread_mutex_unlock(&nbd->lock);
	return lost;
}

/* As often as the connection is lost and there is patience to make a new one. */
static int try_transfer(struct nbd *nbd, struct connection *connection,
			const struct transfer *transfer)
{
	int err = 0;

	do {
		if (!connection->handle)
			err = reconnect(nbd, connection);
		if (err)
			return err;
		err = transfer_on(nbd, connection->handle, transfer);
		if (err == -ENOTCONN) {
			libnbd.close(connection->handle);
			connection->handle = NULL;
			(void)note_lost(nbd);
			err = 0;
		} else {
			return err;
		}
	} while (true);
}

static int transfer(struct nbd *nbd, const struct transfer *what)
{
	struct connection *connection;
	int err;

	if (is_lost(nbd) && atomic_load(&nbd->waiting) >= WAITING_MAX)
		return -ENOTCONN;
	atomic_fetch_add(&nbd->waiting, 1);
	connection = take_connection(nbd);
	err = try_transfer(nbd, connection, what);
	pthread_mutex_unlock(&connection->lock);
	atomic_fetch_sub(&nbd->waiting, 1);
	return err;
}

static int nbd_medium_read(struct medium *medium, void *buf, size_t len, uint64_t offset)
{
	const struct transfer what = {
		.what = TRANSFER_READ,
		.buf = buf,
		.len = len,
		.offset = offset,
	};

	return transfer((struct nbd *)medium, &what);
}

static int nbd_medium_write(struct medium *medium, const void *buf, size_t len, uint64_t offset)
{
	const struct transfer what = {
		.what = TRANSFER_WRITE,
		.buf = (char *)buf,
		.len = len,
		.offset = offset,
	};

	return transfer((struct nbd *)medium, &what);
}

static void nbd_medium_discard(struct medium *medium, size_t len, uint64_t offset)
{
	const struct transfer what = {
		.what = TRANSFER_DISCARD,
		.len = len,
		.offset = offset,
	};
	struct nbd *nbd = (struct nbd *)medium;

	if (nbd->can_discard && !is_lost(nbd))
		(void)transfer(nbd, &what);
}

static void hang_up(struct nbd *nbd)
{
	for (unsigned int i = 0; i < CONNECTIONS; i++) {
		if (nbd->connection[i].handle)
			libnbd.close(nbd->connection[i].handle);
		nbd->connection[i].handle = NULL;
	}
}

/* A connection of before the fork has a second owner: this process makes its own. */
static int nbd_medium_start(struct medium *medium)
{
	struct nbd *nbd = (struct nbd *)medium;

	hang_up(nbd);
	for (unsigned int i = 0; i < nbd->connections; i++) {
		int err = reconnect(nbd, &nbd->connection[i]);

		if (err)
			return err;
	}
	return 0;
}

static void nbd_medium_close(struct medium *medium)
{
	struct nbd *nbd = (struct nbd *)medium;

	hang_up(nbd);
	free(nbd->uri);
	free(nbd);
}

static const struct medium_ops nbd_ops = {
	.start = nbd_medium_start,
	.read = nbd_medium_read,
	.write = nbd_medium_write,
	.discard = nbd_medium_discard,
	.close = nbd_medium_close,
};

/* What the server offers.  0, or a negative errno with a line of why. */
static int inspect(struct nbd *nbd, const struct medium_config *config, char *why, size_t why_size)
{
	struct nbd_handle *handle = nbd->connection[0].handle;
	int64_t size = libnbd.get_size(handle);
	int64_t block = libnbd.get_block_size(handle, LIBNBD_SIZE_MINIMUM);
	int64_t most = libnbd.get_block_size(handle, LIBNBD_SIZE_MAXIMUM);

	if (size < 0) {
		snprintf(why, why_size, "does not tell its size: %s", nbd_reason());
		return -EIO;
	}
	if (libnbd.is_read_only(handle) == 1) {
		snprintf(why, why_size, "is read-only");
		return -EROFS;
	}
	if (block > MEDIUM_BLOCK_MAX) {
		snprintf(why, why_size, "wants blocks of %lld bytes, which are larger than a page",
			 (long long)block);
		return -EINVAL;
	}
	if (config->size > (uint64_t)size) {
		snprintf(why, why_size, "has %lld bytes, fewer than backing-size=%llu",
			 (long long)size, (unsigned long long)config->size);
		return -EINVAL;
	}
	nbd->medium.size =
		(config->size ? config->size : (uint64_t)size) & ~(uint64_t)(MEDIUM_BLOCK_MAX - 1);
	nbd->medium.block = block > 512 ? (uint32_t)block : 512;
	nbd->request_max = most > 0 && most < 1 << 20 ? (uint32_t)most : 1 << 20;
	nbd->can_discard = libnbd.can_trim(handle) == 1;
	nbd->can_flush = libnbd.can_flush(handle) == 1;
	nbd->connections = libnbd.can_multi_conn(handle) == 1 ? CONNECTIONS : 1;
	return 0;
}

static int check_content(struct nbd *nbd, char *why, size_t why_size)
{
	unsigned char block[MEDIUM_BLOCK_MAX];
	const struct transfer what = {
		.what = TRANSFER_READ,
		.buf = (char *)block,
		.len = sizeof(block),
	};
	int err = 0;

	if (nbd->medium.size >= MEDIUM_BLOCK_MAX)
		err = transfer_on(nbd, nbd->connection[0].handle, &what);
	if (err) {
		snprintf(why, why_size, "cannot be read: %s", strerror(-err));
		return err;
	}
	if (nbd->medium.size >= MEDIUM_BLOCK_MAX && !medium_block_is_ours(block)) {
		snprintf(why, why_size,
			 "holds something that is no backing store: give another "
			 "export, or backing-force=on to overwrite it");
		return -EEXIST;
	}
	return 0;
}

static struct nbd *make(const struct medium_config *config)
{
	struct nbd *nbd = calloc(1, sizeof(*nbd));

	if (!nbd)
		return NULL;
	nbd->uri = strdup(config->where);
	if (!nbd->uri) {
		free(nbd);
		return NULL;
	}
	nbd->medium.ops = &nbd_ops;
	nbd->medium.kind = "nbd";
	nbd->medium.direct = true;
	nbd->medium.remote = true;
	nbd->patience_ms =
		(config->patience ? config->patience : PATIENCE_SECONDS) * UINT64_C(1000);
	pthread_mutex_init(&nbd->lock, NULL);
	for (unsigned int i = 0; i < CONNECTIONS; i++)
		pthread_mutex_init(&nbd->connection[i].lock, NULL);
	return nbd;
}

int medium_open_nbd(struct medium **medium, const struct medium_config *config, char *why,
		    size_t why_size)
{
	struct nbd *nbd;
	bool timed_out;
	int err = 0;

	if (libnbd_load()) {
		snprintf(why, why_size,
			 "is an NBD URI, and libnbd cannot be loaded (%s): install libnbd0, or give "
			 "a file or a block device", dlerror());
		return -EOPNOTSUPP;
	}
	nbd = make(config);
	if (!nbd) {
		snprintf(why, why_size, "no memory to connect to it");
		return -ENOMEM;
	}
	nbd->connection[0].handle = dial(nbd->uri, connect_ms(nbd), &timed_out);
	if (!nbd->connection[0].handle) {
		snprintf(why, why_size, "cannot be reached: %s",
			 timed_out ? "no answer in time" : nbd_reason());
		err = -ENOTCONN;
	}
	if (!err)
		err = inspect(nbd, config, why, why_size);
	if (!err && !config->force)
		err = check_content(nbd, why, why_size);
	if (err) {
		nbd_medium_close(&nbd->medium);
		return err;
	}
	*medium = &nbd->medium;
	return 0;
}
