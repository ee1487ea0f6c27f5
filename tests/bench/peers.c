/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peers.h"

/* --- The set of pages ------------------------------------------------------------ */

static void *new_workspace(const struct codec *codec)
{
	size_t size = (codec->workspace_size[CODEC_FAST] + 63) / 64 * 64 + 64;
	void *workspace = aligned_alloc(64, size);

	if (workspace)
		memset(workspace, 0, size);
	return workspace;
}

static int compress_all(struct bench_set *set)
{
	void *workspace = new_workspace(set->codec);
	uint8_t out[CODEC_BOUND_MAX];
	uint64_t at = 0;

	if (!workspace)
		return -ENOMEM;
	for (uint32_t i = 0; i < set->pages.count; i++) {
		const uint8_t *page = bench_page(&set->pages, i);
		const void *payload = out;
		int len = 0;

		if (!bench_page_same_filled(page)) {
			len = set->codec->compress(CODEC_FAST, workspace, page, out);
			if (len < 0 || len >= (int)BENCH_PAGE_SIZE) {
				len = BENCH_PAGE_SIZE;
				payload = page;
			}
		}
		memcpy(set->payloads + at, payload, len);
		set->payload_at[i] = at;
		set->payload_len[i] = len;
		at += len;
	}
	free(workspace);
	return 0;
}

int bench_set_init(struct bench_set *set, const char *path, uint32_t max, const struct codec *codec)
{
	size_t count;
	int r;

	memset(set, 0, sizeof(*set));
	r = bench_pages_load(&set->pages, path, max);
	if (r)
		return r;
	count = set->pages.count;
	set->codec = codec;
	set->slots = count;
	set->payloads = malloc(count * BENCH_PAGE_SIZE);
	set->payload_at = malloc(count * sizeof(*set->payload_at));
	set->payload_len = malloc(count * sizeof(*set->payload_len));
	set->content = malloc(count * sizeof(*set->content));
	r = set->payloads && set->payload_at && set->payload_len && set->content ? 0 : -ENOMEM;
	if (!r) {
		memset(set->content, 0xff, count * sizeof(*set->content));
		r = compress_all(set);
	}
	if (r) {
		fprintf(stderr, "engine_bench: preparing %zu pages: %s\n", count, strerror(-r));
		bench_set_fini(set);
	}
	return r;
}

void bench_set_fini(struct bench_set *set)
{
	free(set->payloads);
	free(set->payload_at);
	free(set->payload_len);
	free(set->content);
	bench_pages_unload(&set->pages);
}

uint64_t bench_set_ideal(const struct bench_set *set)
{
	uint64_t sum = 0;

	for (uint32_t slot = 0; slot < set->slots; slot++)
		if (set->content[slot] != SLOT_EMPTY)
			sum += set->payload_len[set->content[slot]];
	return sum;
}

/* --- The codec alone ------------------------------------------------------------- */

struct codec_peer {
	struct peer peer;
	struct bench_set *set;
	unsigned int threads;
	struct codec_thread {
		_Alignas(64) uint8_t out[CODEC_BOUND_MAX];
		void *workspace;
	} * thread;
};

/*
 * Compresses what the store would have to: not same-filled pages.  The same-filled
 * test itself is the store's to pay for, so here it is looked up.
 */
static int codec_write(struct peer *peer, unsigned int thread, uint32_t slot, const void *buf,
		       uint32_t count)
{
	struct codec_peer *self = (struct codec_peer *)peer;
	struct codec_thread *mine = &self->thread[thread];
	const struct bench_set *set = self->set;

	for (uint32_t i = 0; i < count; i++) {
		if (set->payload_len[set->content[slot + i]] == 0)
			continue;
		if (set->codec->compress(CODEC_FAST, mine->workspace,
					 (const uint8_t *)buf + i * BENCH_PAGE_SIZE, mine->out) < 0)
			return -EIO;
	}
	return 0;
}

static int codec_read(struct peer *peer, unsigned int thread, uint32_t slot, void *buf,
		      uint32_t count)
{
	struct codec_peer *self = (struct codec_peer *)peer;
	const struct bench_set *set = self->set;
	int r = 0;

	for (uint32_t i = 0; i < count && r == 0; i++) {
		uint32_t page = set->content[slot + i];
		const uint8_t *payload = set->payloads + set->payload_at[page];
		uint16_t len = set->payload_len[page];
		uint8_t *out = (uint8_t *)buf + i * BENCH_PAGE_SIZE;

		if (len == 0)
			continue;
		if (len == BENCH_PAGE_SIZE)
			memcpy(out, payload, len);
		else
			r = set->codec->decompress(payload, len, out,
						   (count - 1 - i) * BENCH_PAGE_SIZE);
	}
	return r;
}

static void codec_close(struct peer *peer)
{
	struct codec_peer *self = (struct codec_peer *)peer;

	for (unsigned int i = 0; i < self->threads; i++)
		free(self->thread[i].workspace);
	free(self->thread);
	free(self);
}

int peer_open_codec(struct peer **peer, struct bench_set *set, unsigned int threads)
{
	struct codec_peer *self = calloc(1, sizeof(*self));

	if (!self)
		return -ENOMEM;
	self->thread = aligned_alloc(64, threads * sizeof(*self->thread));
	if (!self->thread) {
		free(self);
		return -ENOMEM;
	}
	memset(self->thread, 0, threads * sizeof(*self->thread));
	self->threads = threads;
	self->set = set;
	self->peer = (struct peer){
		.name = "codec",
		.write = codec_write,
		.read = codec_read,
		.close = codec_close,
	};
	for (unsigned int i = 0; i < threads; i++) {
		self->thread[i].workspace = new_workspace(set->codec);
		if (!self->thread[i].workspace) {
			codec_close(&self->peer);
			return -ENOMEM;
		}
	}
	*peer = &self->peer;
	return 0;
}

/* --- The page store -------------------------------------------------------------- */

struct store_peer {
	struct peer peer;
	struct store *store;
};

static int engine_write(struct peer *peer, unsigned int thread, uint32_t slot, const void *buf,
			uint32_t count)
{
	return store_write(((struct store_peer *)peer)->store, buf, count * STORE_PAGE_SIZE,
			   (uint64_t)slot * STORE_PAGE_SIZE);
}

static int engine_read(struct peer *peer, unsigned int thread, uint32_t slot, void *buf,
		       uint32_t count)
{
	return store_read(((struct store_peer *)peer)->store, buf, count * STORE_PAGE_SIZE,
			  (uint64_t)slot * STORE_PAGE_SIZE);
}

static int engine_discard(struct peer *peer, uint64_t slot, uint64_t count)
{
	return store_zero(((struct store_peer *)peer)->store, count * STORE_PAGE_SIZE,
			  slot * STORE_PAGE_SIZE);
}

static int engine_memory(struct peer *peer, struct peer_memory *memory)
{
	struct ramzswap_stats stats = { 0 };

	store_get_stats(((struct store_peer *)peer)->store, &stats);
	memory->used = stats.mem_used_total;
	memory->ideal = stats.compr_data_size;
	return 0;
}

static void engine_close(struct peer *peer)
{
	store_destroy(((struct store_peer *)peer)->store);
	free(peer);
}

int peer_open_store(struct peer **peer, const struct store_config *config)
{
	struct store_peer *self = calloc(1, sizeof(*self));
	int r = self ? store_create(&self->store, config) : -ENOMEM;

	if (r) {
		fprintf(stderr, "engine_bench: the store refuses its configuration: %s\n",
			strerror(-r));
		free(self);
		return r;
	}
	self->peer = (struct peer){
		.name = "engine",
		.stores = true,
		.write = engine_write,
		.read = engine_read,
		.discard = engine_discard,
		.memory = engine_memory,
		.close = engine_close,
	};
	*peer = &self->peer;
	return 0;
}

struct store *peer_store(struct peer *peer)
{
	return ((struct store_peer *)peer)->store;
}
