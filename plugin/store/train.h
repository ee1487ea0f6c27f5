/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a dictionary of a store's own idle pages.  See store_train_work. */
#ifndef RAMZSWAP_STORE_TRAIN_H
#define RAMZSWAP_STORE_TRAIN_H

#include "store/state.h"

/*
 * Makes one now, of pages untouched for so many ticks.  0; -EAGAIN if none is wanted, -ENOSPC
 * without the memory for it, -ENODATA if pages have too little in common.
 */
int train(struct store *store, unsigned int ticks);

#endif
