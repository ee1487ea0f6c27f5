/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "store/age.h"
#include "store/coding.h"
#include "store/dictionary.h"
#include "store/object.h"
#include "store/trace.h"

int coding_decode(const struct store *store, uint64_t entry, const void *payload, size_t len,
		  void *page, size_t slack)
{
	enum entry_coding coding = entry_coding(entry);
	int err;

	if (len == STORE_PAGE_SIZE) {
		memcpy(page, payload, STORE_PAGE_SIZE);
		return 0;
	}
	if (coding == CODING_WRITTEN)
		err = store->codec->decompress(payload, len, page, slack);
	else if (coding == CODING_IDLE)
		err = store->idle_codec->decompress(payload, len, page, slack);
	else
		err = dictionary_decode(store, entry_generation(entry), payload, len, page, slack);
	return err ? -EIO : 0;
}

/* The page as a new object, encoded as one that is written; its entry, or 0 without room. */
static uint64_t encode_for_speed(struct request *req, uint64_t number, const void *page,
				 struct encoder *encoder)
{
	struct store *store = req->store;
	int len = store->codec->compress(CODEC_FAST, encoder->workspace, page, encoder->payload);
	bool raw = len > (int)PAYLOAD_MAX;
	size_t size = raw ? STORE_PAGE_SIZE : (size_t)len;
	unsigned int pool;
	uint32_t handle;
	uint64_t new;

	if (len <= 0 ||
	    pools_alloc_inside(&store->pools, req->turn, size + store->trailer, &pool, &handle))
		return 0;
	if (store->trace)
		store_trace_alloc(store, pool, handle, size + store->trailer);
	new = entry_make(raw ? KIND_RAW : KIND_PAYLOAD, pool, handle);
	object_fill(store, number, new, raw ? page : encoder->payload, size);
	return new;
}

uint64_t coding_return(struct request *req, uint64_t number, uint64_t content, const void *page)
{
	struct store *store = req->store;
	struct encoder *encoder;
	uint64_t new;

	if (age_of(store, content) > AGE_TICKS_HOT)
		return content;
	encoder = request_try_encoder(req);
	if (!encoder)
		return content;
	new = encode_for_speed(req, number, page, encoder);
	/* The next page may be behind the pool: who waits for that has no encoder. */
	request_release_encoder(req);
	if (!new)
		return content;
	page_account(req, content, -1);
	page_account(req, new, 1);
	page_free(store, number, content);
	atomic_fetch_add_explicit(&store->recompress.returned, 1, memory_order_relaxed);
	return new;
}
