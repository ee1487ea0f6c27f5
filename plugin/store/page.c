/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One page: how it is read, written, modified and forgotten. */
#include <errno.h>
#include <string.h>

#include "store/age.h"
#include "store/coding.h"
#include "store/fetch.h"
#include "store/freed.h"
#include "store/object.h"
#include "store/page.h"
#include "store/trace.h"

/* Whether the page repeats one word. */
static bool same_filled(const void *page, uint64_t *word)
{
	const unsigned char *bytes = page;
	uint64_t first, at;

	memcpy(&first, bytes, sizeof(first));
	/* Most pages that are not differ at the end already. */
	memcpy(&at, bytes + STORE_PAGE_SIZE - sizeof(at), sizeof(at));
	if (at != first)
		return false;
	if (memcmp(bytes, bytes + sizeof(first), STORE_PAGE_SIZE - sizeof(first)) != 0)
		return false;
	*word = first;
	return true;
}

bool page_is_zero(const void *page)
{
	uint64_t word;

	/* Not even a page that repeats another word is looked through. */
	memcpy(&word, page, sizeof(word));
	return word == 0 && same_filled(page, &word);
}

static void fill_page(void *page, uint64_t word)
{
	unsigned char *bytes = page;

	if (word == 0) {
		memset(page, 0, STORE_PAGE_SIZE);
		return;
	}
	for (size_t i = 0; i < STORE_PAGE_SIZE; i += sizeof(word))
		memcpy(bytes + i, &word, sizeof(word));
}

int page_decode(struct store *store, uint64_t number, uint64_t entry, void *page, size_t slack)
{
	uint64_t word;

	if (!entry_is_possible(store, entry)) {
		atomic_fetch_add_explicit(&store->checksum_errors, 1, memory_order_relaxed);
		return -EIO;
	}
	if (entry_has_object(entry) && !object_is_sound(store, number, entry))
		return -EIO;
	switch (entry_kind(entry)) {
	case KIND_EMPTY:
		memset(page, 0, STORE_PAGE_SIZE);
		return 0;
	case KIND_SAME:
		fill_page(page, entry_word(entry));
		return 0;
	case KIND_SAME_OBJ:
		memcpy(&word, object_map(store, entry), sizeof(word));
		fill_page(page, word);
		return 0;
	case KIND_RAW:
		memcpy(page, object_map(store, entry), STORE_PAGE_SIZE);
		return 0;
	case KIND_PAYLOAD:
		return coding_decode(store, entry, object_map(store, entry),
				     object_size(store, entry), page, slack);
	case KIND_BACKED:
		return backed_decode(store, number, entry, page, slack);
	}
	return -EIO;
}

int page_read(struct request *req, struct table_ref *ref, table_entry *entry, void *page,
	      size_t slack)
{
	uint64_t content = atomic_load_explicit(entry, memory_order_relaxed);
	uint64_t number = table_page_number(ref, entry);
	bool backed;
	int err;

	if (entry_kind(content) < KIND_SAME_OBJ) {
		err = page_decode(req->store, number, content, page, slack);
		req->count[COUNT_FAILED_READS] |= err != 0;
		return err;
	}
	if (entry_kind(content) == KIND_BACKED && req->store->writeback.backing &&
	    slack >= STORE_PAGE_SIZE)
		backed_look_ahead(req, ref, entry, slack / STORE_PAGE_SIZE);
	content = entry_lock(entry);
	backed = entry_kind(content) == KIND_BACKED && entry_is_possible(req->store, content);
	if (backed)
		err = backed_read(req, number, &content, page, slack);
	else
		err = page_decode(req->store, number, content, page, slack);
	if (!err && !backed)
		content = coding_after_read(req, number, content, page);
	entry_unlock(entry, entry_touched(req->store, content));
	if (err)
		req->count[COUNT_FAILED_READS] = 1;
	return err;
}

/* What a page is to be stored as, before there is room for it. */
struct image {
	enum table_kind kind;
	uint64_t word;
	const void *data; /* of the object */
	size_t size;	  /* of the object, 0 for none */
};

static int make_image(struct request *req, const void *page, struct image *image)
{
	const struct codec *codec = req->store->codec;
	struct encoder *encoder;
	int len;

	if (same_filled(page, &image->word)) {
		/* In the entry no checksum would tell it from another word. */
		bool fits = entry_word_fits(image->word) &&
			    (image->word == 0 || !req->store->trailer);

		image->kind = fits ? KIND_SAME : KIND_SAME_OBJ;
		image->data = &image->word;
		image->size = fits ? 0 : sizeof(image->word);
		return 0;
	}
	encoder = request_encoder(req);
	len = codec->compress(CODEC_FAST, encoder->workspace, page, encoder->payload);
	if (len < 0)
		return len;
	image->kind = len <= (int)PAYLOAD_MAX ? KIND_PAYLOAD : KIND_RAW;
	image->data = image->kind == KIND_RAW ? page : encoder->payload;
	image->size = image->kind == KIND_RAW ? STORE_PAGE_SIZE : (size_t)len;
	return 0;
}

/*
 * Finds room for an image and gives the entry that names it.  What old names is
 * about to be freed, and comes into the cache meanwhile; its entry is locked.
 */
static int place_image(struct request *req, uint64_t number, const struct image *image,
		       uint64_t old, uint64_t *entry)
{
	struct store *store = req->store;
	unsigned int pool;
	uint32_t handle;
	int err;

	if (image->size == 0) {
		*entry = entry_make_same(image->word);
		return 0;
	}
	if (object_is_plausible(store, old))
		xv_prefetch(pools_get(&store->pools, entry_pool(old)), entry_handle(old));
	err = request_alloc(req, image->size + store->trailer, &pool, &handle);
	if (err)
		return err;
	if (object_is_plausible(store, old))
		xv_will_free(pools_get(&store->pools, entry_pool(old)), entry_handle(old));
	if (store->trace)
		store_trace_alloc(store, pool, handle, image->size + store->trailer);
	*entry = entry_touched(store, entry_make(image->kind, pool, handle));
	object_fill(store, number, *entry, image->data, image->size);
	return 0;
}

/*
 * Puts an image where the old one is, if it is no larger: nothing can fail then,
 * so a full store still takes such pages.  The entry is locked.
 */
static int replace_image(struct request *req, uint64_t number, uint64_t old,
			 const struct image *image, uint64_t *entry)
{
	struct store *store = req->store;
	size_t room;

	if (!entry_has_object(old))
		return -ENOSPC;
	room = object_size(store, old);
	if (image->size > room || !object_is_sound(store, number, old))
		return -ENOSPC;
	*entry = entry_touched(store, entry_make(image->kind, entry_pool(old), entry_handle(old)));
	object_fill(store, number, *entry, image->data, image->size);
	if (image->size < room)
		xv_shrink(pools_get(&store->pools, entry_pool(old)), entry_handle(old),
			  image->size + store->trailer);
	return 0;
}

/* As replace_image, after a last try to make the payload small enough. */
static int squeeze_image(struct request *req, uint64_t number, uint64_t old, const void *page,
			 const struct image *image, uint64_t *entry)
{
	struct dense *dense = &req->store->dense;
	struct image smaller = { .kind = KIND_PAYLOAD, .data = dense->payload };
	int err, len;

	err = replace_image(req, number, old, image, entry);
	if (!err || image->size == sizeof(image->word) || !entry_has_object(old))
		return err;
	pthread_mutex_lock(&dense->lock);
	len = req->store->codec->compress(CODEC_DENSE, dense->workspace, page, dense->payload);
	if (len > 0 && len <= (int)PAYLOAD_MAX) {
		smaller.size = (size_t)len;
		err = replace_image(req, number, old, &smaller, entry);
	}
	store_wipe(req->store, dense->payload, sizeof(dense->payload));
	store_wipe(req->store, dense->workspace, dense->workspace_size);
	pthread_mutex_unlock(&dense->lock);
	return err;
}

static void count_written(struct request *req, const struct image *image)
{
	if (image->kind != KIND_PAYLOAD && image->kind != KIND_RAW)
		return;
	req->count[COUNT_WRITTEN]++;
	req->count[COUNT_WRITTEN_BYTES] += (int64_t)image->size;
	if (req->measured_from)
		histogram_add(&req->store->histogram[HISTOGRAM_payload_bytes],
			      HISTOGRAM_payload_bytes, image->size);
}

static void count_change(struct request *req, struct table_ref *ref, uint64_t old, uint64_t new)
{
	ref->live_delta += (entry_kind(new) != KIND_EMPTY) - (entry_kind(old) != KIND_EMPTY);
}

/*
 * Stores an image of page in an entry that is locked and says old, and unlocks it.
 * The gauges are taken down before the old object may change in place.
 */
static int store_image(struct request *req, struct table_ref *ref, table_entry *entry, uint64_t old,
		       const void *page, const struct image *image)
{
	uint64_t number = table_page_number(ref, entry), new;
	int err = place_image(req, number, image, old, &new);

	page_account(req, old, -1);
	if (err == -ENOSPC || err == -ENOMEM) {
		if (squeeze_image(req, number, old, page, image, &new) == 0) {
			page_account(req, new, 1);
			freed_clear(req->store, number);
			entry_unlock(entry, new);
			return 0;
		}
	}
	if (err) {
		page_account(req, old, 1);
		entry_unlock(entry, old);
		return err;
	}
	page_account(req, new, 1);
	count_written(req, image);
	count_change(req, ref, old, new);
	freed_clear(req->store, number);
	entry_unlock(entry, new);
	page_free(req->store, number, old);
	return 0;
}

/*
 * Gives an entry new content, whoever has it locked; returns the old.  For an empty page only: a
 * bit of freed.h that stands may drop that, and nothing changes.
 */
static uint64_t entry_swap(struct request *req, table_entry *entry, uint64_t new)
{
	uint64_t old = atomic_load_explicit(entry, memory_order_relaxed);

	if (!(old & ENTRY_LOCK) &&
	    atomic_compare_exchange_strong_explicit(entry, &old, new, memory_order_acq_rel,
						    memory_order_relaxed))
		return old;
	/* Whoever has it may be reading the backing store. */
	if (req->store->writeback.backing)
		request_release_encoder(req);
	old = entry_lock(entry);
	entry_unlock(entry, new);
	return old;
}

static void publish(struct request *req, struct table_ref *ref, table_entry *entry, uint64_t new)
{
	uint64_t old;

	page_account(req, new, 1);
	old = entry_swap(req, entry, new);
	page_account(req, old, -1);
	count_change(req, ref, old, new);
	page_free(req->store, table_page_number(ref, entry), old);
}

/*
 * Locks an entry that is to be written.  False if somebody was reading its page from the
 * backing store: that has been waited for without an encoder, and all begins anew.
 */
static bool lock_to_write(struct request *req, table_entry *entry, uint64_t *content)
{
	uint64_t seen = atomic_load_explicit(entry, memory_order_relaxed);

	if (entry_kind(seen) == KIND_BACKED && (seen & ENTRY_LOCK)) {
		request_release_encoder(req);
		entry_unlock(entry, entry_lock(entry));
		return false;
	}
	*content = entry_lock(entry);
	return true;
}

int page_write(struct request *req, struct table_ref *ref, table_entry *entry, const void *page)
{
	struct image image;
	uint64_t old;
	int err;

	/* The entry comes while the page is compressed. */
	__builtin_prefetch(entry, 1);
	do
		err = make_image(req, page, &image);
	while (!err && !lock_to_write(req, entry, &old));
	if (!err && image.kind == KIND_SAME && image.word == 0)
		req->count[COUNT_ZERO_WRITES]++;
	return err ? err : store_image(req, ref, entry, old, page, &image);
}

/* A page that was read behind the pool, and the record that it was read from. */
struct fetched {
	unsigned char page[STORE_PAGE_SIZE];
	uint64_t entry; /* 0: the page was in memory, and was not read */
	uint64_t filling;
};

/* Whether it was of use or not. */
static void wipe_fetched(const struct store *store, struct fetched *fetched)
{
	if (fetched->entry)
		store_wipe(store, fetched->page, sizeof(fetched->page));
}

/* The entry is locked and says that its page is behind the pool. */
static uint64_t filling_of(const struct store *store, uint64_t entry)
{
	return backed_is_plausible(store, entry)
		       ? backing_filling(store->writeback.backing, entry_location(entry))
		       : 0;
}

/*
 * Reads the page behind the pool that is to be modified, without an encoder.  What is in memory
 * is left for later.  What was fetched before is wiped.
 */
static int fetch_backed(struct request *req, struct table_ref *ref, table_entry *entry,
			struct fetched *fetched)
{
	uint64_t content = atomic_load_explicit(entry, memory_order_relaxed);
	int err = 0;

	wipe_fetched(req->store, fetched);
	fetched->entry = 0;
	if (entry_kind(content) != KIND_BACKED)
		return 0;
	request_release_encoder(req);
	content = entry_lock(entry);
	if (entry_kind(content) == KIND_BACKED) {
		err = page_decode(req->store, table_page_number(ref, entry), content, fetched->page,
				  0);
		fetched->entry = content;
		fetched->filling = filling_of(req->store, content);
	}
	entry_unlock(entry, content);
	return err;
}

/*
 * Whether what was fetched is still what the locked entry names.  The page may have been
 * rewritten meanwhile, and have left to the very place that it had.
 */
static bool still_names(const struct store *store, uint64_t entry, const struct fetched *fetched)
{
	return ((entry ^ fetched->entry) & ~ENTRY_AGE_MASK) == 0 &&
	       filling_of(store, entry) == fetched->filling;
}

/* Makes an entry empty that is locked and says old, and unlocks it. */
static void forget_locked(struct request *req, struct table_ref *ref, table_entry *entry,
			  uint64_t old)
{
	page_account(req, old, -1);
	count_change(req, ref, old, 0);
	entry_unlock(entry, 0);
	page_free(req->store, table_page_number(ref, entry), old);
	req->count[COUNT_NOTIFY_FREE]++;
}

int page_modify(struct request *req, struct table_ref *ref, table_entry *entry, const void *data,
		size_t offset, size_t count)
{
	struct fetched fetched;
	struct encoder *encoder;
	struct image image;
	uint64_t old;
	int err;

	fetched.entry = 0;
	for (;;) {
		err = fetch_backed(req, ref, entry, &fetched);
		if (err) {
			wipe_fetched(req->store, &fetched);
			return err;
		}
		encoder = request_encoder(req);
		if (!lock_to_write(req, entry, &old))
			continue;
		if (entry_kind(old) != KIND_BACKED || still_names(req->store, old, &fetched))
			break;
		entry_unlock(entry, old);
	}
	if (entry_kind(old) == KIND_BACKED)
		memcpy(encoder->page, fetched.page, STORE_PAGE_SIZE);
	else
		err = page_decode(req->store, table_page_number(ref, entry), old, encoder->page, 0);
	wipe_fetched(req->store, &fetched);
	if (err) {
		entry_unlock(entry, old);
		return err;
	}
	if (data)
		memcpy(encoder->page + offset, data, count);
	else
		memset(encoder->page + offset, 0, count);
	/* What is trimmed piece by piece goes as what is trimmed at once. */
	if (!data && page_is_zero(encoder->page)) {
		forget_locked(req, ref, entry, old);
		return 0;
	}
	err = make_image(req, encoder->page, &image);
	if (err) {
		entry_unlock(entry, old);
		return err;
	}
	return store_image(req, ref, entry, old, encoder->page, &image);
}

void page_forget(struct request *req, struct table_ref *ref, table_entry *entry)
{
	uint64_t content = atomic_load_explicit(entry, memory_order_relaxed);

	/* One that damage made empty is not: it is mended by this. */
	if (!(content & ~(ENTRY_LOCK | ENTRY_WAITERS)))
		return;
	publish(req, ref, entry, 0);
	req->count[COUNT_NOTIFY_FREE]++;
}
