/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requests of a ublk device, as its server sees them.
 *
 * The kernel gives each request one of the queue's tags, puts what is asked into the tag's
 * descriptor, and completes the tag's command in the ring.  The answer is the tag's next command,
 * which gives the tag back.  Data lies with the kernel meanwhile: the server takes a write's, and
 * gives a read's, by reading and writing the device's file (UBLK_FEATURE_USER_COPY).  So it has one
 * buffer, not one to a tag that the kernel may fill at any time.
 *
 *	fetch ──► the kernel has the tag ──► completion ──► answered ──┐
 *	                   ▲                                           │
 *	                   └──────────── commit and fetch ◄────────────┘
 *
 * All belongs to the thread that opened it: the kernel then needs no lock on the ring and does what
 * it has to do for it when that thread comes and asks, and so does
 * not interrupt it (IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_DEFER_TASKRUN).
 *
 * Once it is open nothing is allocated here.  Nor is it in the kernel: it keeps the memory of
 * the commands that have ended for those to come, of which there are never more than tags.
 */
#ifndef RAMZSWAP_UBLK_QUEUE_H
#define RAMZSWAP_UBLK_QUEUE_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/patience.h"
#include "ublk/uapi.h"

struct ublk_queue {
	struct io_uring ring;
	int fd; /* of /dev/ublkcN */
	unsigned int depth;
	size_t request_bytes;
	const struct ublk_descriptor *descriptors; /* by tag */
	size_t descriptors_size;
	unsigned char *buffer; /* of request_bytes, for the request that is answered; or NULL */
	bool fixed_file;
	unsigned int held; /* tags that are the kernel's, or on the way there */
	struct patience patience;
};

struct ublk_queue_config {
	unsigned int depth;
	size_t request_bytes; /* of data, at most; 0: no answer carries any */
	unsigned int poll_us; /* longest while in which a request is asked for before sleeping */
};

/*
 * Carries a request out.  data holds what is to be written, and takes what is read; it is NULL
 * where request_bytes is 0.  Returns bytes done, 0 for what has no data, or a negative errno.
 */
typedef int32_t ublk_answer(void *opaque, const struct ublk_descriptor *request,
			    unsigned char *data);

/*
 * Makes all that needs no device: ring and buffer.  0 or a negative errno.  By the thread that
 * will call all the others.
 */
int ublk_queue_make(struct ublk_queue *queue, const struct ublk_queue_config *config);

/*
 * Opens the device at path, /dev/ublkcN, which nobody else may have open.  0 or a negative errno;
 * to be tried again then, or closed.
 */
int ublk_queue_attach(struct ublk_queue *queue, const char *path);

/* What was made or attached. */
void ublk_queue_close(struct ublk_queue *queue);

/*
 * Gives the kernel all tags.  0, or a negative errno, after which the queue is to be closed: also
 * where the kernel refuses one of them for good, and says so at once.
 */
int ublk_queue_fetch(struct ublk_queue *queue);

/*
 * Answers what has come, and waits for more: wait_ms at most, or as long as it takes if that is
 * negative.  1; 0 when the kernel has given all tags back, as it does when the device is stopped;
 * or a negative errno, after which the queue is of no use.
 */
int ublk_queue_round(struct ublk_queue *queue, ublk_answer *answer, void *opaque, int wait_ms);

#endif
