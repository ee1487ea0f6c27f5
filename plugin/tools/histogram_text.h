/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long requests take and how large payloads are (base/histogram.h), as people and programs are
 * shown it, but for metrics.  states is an array of HISTOGRAM_KINDS.  None flushes the stream.
 */
#ifndef RAMZSWAP_HISTOGRAM_TEXT_H
#define RAMZSWAP_HISTOGRAM_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/histogram.h"

/* A heading with what most are, and a bar a bound; plain: see figures_are_plain. */
void histograms_write_bars(const struct histogram_state *states, bool plain, FILE *out);

/* The middle, and what 99 of 100 are within, as lines of the form of 2009: microseconds, bytes. */
void histograms_write_labels(const struct histogram_state *states, FILE *out);

/* The value of a member: an object of objects with buckets, sum and count, in seconds and bytes. */
void histograms_write_json(const struct histogram_state *states, FILE *out);

/* A bound, or a sum, in the unit of the metric. */
void histogram_write_value(enum histogram_kind kind, uint64_t value, FILE *out);

#endif
