/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How this machine's kernel has attached the disk, if it has: whether its requests find what they
 * need resident, and whether its driver can be trusted with swap as its queue is set.
 * ramzswap(8) sets the queue before it makes swap; this is for who attaches by hand.
 */
#ifndef RAMZSWAP_ATTACHMENT_H
#define RAMZSWAP_ATTACHMENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "survival/survival.h"

/* Room for what attachment_look and attachment_judge say. */
#define ATTACHMENT_WHY_MAX 768

enum attachment_verdict {
	ATTACHMENT_UNKNOWN, /* somebody connected since the last look */
	ATTACHMENT_FINE,    /* or nobody attached it */
	ATTACHMENT_UNSAFE,
};

struct attachment {
	const char *sys_block; /* /sys/block */
	uint64_t disk_bytes;
	bool locked;		/* else nothing is kept resident */
	bool buffers_are_ours;	/* else the heap has what it has, see survival/heap.h */
	unsigned int own_tasks; /* threads of the process that serve no client */
	pthread_mutex_t lock;	/* of those who look: all below but verdict */
	bool symbols_read, scheduler_is_unsafe;
	char told[ATTACHMENT_WHY_MAX]; /* what was said last */
	unsigned int looks_to_skip;
	unsigned int threads; /* of clients, at the last look */
	atomic_int verdict;   /* enum attachment_verdict */
};

/* When all threads but those of clients run. */
void attachment_init(struct attachment *attachment, uint64_t disk_bytes, bool locked,
		     bool buffers_are_ours);

/* A client has come.  Any thread. */
void attachment_expect(struct attachment *attachment);

/*
 * Looks how the disk is attached, has the buffers made resident for the requests that may come,
 * and sets verdict.  Whether there is something to be told, which is in why then:
 * the same is told once.  Allocates: not on the path of a request once swap is on.
 */
bool attachment_look(struct attachment *attachment, char *why, size_t why_size);

/*
 * The same every few seconds only, but at once where the last look was not fine, or found other
 * threads than the one before.
 */
bool attachment_look_again(struct attachment *attachment, char *why, size_t why_size);

/*
 * Of a look: ATTACHMENT_FINE or ATTACHMENT_UNSAFE, and what to do about it in why.  threads serve
 * clients; buffers_fit says whether their buffers are resident.
 */
enum attachment_verdict attachment_judge(const struct queue *queue, unsigned int threads,
					 bool buffers_fit, bool scheduler_is_unsafe, char *why,
					 size_t why_size);

#endif
