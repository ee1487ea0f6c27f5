/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When pages go to the backing store.  See store_writeback_work and store_writeback too. */
#ifndef RAMZSWAP_STORE_WRITEBACK_H
#define RAMZSWAP_STORE_WRITEBACK_H

#include "store/state.h"

/* 0 or -ENOMEM, -ENOSPC. */
int writeback_init(struct store *store, const struct store_config *config);
void writeback_fini(struct store *store);

/*
 * Tries to win room by writing pages to the backing store.  Whether there is hope that a
 * write finds some now.  No entry may be locked by the caller.
 */
bool writeback_make_room(struct store *store);

#endif
