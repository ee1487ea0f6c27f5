/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dictionaries of a store: bytes that many of its idle pages have in common, which their
 * payloads need not spell out.  A payload needs the dictionary that it was made with, and its
 * table entry says which of two that is:
 *
 *	none ──► train.c makes one ──► current ──► old, when another was made ──► none,
 *	                               when nothing is stored any more ─────────► when no page
 *	                                                                          needs it
 *
 * A dictionary holds pieces of pages that may be gone: it is wiped when it is given up, and
 * never leaves its store.  Each payload bears a checksum of its page, so that a dictionary that
 * is damaged gives an error and no other page.
 *
 * Who calls what is below holds recompress.lock, but for dictionary_decode.
 */
#ifndef RAMZSWAP_STORE_DICTIONARY_H
#define RAMZSWAP_STORE_DICTIONARY_H

#include <errno.h>

#include "store/request.h"

/* size_max bytes at most; 0, or a codec for idle pages that has none, for no dictionaries. */
void dictionary_init(struct store *store, size_t size_max);
void dictionary_fini(struct store *store);

/*
 * Decodes a payload that needs the dictionary of this generation.  The caller has the entry
 * locked that says so, which keeps the dictionary.  As codec.h.
 */
static inline int dictionary_decode(const struct store *store, int generation, const void *payload,
				    size_t len, void *page, size_t slack)
{
	const struct codec_dictionary *codec = store->idle_codec->dictionary;
	const void *reader = store->dictionary.generation[generation].reader;

	/* What was damaged in memory may name one that there is not. */
	return codec && reader ? codec->decompress(reader, payload, len, page, slack) : -EIO;
}

/*
 * Zeroed memory that is resident and charged, or NULL.  To be given back by the second, which
 * wipes it.
 */
unsigned char *dictionary_memory(struct store *store, size_t size);
void dictionary_forget_memory(struct store *store, unsigned char *memory, size_t size);

/* Makes the generation that was trained the current one. */
void dictionary_publish(struct store *store, int generation);

/* Whether there is a dictionary to encode by, with what that takes. */
bool dictionary_ready(struct store *store);

/* Gives back what only encoding takes; dictionary_ready makes it again. */
void dictionary_give_back_writer(struct store *store);

/* The payload of a page by the current dictionary.  As codec.h.  After dictionary_ready. */
int dictionary_encode(struct store *store, const void *page, void *payload);

/*
 * Whether the payload of this page is to be compared with one without a dictionary; and the
 * lengths of both.
 */
bool dictionary_compares(struct store *store);
void dictionary_compared(struct store *store, size_t with, size_t without);

/* Whether the entry's payload needs a dictionary that is to be given up. */
bool dictionary_is_old(const struct store *store, uint64_t entry);

/* Gives up what nobody needs; if there is time for it, sees whether one is to be made. */
void dictionary_tend(struct store *store, bool have_time);

/* All pages are gone: so is what was learned of them. */
void dictionary_reset(struct store *store);

/* Whether pages had better wait: the dictionary that they would be encoded by is being made. */
bool dictionary_is_coming(const struct store *store);

/* Pages that need a dictionary.  Any thread. */
uint64_t dictionary_pages(const struct store *store);

/* How large a dictionary suits what is stored; 0 for none. */
size_t dictionary_suits(struct store *store);

#endif
