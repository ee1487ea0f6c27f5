/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "server/request_memory.h"
#include "server/request_spares.h"

/* Smaller ones are not worth a look: a connection's threads have a megabyte of them at most. */
#define COUNTED_MIN (64u << 10)

/* Blocks that can be told apart; a power of two. */
#define BLOCKS 4096u

struct block {
	void *at; /* NULL: none */
	size_t size;
};

/* A hash table by address, with linear probing.  Process-wide, as the heap is. */
static struct {
	pthread_mutex_t lock;
	unsigned int count;
	uint64_t large; /* bytes of blocks above REQUEST_ALWAYS */
	atomic_uint_least64_t bytes;
	atomic_bool wipe; /* what is freed */
	struct block block[BLOCKS];
} memory = { .lock = PTHREAD_MUTEX_INITIALIZER };

static size_t large_part(size_t size)
{
	return size > REQUEST_ALWAYS ? size : 0;
}

static unsigned int home_of(const void *at)
{
	return (unsigned int)(((uintptr_t)at >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 52) % BLOCKS;
}

/* Where the block is, or else the free place where it would be put. */
static unsigned int place_of(const void *at)
{
	unsigned int place = home_of(at);

	while (memory.block[place].at && memory.block[place].at != at)
		place = (place + 1) % BLOCKS;
	return place;
}

static void account(size_t removed, size_t added)
{
	memory.large += large_part(added);
	memory.large -= large_part(removed);
	atomic_fetch_add_explicit(&memory.bytes, (uint64_t)added - removed, memory_order_relaxed);
}

static void insert(void *at, size_t size)
{
	memory.block[place_of(at)] = (struct block){ .at = at, .size = size };
	memory.count++;
}

/* Takes a block out, and moves those up that had to go past its place. */
static size_t take_out(const void *at)
{
	unsigned int hole = place_of(at), next = hole;
	size_t size = memory.block[hole].size;

	if (!memory.block[hole].at)
		return 0;
	memory.count--;
	for (;;) {
		unsigned int way;

		next = (next + 1) % BLOCKS;
		if (!memory.block[next].at)
			break;
		way = (next - home_of(memory.block[next].at)) % BLOCKS;
		if (way < (next - hole) % BLOCKS)
			continue;
		memory.block[hole] = memory.block[next];
		hole = next;
	}
	memory.block[hole] = (struct block){ 0 };
	return size;
}

static bool worth_counting(void *block)
{
	return block && malloc_usable_size(block) >= COUNTED_MIN;
}

/* Takes the old block off the books and puts the new size on them.  Whether it may be. */
static bool reserve(void *block, size_t size, size_t *old)
{
	bool fits;

	pthread_mutex_lock(&memory.lock);
	*old = block ? take_out(block) : 0;
	fits = size <= REQUEST_MAX && memory.count < BLOCKS - BLOCKS / 8 &&
	       (size <= REQUEST_ALWAYS ||
		memory.large - large_part(*old) + size <= REQUEST_LARGE_TOTAL);
	if (fits)
		account(*old, size);
	else if (*old)
		insert(block, *old);
	pthread_mutex_unlock(&memory.lock);
	return fits;
}

/* What was made, or what stays if nothing was. */
static void settle(void *block, size_t reserved, size_t size)
{
	bool counts = size >= COUNTED_MIN;

	pthread_mutex_lock(&memory.lock);
	account(reserved, counts ? size : 0);
	if (counts)
		insert(block, size);
	pthread_mutex_unlock(&memory.lock);
}

static bool wipes(void)
{
	return atomic_load_explicit(&memory.wipe, memory_order_relaxed);
}

/* From what was made beforehand, if that does. */
static void *make(size_t size)
{
	void *made = request_spares_take(NULL, size);

	return made ? made : malloc(size);
}

/* As realloc, which would leave a copy behind where it moves a block. */
static void *resize_wiping(void *block, size_t size)
{
	size_t had = malloc_usable_size(block);
	void *made;

	if (size <= had) {
		explicit_bzero((char *)block + size, had - size);
		return block;
	}
	made = make(size);
	if (!made)
		return NULL;
	memcpy(made, block, had);
	explicit_bzero(block, had);
	request_spares_free(block);
	return made;
}

static void *resize(void *block, size_t size)
{
	void *made;

	if (wipes())
		return block ? resize_wiping(block, size) : make(size);
	made = request_spares_take(block, size);
	if (made)
		return made;
	request_spares_forget(block);
	return realloc(block, size);
}

void *request_memory_resize(void *block, size_t size)
{
	void *made;
	size_t old;

	if (size == 0) {
		request_memory_free(block);
		return NULL;
	}
	if (size < COUNTED_MIN && !worth_counting(block))
		return resize(block, size);
	if (!reserve(block, size, &old)) {
		errno = ENOMEM;
		return NULL;
	}
	made = resize(block, size);
	if (made)
		settle(made, size, size);
	else
		settle(block, size, old);
	return made;
}

void request_memory_free(void *block)
{
	if (worth_counting(block)) {
		pthread_mutex_lock(&memory.lock);
		account(take_out(block), 0);
		pthread_mutex_unlock(&memory.lock);
	}
	if (block && wipes())
		explicit_bzero(block, malloc_usable_size(block));
	request_spares_free(block);
}

/* The books of a process's data are in memory only as far as they were written to. */
static void make_books_resident(void)
{
	pthread_mutex_lock(&memory.lock);
	for (unsigned int i = 0; i < BLOCKS; i++) {
		void *volatile *at = &memory.block[i].at;

		*at = *at;
	}
	pthread_mutex_unlock(&memory.lock);
}

bool request_memory_keep(unsigned int threads, size_t bytes)
{
	make_books_resident();
	return request_spares_keep(threads, bytes);
}

void request_memory_wipe(void)
{
	atomic_store(&memory.wipe, true);
}

uint64_t request_memory_bytes(void)
{
	return atomic_load_explicit(&memory.bytes, memory_order_relaxed);
}
