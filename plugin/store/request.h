/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request on its way through the store: the encoder that it has, what it counts, and what
 * it knows of room.  On the stack of the thread that serves it, which alone uses it.
 */
#ifndef RAMZSWAP_STORE_REQUEST_H
#define RAMZSWAP_STORE_REQUEST_H

#include "store/state.h"

struct request {
	struct store *store;
	struct stripe *stripe;
	unsigned int turn;	   /* of the pools: see pools_alloc */
	struct encoder *encoder;   /* NULL until request_encoder */
	bool held_back;		   /* room was refused for what the machine is short of */
	bool pressing;		   /* and is not any more: there is none to be made otherwise */
	uint64_t room_seen;	   /* store->room_made before the last attempt to find room */
	struct backing_range near; /* in the backing store: where the next pages are */
	uint64_t measured_from;	   /* nanoseconds of clock_ns; 0: it is not measured */
	int64_t count[COUNTERS_PADDED]; /* by enum store_counter */
};

/* So many encoders, or 0 for 2 per processor.  0 or -ENOMEM. */
int encoders_init(struct encoders *encoders, const struct codec *codec, unsigned int count);

/* A zeroed struct is accepted, here and below. */
void encoders_fini(struct encoders *encoders);

/* 0 or -ENOMEM. */
int dense_init(struct dense *dense, const struct codec *codec);
void dense_fini(struct dense *dense);

void request_begin(struct request *req, struct store *store);

/* The same for a step of work that no client asked for: see store_count_ended. */
void request_begin_background(struct request *req, struct store *store);

/* Gives back what the request has, and adds what it counted to the store's counters. */
void request_end(struct request *req);

/* The request's encoder; waits for one if all are at work. */
struct encoder *request_encoder(struct request *req);

/* The same, but NULL if all are at work.  An entry may be locked. */
struct encoder *request_try_encoder(struct request *req);

/* Gives the encoder back, if the request has one: others may wait for it. */
void request_release_encoder(struct request *req);

/* The sum of a counter over all requests that have ended: what they did was done before. */
uint64_t store_counter(const struct store *store, enum store_counter which);

/* The number of reads and writes so far. */
uint64_t store_requests(const struct store *store);

/* The number of requests begun, if none is under way; else UINT64_MAX. */
uint64_t requests_if_quiet(const struct store *store);

/* Sets to 0 what tells of the past; what tells of the pages that there are stays. */
void counters_reset(struct store *store);

#endif
