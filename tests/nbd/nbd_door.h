/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of a server's disk as the door of a model (store_model.h), and its control socket. */
#ifndef TESTS_NBD_DOOR_H
#define TESTS_NBD_DOOR_H

#include "server.h"
#include "store_model.h"

struct nbd_client {
	const struct server *server;
	struct nbd_handle *nbd;
	bool rude;	    /* may leave without a word */
	unsigned int turns; /* of what zeroes, which there are several ways to ask for */
};

/* Comes, and leaves: politely, or in the middle of a read that it has asked for. */
void nbd_client_come(struct nbd_client *client, const struct server *server, bool rude);
void nbd_client_leave(struct nbd_client *client);
void nbd_client_hang_up(struct nbd_client *client);

/*
 * Has the model's requests go by this client, which leaves and comes now and then.  structured:
 * whether the server says what is a hole.
 */
void nbd_client_serve(struct nbd_client *client, struct model *model, bool structured);

/*
 * What the control socket says to this command, of which size - 1 bytes are kept; whether that is
 * ok.
 */
bool control_ask(const char *path, const char *command, char *answer, size_t size);

#endif
