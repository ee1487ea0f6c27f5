/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notices of swap slots that the kernel has freed: who may give them, and until when.
 *
 * ramzswap-freed loads a program into the kernel for one device and hands its array over by the
 * control socket.  It proves that the device is ours by a word that it writes through the device
 * into the swap header (notices_take), and the notices end with the first client that was
 * there then and leaves: who is attached after it may be another device, or none.
 */
#ifndef RAMZSWAP_NOTICES_H
#define RAMZSWAP_NOTICES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "freed/map.h"
#include "freed/proof.h"

struct store;

#define NOTICES_FUNCTION_MAX 64

struct notices {
	pthread_mutex_t lock;
	struct freed_map map;
	uint64_t earlier;	/* notices by arrays before this one */
	uint64_t next_client;	/* the number that the next one gets */
	uint64_t their_clients; /* those with lower numbers were there when they began */
	char function[NOTICES_FUNCTION_MAX]; /* of the kernel, that they come from; "" for none */
	bool ended;			     /* there were some, until a client left */
};

/* No notices, and no client yet. */
#define NOTICES_INITIALIZER                                         \
	{                                                           \
		.lock = PTHREAD_MUTEX_INITIALIZER, .next_client = 1 \
	}

/* What ramzswap-freed asks for. */
struct notices_request {
	int array, link;		       /* descriptors: taken, whatever comes of it */
	uint64_t slots;			       /* whole pages of the device */
	const char *function;		       /* of the kernel, a name */
	unsigned char proof[FREED_PROOF_SIZE]; /* that stands in the device's first page */
};

/*
 * Has the store heed the array from now on.  0, or a negative errno with a line of why:
 * -EXDEV if the device is not this disk, -EINVAL if the array does not fit to it, -ENOSPC or
 * -ENOMEM.  Then there are none.  The door is held (clients.h), with a client inside: one that
 * leaves comes to notices_client_left behind this.
 */
int notices_take(struct notices *notices, struct store *store,
		 const struct notices_request *request, char *why, size_t why_size);

/* Ends them, if there are any.  A store that is not there any more is NULL. */
void notices_end(struct notices *notices, struct store *store);

/* A client has come: its number, for notices_client_left. */
uint64_t notices_client(struct notices *notices);
void notices_client_left(struct notices *notices, struct store *store, uint64_t client);

/* One line: what they come from, or why there are none. */
void notices_describe(struct notices *notices, char *text, size_t size);

/* How many there were since the start. */
uint64_t notices_count(struct notices *notices);

/* Whether they come, and the store heeds them. */
bool notices_are_heeded(struct notices *notices);

/* Frees what is there.  The store is gone. */
void notices_fini(struct notices *notices);

#endif
