/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moving objects out of sparse spans.  See store_compact too. */
#ifndef RAMZSWAP_STORE_COMPACT_H
#define RAMZSWAP_STORE_COMPACT_H

#include "store/state.h"

/* Tries to win room at once.  Whether it did.  No entry may be locked by the caller. */
bool compact_make_room(struct store *store);

/* One step of a pass, or the beginning of one.  Milliseconds until the next. */
unsigned int compact_step(struct store *store);

#endif
