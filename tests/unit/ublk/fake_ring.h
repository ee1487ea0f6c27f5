/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel for tests of the queue: takes the place of the functions of liburing that make system
 * calls, and of /dev/ublkcN, which is a file here.
 */
#ifndef FAKE_RING_H
#define FAKE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "ublk/uapi.h"

#define FAKE_DEPTH 8u
#define FAKE_REQUEST_BYTES 4096u

/* What the queue gave the kernel, in order. */
struct fake_command {
	unsigned int operation;
	struct ublk_request_command what;
};

struct fake_ring {
	struct fake_command commands[256];
	unsigned int count;
	bool owned[FAKE_DEPTH];	   /* tags that the kernel has */
	uint64_t mark[FAKE_DEPTH]; /* what the queue wants back with a tag's end */
	unsigned int submits, sleeps;
	int fail; /* what the next submits return instead, so often */
	unsigned int fail_times;
	int refuse; /* how the next command of refuse_tag ends at once */
	unsigned int refuse_tag;
	struct ublk_descriptor *descriptors;
	void (*on_sleep)(void); /* what comes while the queue sleeps */
	void (*on_ask)(void);	/* what comes when the time is read: while it asks */
};

extern struct fake_ring fake;

/* Starts anew; returns the path of the device. */
const char *fake_begin(void);
void fake_end(void);

/* Completes a tag with a request, whose data is laid into the device if there is any. */
void fake_request(unsigned int tag, unsigned int operation, uint64_t sector, const void *bytes);

/* What lies in the device for a tag: FAKE_REQUEST_BYTES. */
void fake_data(unsigned int tag, void *bytes);

/* From now on the device has no data. */
void fake_cut(void);

/* Completes a tag with a result. */
void fake_complete(unsigned int tag, int result);

/* Says that there is work, as DEFER_TASKRUN does; the next submit delivers the request. */
void fake_announce(unsigned int tag, uint64_t sector);

#endif
