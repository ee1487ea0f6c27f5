/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What there is to say of the backing store. */
#ifndef RAMZSWAP_STORE_BACKING_STATS_H
#define RAMZSWAP_STORE_BACKING_STATS_H

#include "store/state.h"

/* Fills in what is known of the backing store. */
void writeback_get_stats(struct store *store, struct ramzswap_stats *stats);

#endif
