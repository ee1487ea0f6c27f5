/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a sequence of operations on a backing store whose medium changes under it: a
 * record is read as it was written, or not at all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backing/backing.h"
#include "choices.h"
#include "fake_medium.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORDS 256u
#define SEGMENTS 9u

struct record {
	struct backing_record at;
	unsigned int seed;
	bool alive;
};

static struct record records[RECORDS];
static unsigned int made;

static void must(bool truth, const char *promise)
{
	if (truth)
		return;
	fprintf(stderr, "broken promise: %s\n", promise);
	abort();
}

static void make_payload(unsigned char *payload, unsigned int seed, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		payload[i] = (unsigned char)(seed * 31 + i * (seed % 7 + 1));
}

/* One record, written at once. */
static void put(struct backing *backing, struct choices *choices)
{
	static unsigned char payload[BACKING_PAYLOAD_MAX];
	uint32_t length = 1 + (uint32_t)choose(choices, BACKING_PAYLOAD_MAX);
	uint64_t page = choose(choices, UINT64_C(1) << 38);

	if (made == RECORDS)
		return;
	make_payload(payload, made, length);
	must(backing_append(backing, page, payload, length, BACKING_FROM_MEMORY) == 0,
	     "an empty segment takes a record");
	if (backing_write(backing)) {
		backing_drop(backing);
		return;
	}
	records[made].at = *backing_record(backing, 0);
	records[made].seed = made;
	records[made].alive = true;
	made++;
	backing_done(backing);
}

static struct record *any_record(struct choices *choices)
{
	struct record *record = made ? &records[choose(choices, made)] : NULL;

	return record && record->alive ? record : NULL;
}

static void get(struct backing *backing, struct choices *choices, bool intact)
{
	static unsigned char payload[BACKING_PAYLOAD_MAX], expected[BACKING_PAYLOAD_MAX];
	struct record *record = any_record(choices);
	struct backing_range near;
	int err;

	if (!record)
		return;
	near = backing_record_range(backing, record->at.location, record->at.length);
	err = backing_read(backing, record->at.page, record->at.location, record->at.length,
			   choose(choices, 2) ? &near : NULL, payload);
	if (err) {
		must(!intact, "a medium that keeps what is written loses no record");
		return;
	}
	make_payload(expected, record->seed, record->at.length);
	must(memcmp(payload, expected, record->at.length) == 0, "no record is read wrongly");
}

static void forget(struct backing *backing, struct choices *choices)
{
	struct record *record = any_record(choices);

	if (!record)
		return;
	backing_forget(backing, record->at.location, record->at.length);
	record->alive = false;
}

/* Changes some bytes of the medium; whether it did. */
static bool damage(struct fake_medium *fake, struct choices *choices)
{
	uint64_t at = choose(choices, fake->real_size - 8);
	unsigned char bits = (unsigned char)choose(choices, 256);

	for (uint64_t i = 0; i < 1 + choose(choices, 8); i++)
		fake->bytes[at + i] ^= bits;
	return bits != 0;
}

/* What is read of a sparse segment is what it says, or nothing. */
static void clean(struct backing *backing)
{
	struct backing_record record;

	if (backing_clean_begin(backing, 90))
		return;
	while (backing_clean_next(backing, &record))
		must(record.length <= BACKING_PAYLOAD_MAX, "a record has a length that can be");
	backing_drop(backing);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct choices choices = { .bytes = data, .left = size };
	struct fake_medium *fake = fake_medium_new(SEGMENTS * BACKING_SEGMENT_MIN, 0);
	struct backing *backing;
	char why[MEDIUM_WHY_MAX];
	bool intact = true;

	if (size == 0) {
		fake_medium_free(fake);
		return 0;
	}
	must(backing_create(&backing, &fake->medium, BACKING_SEGMENT_MIN, choose(&choices, 2), why,
			    sizeof(why)) == 0 &&
		     backing_start(backing, false) == 0,
	     "a backing store is made");
	made = 0;
	while (choices_left(&choices)) {
		switch (choose(&choices, 8)) {
		case 0:
			intact = !damage(fake, &choices) && intact;
			break;
		case 1:
			forget(backing, &choices);
			break;
		case 2:
			clean(backing);
			break;
		case 3 ... 4:
			get(backing, &choices, intact);
			break;
		default:
			put(backing, &choices);
			break;
		}
	}
	backing_destroy(backing);
	must(fake->misaligned == 0, "the medium is asked for whole blocks");
	fake_medium_free(fake);
	return 0;
}
