/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The statistics as people and programs are shown them, but for metrics (metrics.h).  Each writes
 * to a stream and flushes it.  0, or a negative errno if the stream fails.
 */
#ifndef RAMZSWAP_STATS_TEXT_H
#define RAMZSWAP_STATS_TEXT_H

#include <stdio.h>

#include "base/stats.h"
#include "control/control.h"

/*
 * All of them as rzscontrol --stats had them in 2009: a label, a colon, blanks, the number, and kB
 * (1024 bytes, rounded down) where it is bytes.
 */
int stats_write_text(const struct ramzswap_stats *stats, FILE *out);

/*
 * Those that are in use, in groups: the same lines below headings in brackets, and in words what is
 * no number: none for no limit, yes and no.  about may be NULL, of a server that does not tell.
 */
int stats_write_groups(const struct ramzswap_stats *stats, const struct control_about *about,
		       FILE *out);

/*
 * One object of all numbers, in bytes, and histograms as one member of it; they may be NULL, of a
 * server that has none, or else an array of HISTOGRAM_KINDS.
 */
int stats_write_json(const struct ramzswap_stats *stats, const struct histogram_state *histograms,
		     FILE *out);

/* What there is to say of the backing store, in words for people. */
int stats_write_backing(const struct ramzswap_stats *stats, FILE *out);

/* Pages stored in memory: a payload, raw, or same-filled; and on all the disk, in bytes. */
uint64_t stats_in_memory(const struct ramzswap_stats *stats);
uint64_t stats_stored(const struct ramzswap_stats *stats);

/* For who writes to a stream: flushes it.  0, or a negative errno if it failed since. */
int stream_finish(FILE *out);

#endif
