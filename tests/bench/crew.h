/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that carry out a list of requests on a peer and time nothing but the
 * peer.  A batch of requests is copied into a buffer of the thread beforehand,
 * and what was read is compared afterwards, both off the clock: as in a server,
 * where the data has just come from a socket, the buffer is in the cache.
 */
#ifndef RAMZSWAP_CREW_H
#define RAMZSWAP_CREW_H

#include "peers.h"

struct request {
	uint32_t slot; /* of the disk, */
	uint32_t page; /* of the set: what a write puts there; slot and page are the first */
};

struct job {
	struct peer *peer;
	const struct bench_set *set;
	const struct request *requests;
	uint32_t count;		/* of requests; no two of them touch the same slot */
	uint32_t request_pages; /* 1 to 32 */
	bool write;
};

struct spent {
	uint64_t wall_ns; /* from beginning to end, shared by all threads */
	uint64_t cpu_ns;  /* of all threads together */
};

struct crew;

/* 0 or a negative errno. */
int crew_create(struct crew **crew, unsigned int threads);

/*
 * Does the job and adds what it took to *spent.  0, or the first negative errno of
 * a request; -EUCLEAN, after a line on stderr, if something wrong was read.
 */
int crew_run(struct crew *crew, const struct job *job, struct spent *spent);

void crew_destroy(struct crew *crew);

#endif
