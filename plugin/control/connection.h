/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client of the control socket: what it has said so far, and what it has been told.
 * Nothing here waits or allocates.  A connection belongs to one thread at a time.
 */
#ifndef RAMZSWAP_CONTROL_CONNECTION_H
#define RAMZSWAP_CONTROL_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/commands.h"

/* A request takes less: the longest is "freed" with its proof. */
#define CONNECTION_REQUEST_MAX 128

/* How long a client may take to send its request, and again to take the answer. */
#define CONNECTION_TIMEOUT_MS 5000

enum connection_state {
	CONNECTION_NONE, /* of zeroes: nobody is there */
	CONNECTION_READING,
	CONNECTION_WORKING, /* its command is being carried out by another thread */
	CONNECTION_WRITING,
};

struct connection {
	enum connection_state state;
	int fd;
	int64_t deadline; /* of reading or writing, of clock_ms */
	size_t request_len;
	char request[CONNECTION_REQUEST_MAX];
	const struct control_command *command;
	struct control_request asked; /* its argument is inside request */
	bool one_way;		      /* the client, at work, will send nothing more; it may read */
	bool gone;		      /* the client hung up while its command was at work */
	struct control_reply reply;
	size_t reply_sent;
};

/* Takes the socket, non-blocking, of a client that has come. */
void connection_open(struct connection *client, int fd);

/* Closes it, and the descriptors that came with a request and were not taken. */
void connection_drop(struct connection *client);

/*
 * Takes what has come of the request.  Whether it is complete: then it is in request, without
 * its newline.  Who hung up is dropped; whose request is too long is told so.
 */
bool connection_receive(struct connection *client);

/* Begins to send reply. */
void connection_reply(struct connection *client);

/* Sends as much of the reply as the client takes, and closes behind its end. */
void connection_send(struct connection *client);

/* Whether it is the client's turn, until its deadline. */
bool connection_is_waited_for(const struct connection *client);

#endif
