/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an entry names in a pool. */
#include "store/object.h"
#include "store/shortage.h"
#include "store/trace.h"

void page_free(struct store *store, uint64_t entry)
{
	if (!entry_has_object(entry)) {
		if (entry_kind(entry) == KIND_BACKED)
			backing_forget(store->writeback.backing, entry_location(entry),
				       entry_length(entry));
		return;
	}
	if (store->trace)
		store_trace_free(store, entry_pool(entry), entry_handle(entry));
	xv_free(pools_get(&store->pools, entry_pool(entry)), entry_handle(entry));
}

int request_alloc(struct request *req, size_t size, unsigned int *pool, uint32_t *handle)
{
	struct store *store = req->store;

	if (!store->writeback.backing || req->pressing || span_is_ready(store->pools.source) ||
	    !machine_is_short(store))
		return pools_alloc(&store->pools, req->turn, size, pool, handle);
	req->held_back = true;
	return pools_alloc_inside(&store->pools, req->turn, size, pool, handle);
}

static void account_coding(struct request *req, uint64_t entry, int sign)
{
	if (entry_coding(entry) == CODING_WRITTEN)
		return;
	req->count[COUNT_IDLE] += sign;
	if (entry_generation(entry) >= 0)
		req->count[COUNT_DICTIONARY + entry_generation(entry)] += sign;
}

void page_account(struct request *req, uint64_t entry, int sign)
{
	switch (entry_kind(entry)) {
	case KIND_EMPTY:
		break;
	case KIND_SAME:
		req->count[COUNT_SAME] += sign;
		if (entry_word(entry) == 0)
			req->count[COUNT_ZERO] += sign;
		break;
	case KIND_SAME_OBJ:
		req->count[COUNT_SAME] += sign;
		req->count[COUNT_SAME_OBJ] += sign;
		break;
	case KIND_RAW:
		req->count[COUNT_STORED] += sign;
		req->count[COUNT_RAW] += sign;
		break;
	case KIND_PAYLOAD:
		req->count[COUNT_STORED] += sign;
		if (object_size(req->store, entry) <= STORE_PAGE_SIZE / 2)
			req->count[COUNT_GOOD] += sign;
		account_coding(req, entry, sign);
		break;
	case KIND_BACKED:
		req->count[COUNT_STORED] += sign;
		req->count[COUNT_BACKED] += sign;
		if (entry_length(entry) == STORE_PAGE_SIZE)
			req->count[COUNT_BACKED_RAW] += sign;
		else if (entry_length(entry) <= STORE_PAGE_SIZE / 2)
			req->count[COUNT_GOOD] += sign;
		account_coding(req, entry, sign);
		break;
	}
}
