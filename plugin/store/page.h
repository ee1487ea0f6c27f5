/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One page: how it is read, written, modified and forgotten.  The caller has pinned ref; entry
 * is in it, and not locked by the caller unless it says so.  Nothing here retries: where there
 * is no room, the caller makes some (request_make_room) and comes again.
 */
#ifndef RAMZSWAP_STORE_PAGE_H
#define RAMZSWAP_STORE_PAGE_H

#include "store/request.h"

/* Fills page; slack as in codec.h.  0 or -EIO. */
int page_read(struct request *req, struct table_ref *ref, table_entry *entry, void *page,
	      size_t slack);

/* 0, -ENOSPC, -ENOMEM; the old page stays on failure. */
int page_write(struct request *req, struct table_ref *ref, table_entry *entry, const void *page);

/*
 * Puts count bytes (zeroes if data is NULL) at offset into the page.  0, -EIO,
 * -ENOSPC, -ENOMEM.
 */
int page_modify(struct request *req, struct table_ref *ref, table_entry *entry, const void *data,
		size_t offset, size_t count);

/* Whether a page holds only zeroes. */
bool page_is_zero(const void *page);

/* Makes the page empty. */
void page_forget(struct request *req, struct table_ref *ref, table_entry *entry);

/* Decodes what the locked entry of page number says into page.  0 or -EIO. */
int page_decode(struct store *store, uint64_t number, uint64_t entry, void *page, size_t slack);

#endif
