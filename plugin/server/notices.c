/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/notices.h"
#include "store/store.h"

static void refuse(char *why, size_t why_size, const char *text)
{
	snprintf(why, why_size, "%s", text);
}

/* By the array that is there. */
static uint64_t counted(const struct notices *notices)
{
	return notices->map.link > 0 ? freed_map_notices(&notices->map) : 0;
}

/* Ends them; the lock is held. */
static void end(struct notices *notices, struct store *store)
{
	if (store)
		(void)store_heed_freed(store, NULL);
	notices->earlier += counted(notices);
	freed_map_end(&notices->map);
	notices->function[0] = '\0';
}

/* What was written through the device must be here: else it is somebody else's disk. */
static int check_proof(struct store *store, const struct notices_request *request, char *why,
		       size_t why_size)
{
	unsigned char found[FREED_PROOF_SIZE];
	int err = store_read(store, found, sizeof(found), FREED_PROOF_OFFSET);

	if (!err && memcmp(found, request->proof, sizeof(found)) != 0)
		err = -EXDEV;
	if (err)
		refuse(why, why_size,
		       "the device is not this disk: what was written to it is "
		       "not here");
	return err;
}

static int check_size(struct store *store, uint64_t slots, char *why, size_t why_size)
{
	struct ramzswap_stats stats = { 0 };

	store_get_stats(store, &stats);
	if (slots == stats.disksize / STORE_PAGE_SIZE)
		return 0;
	refuse(why, why_size, "the device is not this disk: its size is another");
	return -EXDEV;
}

static int take(struct notices *notices, struct store *store, const struct notices_request *request,
		char *why, size_t why_size)
{
	int err = freed_map_take(&notices->map, request->array, request->link, request->slots, why,
				 why_size);

	if (err)
		return err;
	err = store_heed_freed(store, freed_map_bits(&notices->map));
	if (err) {
		refuse(why, why_size, "the limit has no room for a bit for each page");
		freed_map_end(&notices->map);
		return err;
	}
	notices->their_clients = notices->next_client;
	notices->ended = false;
	snprintf(notices->function, sizeof(notices->function), "%s", request->function);
	/* From here on what is published clears bits: they may be set. */
	freed_map_arm(&notices->map);
	return 0;
}

int notices_take(struct notices *notices, struct store *store,
		 const struct notices_request *request, char *why, size_t why_size)
{
	int err;

	pthread_mutex_lock(&notices->lock);
	end(notices, store);
	err = check_size(store, request->slots, why, why_size);
	if (!err)
		err = check_proof(store, request, why, why_size);
	if (err) {
		close(request->array);
		close(request->link);
	} else {
		err = take(notices, store, request, why, why_size);
	}
	pthread_mutex_unlock(&notices->lock);
	return err;
}

void notices_end(struct notices *notices, struct store *store)
{
	pthread_mutex_lock(&notices->lock);
	end(notices, store);
	pthread_mutex_unlock(&notices->lock);
}

uint64_t notices_client(struct notices *notices)
{
	uint64_t client;

	pthread_mutex_lock(&notices->lock);
	client = notices->next_client++;
	pthread_mutex_unlock(&notices->lock);
	return client;
}

void notices_client_left(struct notices *notices, struct store *store, uint64_t client)
{
	pthread_mutex_lock(&notices->lock);
	if (notices->function[0] && client < notices->their_clients) {
		end(notices, store);
		notices->ended = true;
	}
	pthread_mutex_unlock(&notices->lock);
}

void notices_describe(struct notices *notices, char *text, size_t size)
{
	pthread_mutex_lock(&notices->lock);
	if (notices->function[0])
		snprintf(text, size, "%s", notices->function);
	else
		snprintf(text, size, "none: %s",
			 notices->ended ? "the device was detached from this disk"
					: "ramzswap-freed has not asked for them");
	pthread_mutex_unlock(&notices->lock);
}

uint64_t notices_count(struct notices *notices)
{
	uint64_t count;

	pthread_mutex_lock(&notices->lock);
	count = notices->earlier + counted(notices);
	pthread_mutex_unlock(&notices->lock);
	return count;
}

bool notices_are_heeded(struct notices *notices)
{
	bool heeded;

	pthread_mutex_lock(&notices->lock);
	heeded = notices->function[0];
	pthread_mutex_unlock(&notices->lock);
	return heeded;
}

void notices_fini(struct notices *notices)
{
	freed_map_unmap(&notices->map);
}
