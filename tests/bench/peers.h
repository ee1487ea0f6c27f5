/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine benchmark sets side by side: the page store, the codec alone,
 * and a zram device of this kernel.  Each does the same requests on the same
 * pages, a few thousand at a time in turn, so that a busy or throttled machine
 * hits all of them alike.
 */
#ifndef RAMZSWAP_PEERS_H
#define RAMZSWAP_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#include "bench_pages.h"
#include "codec.h"
#include "store/store.h"

#define SLOT_EMPTY UINT32_MAX

/* What is known beforehand, and where everything is; one for the whole run. */
struct bench_set {
	struct bench_pages pages;
	const struct codec *codec;
	/* By page: what the codec makes of it.  Length 0: same-filled, the codec is not
	 * asked; BENCH_PAGE_SIZE: it does not shrink, the payload is the page itself. */
	uint8_t *payloads;
	uint64_t *payload_at;
	uint16_t *payload_len;
	/* By slot of the disk: the page that is there, or SLOT_EMPTY. */
	uint32_t *content;
	uint32_t slots;
};

/* Loads the pages and compresses each once.  0 or a negative errno, after a line on stderr. */
int bench_set_init(struct bench_set *set, const char *path, uint32_t max,
		   const struct codec *codec);
void bench_set_fini(struct bench_set *set);

/* The plain sum of the payload sizes of all that the slots hold. */
uint64_t bench_set_ideal(const struct bench_set *set);

struct peer_memory {
	uint64_t used;	/* bytes that the peer says it takes */
	uint64_t ideal; /* bytes of payloads that it says it holds */
};

struct peer {
	const char *name;
	bool stores; /* what was written can be read back, and is verified */

	/* Called by several threads at once, on different slots.  0 or a negative errno.
	 * The buffer holds count pages, aligned to a page. */
	int (*write)(struct peer *peer, unsigned int thread, uint32_t slot, const void *buf,
		     uint32_t count);
	int (*read)(struct peer *peer, unsigned int thread, uint32_t slot, void *buf,
		    uint32_t count);
	/* NULL where there is nothing to free or to ask. */
	int (*discard)(struct peer *peer, uint64_t slot, uint64_t count);
	int (*memory)(struct peer *peer, struct peer_memory *memory);
	void (*close)(struct peer *peer);
};

/* Each returns 0, or a negative errno after a line on stderr. */
int peer_open_codec(struct peer **peer, struct bench_set *set, unsigned int threads);
int peer_open_store(struct peer **peer, const struct store_config *config);
/* The device is reset first, and again when closed: it must be nobody's. */
int peer_open_zram(struct peer **peer, const char *device, const char *algorithm, uint64_t size);

/* The store behind a peer of peer_open_store. */
struct store *peer_store(struct peer *peer);

/* Asks zram to compact, which it does not do unasked. */
int peer_zram_compact(struct peer *peer);

#endif
