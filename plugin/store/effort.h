/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much of the machine recompression may have now.  Under recompress.lock. */
#ifndef RAMZSWAP_STORE_EFFORT_H
#define RAMZSWAP_STORE_EFFORT_H

#include "store/state.h"

/* Whether requests keep the disk at work.  now is of clock_ms; to be asked at every step. */
bool effort_loaded(struct store *store, uint64_t now);

/*
 * How long to rest, in milliseconds, after so much processor time: by the share of one that was
 * set, and while requests come by no more than is fit for them.  now is of clock_ms.
 */
unsigned int effort_rest_ms(const struct store *store, uint64_t now, uint64_t busy_ns);

/* How much time a page may take: the most only where disk and machine have nothing to do. */
enum codec_effort effort_present(struct store *store, uint64_t now);

#endif
