/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Encoding idle pages again, with more time.  See store_recompress too. */
#ifndef RAMZSWAP_STORE_RECOMPRESS_H
#define RAMZSWAP_STORE_RECOMPRESS_H

#include "store/state.h"

/* 0 or -ENOMEM, -ENOSPC. */
int recompress_init(struct store *store, unsigned int idle_seconds, unsigned int cpu_percent);
void recompress_fini(struct store *store);

/* As store_recompress, with this effort. */
int recompress_all(struct store *store, enum codec_effort effort, uint64_t *bytes,
		   struct work *work);

/* One step in the background.  Milliseconds until the next. */
unsigned int recompress_step(struct store *store);

/*
 * What a thread adds to the load average of the last minute, which it added `before` to so
 * many milliseconds ago and ran for busy_ns of them.
 */
double recompress_own_load(double before, uint64_t ms, uint64_t busy_ns);

/* Whether, but for our own work, the processors have so little to do that a page may take long. */
bool recompress_may_take_long(double load, double own, long processors);

#endif
