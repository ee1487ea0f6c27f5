/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/request_spares.h"

/* Up to this a request is served from what the heap has anyway. */
#define SMALL 4096u

struct spare {
	void *at; /* NULL: none */
	size_t size;
	bool used;
};

/* Process-wide, as the heap is. */
static struct {
	pthread_mutex_t lock;
	size_t wanted; /* bytes of each; smaller ones are not kept */
	struct spare spare[REQUEST_SPARES_MAX];
} spares = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct spare *find_block(const void *block)
{
	for (struct spare *spare = spares.spare; block && spare < spares.spare + REQUEST_SPARES_MAX;
	     spare++) {
		if (spare->at == block)
			return spare;
	}
	return NULL;
}

static struct spare *find_unused(size_t size)
{
	for (struct spare *spare = spares.spare; spare < spares.spare + REQUEST_SPARES_MAX;
	     spare++) {
		if (spare->at && !spare->used && spare->size >= size)
			return spare;
	}
	return NULL;
}

/* Gives back all that are unused and not among the count that suit.  How many there are then. */
static unsigned int drop_surplus(unsigned int count, size_t bytes)
{
	unsigned int kept = 0;

	pthread_mutex_lock(&spares.lock);
	spares.wanted = bytes;
	for (unsigned int i = 0; i < REQUEST_SPARES_MAX; i++) {
		void *volatile *at = &spares.spare[i].at;

		*at = *at; /* resident, as the buffers are */
		kept += spares.spare[i].at && spares.spare[i].used && spares.spare[i].size >= bytes;
	}
	for (unsigned int i = 0; i < REQUEST_SPARES_MAX; i++) {
		struct spare *spare = &spares.spare[i];

		if (!spare->at || spare->used)
			continue;
		if (spare->size == bytes && kept < count) {
			kept++;
			continue;
		}
		free(spare->at);
		spare->at = NULL;
	}
	pthread_mutex_unlock(&spares.lock);
	return kept;
}

static bool add(void *block, size_t bytes)
{
	bool added = false;

	pthread_mutex_lock(&spares.lock);
	for (unsigned int i = 0; i < REQUEST_SPARES_MAX && !added; i++) {
		if (spares.spare[i].at)
			continue;
		spares.spare[i] = (struct spare){ .at = block, .size = bytes };
		added = true;
	}
	pthread_mutex_unlock(&spares.lock);
	return added;
}

bool request_spares_keep(unsigned int count, size_t bytes)
{
	unsigned int kept = drop_surplus(count, bytes);

	for (; kept < count; kept++) {
		void *block = malloc(bytes);

		if (!block)
			return false;
		/* Keeps the compiler from making this a calloc, which touches nothing. */
		__asm__ volatile("" : "+r"(block));
		memset(block, 0, bytes);
		if (!add(block, bytes)) {
			free(block);
			return false;
		}
	}
	return true;
}

void *request_spares_take(void *block, size_t size)
{
	struct spare *spare;
	void *made = NULL;
	size_t old;

	pthread_mutex_lock(&spares.lock);
	spare = find_block(block);
	if (!spare || spare->size < size) {
		spare = size > SMALL ? find_unused(size) : NULL;
		if (spare)
			spare->used = true;
	}
	if (spare)
		made = spare->at;
	pthread_mutex_unlock(&spares.lock);
	if (!made || !block || made == block)
		return made;
	old = malloc_usable_size(block);
	memcpy(made, block, old < size ? old : size);
	request_spares_free(block);
	return made;
}

/* Most of what is freed is no buffer: it is not worth a look. */
static bool may_be_spare(void *block)
{
	return block && malloc_usable_size(block) > SMALL;
}

void request_spares_forget(void *block)
{
	struct spare *spare;

	if (!may_be_spare(block))
		return;
	pthread_mutex_lock(&spares.lock);
	spare = find_block(block);
	if (spare)
		*spare = (struct spare){ 0 };
	pthread_mutex_unlock(&spares.lock);
}

void request_spares_free(void *block)
{
	struct spare *spare;
	bool keep = false;

	if (!may_be_spare(block)) {
		free(block);
		return;
	}
	pthread_mutex_lock(&spares.lock);
	spare = find_block(block);
	if (spare) {
		spare->used = false;
		keep = spare->size >= spares.wanted;
		if (!keep)
			*spare = (struct spare){ 0 };
	}
	pthread_mutex_unlock(&spares.lock);
	if (!keep)
		free(block);
}
