/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What somebody asked of an allocator, to be asked again of others.
 *
 * As text, one line each: "a NUMBER SIZE" for an object made, "f NUMBER" for one
 * freed, "p NAME" where a phase ends (without any, six of equal length).  NUMBER is
 * hexadecimal and tells live objects apart.  The page store records such a file
 * (plugin/store.h, trace; engine_bench --trace).
 *
 * In memory objects are numbered by slots, so that a replay needs one array.
 */
#ifndef RAMZSWAP_TRACE_H
#define RAMZSWAP_TRACE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TRACE_PHASES_MAX 16
#define TRACE_NAME_MAX 24

enum trace_kind { TRACE_ALLOC, TRACE_FREE, TRACE_PHASE_END };

struct trace_op {
	uint32_t slot; /* of TRACE_PHASE_END: number of the phase */
	uint16_t size; /* of TRACE_ALLOC */
	uint16_t kind;
};

/*
 * A slot that was freed is not used again for so many operations, so that a replay
 * may do what lies closer together in another order.
 */
#define TRACE_WINDOW 256u

struct trace {
	char name[64];
	struct trace_op *ops;
	size_t count;
	size_t room;
	uint32_t slots; /* one more than the highest */
	uint32_t phases;
	char phase[TRACE_PHASES_MAX][TRACE_NAME_MAX];

	/* Only while it is made: slots in use, and the queue of those free again. */
	uint32_t *free_slots;
	size_t free_first, free_last, free_room;
};

/* Each returns 0 or a negative errno, after a line on stderr. */
int trace_read(struct trace *trace, const char *path);
int trace_write(const struct trace *trace, const char *path);

/*
 * Makes a trace of sizes: all of them in order ("fill"), three times as many
 * random ones replaced, the new object made before the old one is freed
 * ("churn"), three quarters freed at random ("free75"), the rest ("empty").
 */
int trace_from_sizes(struct trace *trace, const char *name, const uint16_t *sizes, uint32_t count);

/*
 * The same from the payloads of a file of pages, compressed as the store does it:
 * same-filled pages cost nothing, and what stays above 15/16 of a page is kept raw.
 */
int trace_from_pages(struct trace *trace, const char *path);

/*
 * The two workloads that xvmalloc was measured with in 2009, a million operations
 * until three quarters are freed: uniform sizes of 1 to 4096, and sizes mostly of
 * 1024 to 2600 with (here: three in ten) many under 64.
 */
int trace_uniform(struct trace *trace);
int trace_mixed(struct trace *trace);

void trace_free(struct trace *trace);

#endif
