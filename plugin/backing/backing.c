/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a log on a medium, and what there is to say of it. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backing/log.h"
#include "span.h"

#define UNIT_SHIFT_MIN 4

/* Of a segment, one record for so many bytes: what the list of the open one has room for. */
#define RECORD_BYTES_TYPICAL 256

#define BLOCK_MASK ((uint64_t)MEDIUM_BLOCK_MAX - 1)

uint64_t backing_size_min(uint32_t segment_size)
{
	/* One more for the mark. */
	return (uint64_t)(BACKING_SEGMENTS_MIN + 1) * segment_size;
}

/* Whether a write of its own block is found again at every power of two and at the end. */
static int probe_blocks(struct medium *medium, uint32_t segment_size, unsigned char *block,
			unsigned char *back, uint64_t *failed_at)
{
	unsigned char seed[randombytes_SEEDBYTES];
	uint64_t last = (medium->size - MEDIUM_BLOCK_MAX) & ~BLOCK_MASK;
	int err = 0;

	randombytes_buf(seed, sizeof(seed));
	for (int reading = 0; reading < 2; reading++) {
		for (uint64_t at = segment_size;; at *= 2) {
			if (at > last)
				at = last;
			*failed_at = at;
			memcpy(seed, &at, sizeof(at));
			randombytes_buf_deterministic(block, MEDIUM_BLOCK_MAX, seed);
			err = reading ? medium->ops->read(medium, back, MEDIUM_BLOCK_MAX, at)
				      : medium->ops->write(medium, block, MEDIUM_BLOCK_MAX, at);
			if (err)
				return err;
			if (reading && memcmp(block, back, MEDIUM_BLOCK_MAX) != 0)
				return -EBADMSG;
			if (at == last)
				break;
		}
	}
	memset(block, 0, MEDIUM_BLOCK_MAX);
	memcpy(block, MEDIUM_MARK, sizeof(MEDIUM_MARK) - 1);
	*failed_at = 0;
	return medium->ops->write(medium, block, MEDIUM_BLOCK_MAX, 0);
}

static int probe(struct medium *medium, uint32_t segment_size, char *why, size_t why_size)
{
	unsigned char *blocks = span_map_zeroed(2 * MEDIUM_BLOCK_MAX);
	uint64_t at = 0;
	int err;

	if (!blocks)
		return -ENOMEM;
	err = probe_blocks(medium, segment_size, blocks, blocks + MEDIUM_BLOCK_MAX, &at);
	span_unmap(blocks, 2 * MEDIUM_BLOCK_MAX);
	if (err == -EBADMSG) {
		snprintf(why, why_size,
			 "does not keep what is written at byte %llu: it lies about its size of "
			 "%llu, "
			 "or is broken",
			 (unsigned long long)at, (unsigned long long)medium->size);
		return -EIO;
	}
	if (err)
		snprintf(why, why_size, "fails at byte %llu: %s", (unsigned long long)at,
			 strerror(-err));
	return err;
}

static void set_geometry(struct backing *backing, struct medium *medium, uint32_t segment_size)
{
	uint64_t most;

	backing->segment_size = segment_size;
	backing->unit_shift = UNIT_SHIFT_MIN;
	while (medium->size >> backing->unit_shift > UINT32_MAX)
		backing->unit_shift++;
	most = medium->size / segment_size;
	/* A larger unit wastes more than it wins: 2^32 segments of 1 MiB are 4 PiB. */
	backing->segment_count = most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
	backing->record_max = segment_size / RECORD_BYTES_TYPICAL;
	backing->memory_size = align_up(backing->segment_count * sizeof(struct segment), 4096) +
			       align_up(backing->record_max * sizeof(struct backing_record), 4096) +
			       2 * (size_t)segment_size + READ_SLOTS * READ_SLOT_SIZE +
			       WINDOWS * (size_t)windows_size(segment_size);
}

int backing_create(struct backing **backingp, struct medium *medium, uint32_t segment_size,
		   bool encrypt, char *why, size_t why_size)
{
	struct backing *backing;
	int err;

	if (medium->size < backing_size_min(segment_size)) {
		snprintf(why, why_size, "is too small: it has %llu bytes and needs %llu",
			 (unsigned long long)medium->size,
			 (unsigned long long)backing_size_min(segment_size));
		return -EINVAL;
	}
	if (sodium_init() < 0) {
		snprintf(why, why_size, "cannot be encrypted: libsodium does not start");
		return -ENOTSUP;
	}
	err = probe(medium, segment_size, why, why_size);
	if (err)
		return err;
	backing = calloc(1, sizeof(*backing));
	if (!backing) {
		snprintf(why, why_size, "no memory for it");
		return -ENOMEM;
	}
	backing->medium = medium;
	backing->encrypt = encrypt;
	set_geometry(backing, medium, segment_size);
	atomic_store(&backing->free_segments, backing->segment_count - 1);
	sem_init(&backing->slot_freed, 0, READ_SLOTS);
	atomic_store(&backing->slots_free, (1u << READ_SLOTS) - 1);
	windows_init(&backing->windows, segment_size);
	*backingp = backing;
	return 0;
}

static void divide_memory(struct backing *backing)
{
	unsigned char *at = backing->memory;

	backing->open = at;
	at += backing->segment_size;
	backing->clean = at;
	at += backing->segment_size;
	backing->slots = at;
	at += READ_SLOTS * READ_SLOT_SIZE;
	backing->windows.memory = at;
	at += WINDOWS * (size_t)backing->windows.size;
	backing->records = (struct backing_record *)at;
	at += align_up(backing->record_max * sizeof(struct backing_record), 4096);
	backing->segments = (struct segment *)at;
}

int backing_start(struct backing *backing, bool locked)
{
	int err = seal_create(&backing->seal, backing->encrypt);

	if (err)
		return err;
	backing->memory = span_map_zeroed(backing->memory_size);
	if (!backing->memory)
		return -ENOMEM;
	if (locked) {
		err = span_lock(backing->memory, backing->memory_size);
		if (err)
			return err;
	}
	/* Resident from the start: writing back takes no fault. */
	memset(backing->memory, 0, backing->memory_size);
	divide_memory(backing);
	backing->cursor = 1;
	backing->filling = 1;
	return backing->medium->ops->start(backing->medium);
}

void backing_destroy(struct backing *backing)
{
	if (!backing)
		return;
	seal_destroy(backing->seal);
	if (backing->memory)
		span_unmap(backing->memory, backing->memory_size);
	sem_destroy(&backing->slot_freed);
	windows_fini(&backing->windows);
	backing->medium->ops->close(backing->medium);
	free(backing);
}

const struct medium *backing_medium(const struct backing *backing)
{
	return backing->medium;
}

uint32_t backing_read_most(const struct backing *backing)
{
	return backing->windows.size;
}

static void count_fullness(const struct backing *backing, uint64_t *fullness)
{
	uint64_t units = backing->segment_size >> backing->unit_shift;

	for (uint32_t i = 1; backing->segments && i < backing->segment_count; i++) {
		uint64_t live =
			atomic_load_explicit(&backing->segments[i].live, memory_order_relaxed);

		if (live > units)
			live = units;
		if (live > 0)
			fullness[(live - 1) * BACKING_FULLNESS / units]++;
	}
}

void backing_get_stats(const struct backing *backing, struct backing_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->segment_size = backing->segment_size;
	stats->segments = backing->segment_count - 1;
	stats->size = stats->segments * backing->segment_size;
	stats->segments_free = backing->free_segments;
	stats->segments_bad = backing->bad_segments;
	count_fullness(backing, stats->fullness);
	stats->pages = backing->pages;
	stats->bytes = backing->bytes;
	stats->memory = sizeof(*backing) + backing->memory_size;
	stats->reads = backing->reads;
	stats->medium_reads = backing->medium_reads;
	stats->writes = backing->writes;
	stats->segment_writes = backing->segment_writes;
	stats->bytes_read = backing->bytes_read;
	stats->bytes_written = backing->bytes_written;
	stats->failed_reads = backing->failed_reads;
	stats->failed_writes = backing->failed_writes;
	stats->cleaned = backing->cleaned;
	stats->read_ns = backing->read_ns;
	stats->read_ns_max = backing->read_ns_max;
	stats->write_ns = backing->write_ns;
	stats->write_ns_max = backing->write_ns_max;
}
