/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages behind the pool: read, and brought back to memory. */
#ifndef RAMZSWAP_STORE_FETCH_H
#define RAMZSWAP_STORE_FETCH_H

#include "store/request.h"

/*
 * As page_read for a KIND_BACKED entry that is locked and says *content; may bring it
 * back to memory: *content is what the entry has to say from now on.
 */
int backed_read(struct request *req, uint64_t number, uint64_t *content, void *page, size_t slack);

/*
 * Before the page of a KIND_BACKED entry is read, and as many behind it as the request still
 * has to: reads those that lie close to it at once.  No entry may be locked by the caller.
 */
void backed_look_ahead(struct request *req, const struct table_ref *ref, const table_entry *entry,
		       size_t pages_behind);

/* Decodes the payload of a KIND_BACKED entry that is locked.  0 or -EIO. */
int backed_decode(const struct store *store, uint64_t number, uint64_t content, void *page,
		  size_t slack);

#endif
