/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often a value was how large: counts by bounds that are fixed, and the sum.  Values are added
 * by any thread without a lock and without waiting; readers may see one in the counts that is not
 * in the sum yet.  No function here allocates.
 *
 * HISTOGRAMS is the only list.  X(name, metric, unit, help): unit is in how many of it the
 * metric's unit is.
 */
#ifndef RAMZSWAP_HISTOGRAM_H
#define RAMZSWAP_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* One request in so many is measured: what a clock costs is not to be seen. */
#define HISTOGRAM_SAMPLE 64u

#define HISTOGRAMS(X)                                              \
	X(read_nanoseconds, "read_duration_seconds", 1000000000,   \
	  "Time that a read request took, of one in 64")           \
	X(write_nanoseconds, "write_duration_seconds", 1000000000, \
	  "Time that a write request took, of one in 64")          \
	X(payload_bytes, "payload_size_bytes", 1,                  \
	  "Size of a payload when its page was written, of one request in 64")

enum histogram_kind {
#define HISTOGRAM_KIND(name, metric, unit, help) HISTOGRAM_##name,
	HISTOGRAMS(HISTOGRAM_KIND)
#undef HISTOGRAM_KIND
		HISTOGRAM_KINDS
};

/* Bounds, and what is above the last. */
#define HISTOGRAM_BOUNDS_MAX 16u

struct histogram_form {
	const char *name, *metric, *help;
	uint64_t unit;
	unsigned int bounds; /* at most HISTOGRAM_BOUNDS_MAX */
	const uint64_t *bound;
};

extern const struct histogram_form histogram_forms[HISTOGRAM_KINDS];

struct histogram {
	atomic_uint_least64_t count[HISTOGRAM_BOUNDS_MAX + 1], sum;
};

/* The same at one time: count[i] is of values above the bound before and up to bound i. */
struct histogram_state {
	uint64_t count[HISTOGRAM_BOUNDS_MAX + 1], sum;
};

void histogram_add(struct histogram *histogram, enum histogram_kind kind, uint64_t value);
void histogram_reset(struct histogram *histogram);
void histogram_get(const struct histogram *histogram, struct histogram_state *state);

uint64_t histogram_total(const struct histogram_state *state);

/*
 * The value that a part of all is up to, by a straight line between two bounds; 0 if there is
 * none, and the last bound for what is above.
 */
uint64_t histogram_quantile(const struct histogram_state *state, enum histogram_kind kind,
			    double part);

/*
 * The form that crosses the control socket, lines "NAME BOUND COUNT" and "NAME sum SUM", where the
 * last bound is inf.  A bound without a value has no line.
 */
#define HISTOGRAM_LINE_MAX 64u
#define HISTOGRAMS_PLAIN_MAX (HISTOGRAM_KINDS * (HISTOGRAM_BOUNDS_MAX + 2) * HISTOGRAM_LINE_MAX + 1)

/* The length without the NUL, or -ENOSPC if size is too small. */
int histograms_format(const struct histogram_state states[HISTOGRAM_KINDS], char *text,
		      size_t size);

/*
 * Reads it; what another version has and we do not, names and bounds, is left out.  0, or -EBADMSG
 * for a line that is none: states are untouched then.
 */
int histograms_parse(struct histogram_state states[HISTOGRAM_KINDS], const char *text);

#endif
