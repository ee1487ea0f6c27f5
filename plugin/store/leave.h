/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a page leaves memory for the backing store, and how segments there are cleaned.  For the
 * thread that holds writeback.lock.
 */
#ifndef RAMZSWAP_STORE_LEAVE_H
#define RAMZSWAP_STORE_LEAVE_H

#include "store/state.h"

/* After backing_write: has the table name what was written, and frees its memory. */
void backed_publish(struct store *store);

/* Instead: the pages of the open segment stay where they are. */
void backed_abandon(struct store *store);

/* Copies a page to the open segment.  0, -ENOSPC if that is full, -EAGAIN if not wanted. */
int backed_append(struct store *store, uint64_t number, table_entry *entry);

/* Copies the live records of sparse segments to the open one.  Whether there were any. */
bool backed_clean(struct store *store, unsigned int percent);

#endif
