/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replays a trace through one allocator and measures it. */
#ifndef RAMZSWAP_REPLAY_H
#define RAMZSWAP_REPLAY_H

#include "trace.h"

#define REPLAY_SAMPLES_MAX 1000

/* A moment of the replay. */
struct replay_point {
	uint64_t op;	/* operations done */
	uint64_t ideal; /* bytes of all live objects */
	uint64_t used;	/* growth of the process's anonymous memory since before the first */
};

struct replay_result {
	/* At the end of each phase, and if the allocator compacts, after doing that. */
	struct replay_point phase[TRACE_PHASES_MAX];
	struct replay_point compacted[TRACE_PHASES_MAX];
	double compact_ms[TRACE_PHASES_MAX];
	/* ns per operation of a phase, writing every byte of the payload included. */
	double ns_touched[TRACE_PHASES_MAX];
	/* ns of an allocation and of a free, payload untouched.  Median over windows. */
	double ns_alloc[TRACE_PHASES_MAX];
	double ns_free[TRACE_PHASES_MAX];
	uint32_t samples;
	struct replay_point sample[REPLAY_SAMPLES_MAX];
	char error[120];
};

enum replay_allocator {
	REPLAY_OURS,
	REPLAY_OURS_PREFETCH, /* says ahead of time what it is going to free */
	REPLAY_MALLOC,	      /* whatever malloc is in this process */
};

/* Measures memory: every payload is written, the trace is followed to the letter. */
void replay_memory(const struct trace *trace, enum replay_allocator allocator,
		   struct replay_result *result);

/*
 * Measures time: payloads are written in the first phase only, so that memory is
 * resident; of every few operations the allocations are done first, then the
 * frees, so that each can be timed for itself.
 */
void replay_time(const struct trace *trace, enum replay_allocator allocator,
		 struct replay_result *result);

#endif
