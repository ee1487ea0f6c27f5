/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an entry names in a pool. */
#include <string.h>

#include "base/checksum.h"
#include "store/object.h"
#include "store/shortage.h"
#include "store/trace.h"

/* What makes an object another page's, or of another kind, changes this, too. */
static uint32_t object_checksum(uint64_t number, uint64_t entry, const void *payload, size_t size)
{
	uint64_t seed = number << 8 | (uint64_t)entry_kind(entry) << 4;

	if (entry_is_coded(entry))
		seed |= entry_coding(entry);
	return checksum(seed, payload, size);
}

void object_fill(const struct store *store, uint64_t number, uint64_t entry, const void *payload,
		 size_t size)
{
	char *object = object_map(store, entry);
	uint32_t sum;

	memcpy(object, payload, size);
	if (!store->trailer)
		return;
	sum = object_checksum(number, entry, payload, size);
	memcpy(object + size, &sum, sizeof(sum));
}

bool object_is_sound(struct store *store, uint64_t number, uint64_t entry)
{
	size_t size;
	uint32_t sum;

	if (!store->trailer)
		return true;
	size = object_size(store, entry);
	if (size > 0) {
		const char *object = object_map(store, entry);

		memcpy(&sum, object + size, sizeof(sum));
		if (sum == object_checksum(number, entry, object, size))
			return true;
	}
	atomic_fetch_add_explicit(&store->checksum_errors, 1, memory_order_relaxed);
	return false;
}

void page_free(struct store *store, uint64_t number, uint64_t entry)
{
	if (!entry_has_object(entry)) {
		if (entry_kind(entry) == KIND_BACKED && backed_is_plausible(store, entry))
			backing_forget(store->writeback.backing, entry_location(entry),
				       entry_length(entry));
		return;
	}
	/* Of a damaged one nobody knows whose it is: its memory is lost. */
	if (!object_is_sound(store, number, entry))
		return;
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
