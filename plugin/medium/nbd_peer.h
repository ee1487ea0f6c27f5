/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An NBD server as somebody who may be gone for a while: connections, requests with a
 * deadline, and calling it again.
 *
 * Several connections, if the server says that they see one another's writes, so
 * that a page is read while a segment is being written; else one.  Each has a
 * lock and carries one request at a time.  A server that hangs is treated as one that is
 * gone, and its connection is closed.
 *
 * A lost server is called again, at first at once and then less and less often.  A
 * request waits for it until the server has been away for longer than the patience,
 * and fails from then on; only so many wait that they do not use up the threads that
 * others need for pages in memory.
 */
#ifndef RAMZSWAP_NBD_PEER_H
#define RAMZSWAP_NBD_PEER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "medium/libnbd_calls.h"

#define NBD_CONNECTIONS 4u

struct nbd_connection {
	pthread_mutex_t lock;
	struct nbd_handle *handle; /* NULL: lost */
};

struct nbd_peer {
	char *uri;
	uint64_t patience_ms;
	uint64_t size; /* a server with fewer bytes is not the one that was lost */
	uint32_t request_max;
	bool can_discard;
	bool can_flush;
	unsigned int connections; /* that may be used at once */
	struct nbd_connection connection[NBD_CONNECTIONS];
	atomic_uint turn; /* the connection that is tried first */
	atomic_uint waiting;
	/* Guards what follows: the state of the server, as last seen. */
	pthread_mutex_t lock;
	uint64_t lost_since; /* ms; 0: it is there */
	uint64_t next_try;   /* ms */
	uint64_t backoff;    /* ms */
};

struct nbd_transfer {
	enum { TRANSFER_READ, TRANSFER_WRITE, TRANSFER_DISCARD } what;
	char *buf;
	size_t len;
	uint64_t offset;
};

/*
 * Makes a peer without a connection.  patience in seconds, 0 for the default.  0 or
 * -ENOMEM.
 */
int nbd_peer_init(struct nbd_peer *peer, const char *uri, unsigned int patience);

/* Closes all connections and forgets the peer. */
void nbd_peer_fini(struct nbd_peer *peer);

/*
 * The first connection, to see what is there.  NULL, with *reason saying why until the next
 * call of libnbd.
 */
struct nbd_handle *nbd_peer_call(struct nbd_peer *peer, const char **reason);

/*
 * Connections of before a fork have a second owner: closes them, and makes as many as are to
 * be used.  0, or -ENOTCONN when there is no patience left.
 */
int nbd_peer_start(struct nbd_peer *peer);

/* One transfer on a connection that nobody else uses.  0, -ENOTCONN, or what the server says. */
int nbd_peer_transfer_on(struct nbd_peer *peer, struct nbd_handle *handle,
			 const struct nbd_transfer *transfer);

/* One transfer, as often as there is patience.  As above.  Any thread. */
int nbd_peer_transfer(struct nbd_peer *peer, const struct nbd_transfer *what);

/* Whether the server was gone when it was last needed. */
bool nbd_peer_is_lost(struct nbd_peer *peer);

/* libnbd's own text of what went wrong last. */
const char *nbd_reason(void);

#endif
