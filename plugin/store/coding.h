/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which codec a payload is of.  What is written is encoded by one that is fast, what has been
 * idle by one that is dense; a page that is read often comes back to the first.
 */
#ifndef RAMZSWAP_STORE_CODING_H
#define RAMZSWAP_STORE_CODING_H

#include "store/request.h"

/*
 * Decodes the len bytes at payload, which is what the entry, locked by the caller, names, into
 * page; slack as in codec.h.  A whole page is copied.  0 or -EIO.
 */
int coding_decode(const struct store *store, uint64_t entry, const void *payload, size_t len,
		  void *page, size_t slack);

/* As coding_after_read, of a payload that is not in the codec for what is written. */
uint64_t coding_return(struct request *req, uint64_t number, uint64_t content, const void *page);

/*
 * After page number, in memory, was read whose entry is locked by the caller and says content: has
 * it encoded for speed if it is read often, and if there is room without taking any from the
 * system. Waits for nothing.  What the entry is to say from now on.
 */
static inline uint64_t coding_after_read(struct request *req, uint64_t number, uint64_t content,
					 const void *page)
{
	/* Most pages that are read are. */
	if (entry_coding(content) == CODING_WRITTEN || entry_kind(content) != KIND_PAYLOAD)
		return content;
	return coding_return(req, number, content, page);
}

#endif
