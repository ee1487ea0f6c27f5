/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See nbd_peer.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "medium/nbd_peer.h"

#define PATIENCE_SECONDS 30u
#define CONNECT_MS 5000u
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define WAITING_MAX 8u

/* Without the name of the call before it. */
const char *nbd_reason(void)
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
	uint64_t deadline = clock_ms() + ms;

	*timed_out = false;
	if (!handle)
		return NULL;
	libnbd.set_uri_allow_local_file(handle, true);
	if (libnbd.aio_connect_uri(handle, uri) == -1)
		goto failed;
	while (libnbd.aio_is_connecting(handle) == 1) {
		uint64_t now = clock_ms();
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

static uint64_t connect_ms(const struct nbd_peer *peer)
{
	return peer->patience_ms < CONNECT_MS ? peer->patience_ms : CONNECT_MS;
}

static bool right_size(struct nbd_peer *peer, struct nbd_handle *handle)
{
	int64_t size = libnbd.get_size(handle);

	return size >= 0 && (uint64_t)size >= peer->size;
}

/* Returns whether it has been lost for too long to be waited for. */
static bool note_lost(struct nbd_peer *peer)
{
	uint64_t now = clock_ms();
	bool too_long;

	pthread_mutex_lock(&peer->lock);
	if (peer->lost_since == 0) {
		peer->lost_since = now;
		peer->backoff = BACKOFF_MIN_MS;
		peer->next_try = now;
	}
	too_long = now > peer->lost_since + peer->patience_ms;
	pthread_mutex_unlock(&peer->lock);
	return too_long;
}

static void note_there(struct nbd_peer *peer)
{
	pthread_mutex_lock(&peer->lock);
	peer->lost_since = 0;
	pthread_mutex_unlock(&peer->lock);
}

/*
 * How long to wait until the server may be called again: 0 for now, and then it is
 * the caller's turn.  UINT64_MAX if it has been away for too long to wait at all.
 */
static uint64_t wait_before_call(struct nbd_peer *peer)
{
	uint64_t now = clock_ms(), wait = 0;

	pthread_mutex_lock(&peer->lock);
	if (peer->lost_since != 0 && now < peer->next_try) {
		wait = peer->next_try - now;
		if (now > peer->lost_since + peer->patience_ms)
			wait = UINT64_MAX;
	} else if (peer->lost_since != 0) {
		peer->next_try = now + peer->backoff;
		peer->backoff *= 2;
		if (peer->backoff > BACKOFF_MAX_MS)
			peer->backoff = BACKOFF_MAX_MS;
	}
	pthread_mutex_unlock(&peer->lock);
	return wait;
}

/* The connection's lock is held.  Waits as long as there is patience. */
static int reconnect(struct nbd_peer *peer, struct nbd_connection *connection)
{
	for (;;) {
		uint64_t wait = wait_before_call(peer);
		bool timed_out;

		if (wait == UINT64_MAX)
			return -ENOTCONN;
		if (wait > 0) {
			clock_sleep_ms(wait);
			continue;
		}
		connection->handle = dial(peer->uri, connect_ms(peer), &timed_out);
		if (connection->handle && right_size(peer, connection->handle)) {
			note_there(peer);
			return 0;
		}
		if (connection->handle)
			libnbd.close(connection->handle);
		connection->handle = NULL;
		if (note_lost(peer))
			return -ENOTCONN;
	}
}

/*
 * Until the request of this cookie is done.  0, a negative errno from the server, or
 * -ENOTCONN if the connection is of no use any more.
 */
static int await(struct nbd_peer *peer, struct nbd_handle *handle, int64_t cookie)
{
	uint64_t deadline = clock_ms() + peer->patience_ms;

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
		now = clock_ms();
		if (now >= deadline || libnbd.poll(handle, (int)(deadline - now)) <= 0)
			return -ENOTCONN;
	}
}

int nbd_peer_transfer_on(struct nbd_peer *peer, struct nbd_handle *handle,
			 const struct nbd_transfer *transfer)
{
	size_t done = 0;
	int err = 0;

	while (done < transfer->len && !err) {
		size_t len = transfer->len - done;
		uint64_t offset = transfer->offset + done;
		int64_t cookie;

		if (len > peer->request_max)
			len = peer->request_max;
		if (transfer->what == TRANSFER_READ)
			cookie = libnbd.aio_pread(handle, transfer->buf + done, len, offset,
						  NBD_NULL_COMPLETION, 0);
		else if (transfer->what == TRANSFER_WRITE)
			cookie = libnbd.aio_pwrite(handle, transfer->buf + done, len, offset,
						   NBD_NULL_COMPLETION, 0);
		else
			cookie = libnbd.aio_trim(handle, len, offset, NBD_NULL_COMPLETION, 0);
		err = await(peer, handle, cookie);
		done += len;
	}
	/* Only this tells whether a server with a cache has found a place for it. */
	if (!err && transfer->what == TRANSFER_WRITE && peer->can_flush)
		err = await(peer, handle, libnbd.aio_flush(handle, NBD_NULL_COMPLETION, 0));
	return err;
}

/* A connection that is free, or else the one whose turn it is, when it is. */
static struct nbd_connection *take_connection(struct nbd_peer *peer)
{
	unsigned int turn = atomic_fetch_add(&peer->turn, 1);

	for (unsigned int i = 0; i < peer->connections; i++) {
		struct nbd_connection *connection =
			&peer->connection[(turn + i) % peer->connections];

		if (pthread_mutex_trylock(&connection->lock) == 0)
			return connection;
	}
	pthread_mutex_lock(&peer->connection[turn % peer->connections].lock);
	return &peer->connection[turn % peer->connections];
}

bool nbd_peer_is_lost(struct nbd_peer *peer)
{
	bool lost;

	pthread_mutex_lock(&peer->lock);
	lost = peer->lost_since != 0;
	pthread_mutex_unlock(&peer->lock);
	return lost;
}

/* As often as the connection is lost and there is patience to make a new one. */
static int try_transfer(struct nbd_peer *peer, struct nbd_connection *connection,
			const struct nbd_transfer *transfer)
{
	int err = 0;

	do {
		if (!connection->handle)
			err = reconnect(peer, connection);
		if (err)
			return err;
		err = nbd_peer_transfer_on(peer, connection->handle, transfer);
		if (err == -ENOTCONN) {
			libnbd.close(connection->handle);
			connection->handle = NULL;
			(void)note_lost(peer);
			err = 0;
		} else {
			return err;
		}
	} while (true);
}

int nbd_peer_transfer(struct nbd_peer *peer, const struct nbd_transfer *what)
{
	struct nbd_connection *connection;
	int err;

	if (nbd_peer_is_lost(peer) && atomic_load(&peer->waiting) >= WAITING_MAX)
		return -ENOTCONN;
	atomic_fetch_add(&peer->waiting, 1);
	connection = take_connection(peer);
	err = try_transfer(peer, connection, what);
	pthread_mutex_unlock(&connection->lock);
	atomic_fetch_sub(&peer->waiting, 1);
	return err;
}

static void hang_up(struct nbd_peer *peer)
{
	for (unsigned int i = 0; i < NBD_CONNECTIONS; i++) {
		if (peer->connection[i].handle)
			libnbd.close(peer->connection[i].handle);
		peer->connection[i].handle = NULL;
	}
}

int nbd_peer_start(struct nbd_peer *peer)
{
	hang_up(peer);
	for (unsigned int i = 0; i < peer->connections; i++) {
		int err = reconnect(peer, &peer->connection[i]);

		if (err)
			return err;
	}
	return 0;
}

struct nbd_handle *nbd_peer_call(struct nbd_peer *peer, const char **reason)
{
	bool timed_out;

	peer->connection[0].handle = dial(peer->uri, connect_ms(peer), &timed_out);
	if (!peer->connection[0].handle)
		*reason = timed_out ? "no answer in time" : nbd_reason();
	return peer->connection[0].handle;
}

int nbd_peer_init(struct nbd_peer *peer, const char *uri, unsigned int patience)
{
	memset(peer, 0, sizeof(*peer));
	peer->uri = strdup(uri);
	if (!peer->uri)
		return -ENOMEM;
	peer->patience_ms = (patience ? patience : PATIENCE_SECONDS) * UINT64_C(1000);
	pthread_mutex_init(&peer->lock, NULL);
	for (unsigned int i = 0; i < NBD_CONNECTIONS; i++)
		pthread_mutex_init(&peer->connection[i].lock, NULL);
	return 0;
}

void nbd_peer_fini(struct nbd_peer *peer)
{
	hang_up(peer);
	free(peer->uri);
}
