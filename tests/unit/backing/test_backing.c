/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log of payloads, on a medium that fails to order. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backing/backing.h"
#include "fake_medium.h"

#define SEGMENT BACKING_SEGMENT_MIN
#define SEGMENTS 16u
#define WHY_MAX MEDIUM_WHY_MAX

static struct fake_medium *fake;
static struct backing *backing;
static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

static void begin_test(bool encrypt)
{
	char why[WHY_MAX] = "";

	seed = 1;
	fake = fake_medium_new((SEGMENTS + 1) * SEGMENT, 0);
	assert_int_equal(backing_create(&backing, &fake->medium, SEGMENT, encrypt, why, WHY_MAX),
			 0);
	assert_int_equal(backing_start(backing, false), 0);
}

static void end_test(void)
{
	assert_int_equal(fake->misaligned, 0);
	backing_destroy(backing);
	fake_medium_free(fake);
}

/* A payload that tells which page and version it is of. */
static void make_payload(unsigned char *payload, uint64_t page, uint32_t version, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		payload[i] = (unsigned char)(page * 31 + version * 7 + i * (page % 5 + 1));
}

static struct backing_record put(uint64_t page, uint32_t version, uint32_t length)
{
	unsigned char payload[BACKING_PAYLOAD_MAX];
	struct backing_record record;

	make_payload(payload, page, version, length);
	assert_int_equal(backing_append(backing, page, payload, length, BACKING_FROM_MEMORY), 0);
	assert_int_equal(backing_write(backing), 0);
	assert_int_equal(backing_records(backing), 1);
	record = *backing_record(backing, 0);
	backing_done(backing);
	return record;
}

static int get(const struct backing_record *record, uint32_t version)
{
	unsigned char payload[BACKING_PAYLOAD_MAX], expected[BACKING_PAYLOAD_MAX];
	int err = backing_read(backing, record->page, record->location, record->length, NULL,
			       payload);

	if (err)
		return err;
	make_payload(expected, record->page, version, record->length);
	assert_memory_equal(payload, expected, record->length);
	return 0;
}

static void test_a_payload_comes_back(void **state)
{
	static const uint32_t lengths[] = { 1, 7, 8, 100, 488, 1000, 4000, 4095, 4096 };

	for (int encrypt = 0; encrypt < 2; encrypt++) {
		begin_test(encrypt);
		for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
			struct backing_record record =
				put((UINT64_C(1) << 38) - 1 - i, 3, lengths[i]);

			assert_int_equal(get(&record, 3), 0);
		}
		end_test();
	}
}

static bool medium_holds(const void *bytes, size_t len)
{
	return memmem(fake->bytes, fake->real_size, bytes, len) != NULL;
}

static void test_only_encryption_hides_payload_and_page(void **state)
{
	/* As a header without mask would stand there: number of the page, then the length. */
	static const unsigned char header[] = { 0x56, 0x34, 0x12, 0, 0, 0, 0xe8, 3 };
	unsigned char payload[1000];

	make_payload(payload, 0x123456, 1, sizeof(payload));
	for (int encrypt = 0; encrypt < 2; encrypt++) {
		begin_test(encrypt);
		(void)put(0x123456, 1, sizeof(payload));
		assert_int_equal(medium_holds(payload, 16), !encrypt);
		assert_int_equal(medium_holds(header, sizeof(header)), !encrypt);
		end_test();
	}
}

static void test_the_same_payload_is_never_sealed_the_same_way(void **state)
{
	unsigned char payload[64] = { 0 }, seen[2][64];
	struct backing_record first, again;

	begin_test(true);
	first = put(1, 0, 64);
	memcpy(seen[0], fake->bytes + ((uint64_t)first.location << 4), 64);
	/* What is thrown away used up its numbers too. */
	assert_int_equal(backing_append(backing, 1, payload, 64, BACKING_FROM_MEMORY), 0);
	backing_drop(backing);
	for (int i = 0; i < 40; i++) {
		backing_forget(backing, first.location, 64);
		again = put(1, 0, 64);
		memcpy(seen[1], fake->bytes + ((uint64_t)again.location << 4), 64);
		assert_memory_not_equal(seen[0], seen[1], 16);
		first = again;
	}
	end_test();
}

static void test_a_damaged_record_is_refused_and_the_next_is_not(void **state)
{
	for (int encrypt = 0; encrypt < 2; encrypt++) {
		struct backing_record one, two;
		struct backing_stats stats;
		unsigned char payload[500];

		begin_test(encrypt);
		make_payload(payload, 1, 1, 500);
		assert_int_equal(backing_append(backing, 1, payload, 500, BACKING_FROM_MEMORY), 0);
		make_payload(payload, 2, 1, 500);
		assert_int_equal(backing_append(backing, 2, payload, 500, BACKING_FROM_MEMORY), 0);
		assert_int_equal(backing_write(backing), 0);
		one = *backing_record(backing, 0);
		two = *backing_record(backing, 1);
		backing_done(backing);
		for (unsigned int byte = 0; byte < 524; byte += 13) {
			fake->bytes[((uint64_t)one.location << 4) + byte] ^= 4;
			/* Without encryption the header is not secret, but is checked all the same.
			 */
			assert_int_equal(get(&one, 1), encrypt && byte < 8 ? 0 : -EBADMSG);
			assert_int_equal(get(&two, 1), 0);
			fake->bytes[((uint64_t)one.location << 4) + byte] ^= 4;
		}
		assert_int_equal(get(&one, 1), 0);
		backing_get_stats(backing, &stats);
		assert_int_equal(stats.failed_reads, encrypt ? 40 : 41);
		end_test();
	}
}

static void test_a_misplaced_or_older_record_is_refused(void **state)
{
	for (int encrypt = 0; encrypt < 2; encrypt++) {
		struct backing_record old, new, other;
		unsigned char *place, saved[1024];

		begin_test(encrypt);
		old = put(5, 1, 1000);
		place = fake->bytes + ((uint64_t)old.location << 4);
		memcpy(saved, place, sizeof(saved));
		/* Fill the same place again with the same page. */
		backing_forget(backing, old.location, 1000);
		do {
			new = put(5, 2, 1000);
			if (new.location != old.location)
				backing_forget(backing, new.location, 1000);
		} while (new.location != old.location);
		assert_int_equal(get(&new, 2), 0);
		other = put(5, 3, 1000);
		memcpy(place, saved, sizeof(saved)); /* the write was lost */
		assert_int_equal(get(&new, 2), -EBADMSG);
		memcpy(place, fake->bytes + ((uint64_t)other.location << 4), sizeof(saved));
		assert_int_equal(get(&new, 2), -EBADMSG);
		end_test();
	}
}

static void test_a_failing_read_is_an_error_of_that_read(void **state)
{
	struct backing_record record;

	begin_test(true);
	record = put(1, 1, 4096);
	fake->read_error = EIO;
	assert_int_equal(get(&record, 1), -EIO);
	fake->read_error = 0;
	assert_int_equal(get(&record, 1), 0);
	end_test();
}

static void test_a_segment_that_fails_is_replaced_by_another(void **state)
{
	struct backing_record records[SEGMENTS];
	struct backing_stats stats;

	begin_test(true);
	fake->bad_from = 3 * SEGMENT;
	fake->bad_to = 4 * SEGMENT;
	for (unsigned int i = 0; i < SEGMENTS - 2; i++)
		records[i] = put(i, 1, 900);
	for (unsigned int i = 0; i < SEGMENTS - 2; i++)
		assert_int_equal(get(&records[i], 1), 0);
	backing_get_stats(backing, &stats);
	assert_int_equal(stats.segments_bad, 1);
	assert_int_equal(stats.failed_writes, 1);
	assert_int_equal(stats.pages, SEGMENTS - 2);
	end_test();
}

static void test_records_stay_until_a_write_succeeds(void **state)
{
	unsigned char payload[700];
	struct backing_record record;
	struct backing_stats stats;

	begin_test(true);
	make_payload(payload, 9, 1, sizeof(payload));
	fake->write_error = ENOSPC;
	fake->write_fails = -1;
	assert_int_equal(backing_append(backing, 9, payload, sizeof(payload), BACKING_FROM_MEMORY),
			 0);
	assert_int_equal(backing_write(backing), -ENOSPC);
	assert_int_equal(backing_write(backing), -ENOSPC);
	backing_get_stats(backing, &stats);
	/* It is the medium that fails, no segment: none is given up. */
	assert_int_equal(stats.segments_bad, 0);
	assert_int_equal(stats.pages, 0);
	assert_int_equal(stats.segments_free, SEGMENTS);
	fake->write_error = 0;
	assert_int_equal(backing_records(backing), 1);
	assert_int_equal(backing_write(backing), 0);
	record = *backing_record(backing, 0);
	backing_done(backing);
	assert_int_equal(get(&record, 1), 0);
	end_test();
}

static void test_a_segment_given_up_is_tried_again_when_no_other_is_left(void **state)
{
	struct backing_stats stats;

	begin_test(true);
	fake->bad_from = 2 * SEGMENT;
	fake->bad_to = 3 * SEGMENT;
	for (unsigned int i = 0; i < SEGMENTS - 2; i++)
		(void)put(i, 1, 900);
	fake->bad_to = 0;
	(void)put(100, 1, 900);
	backing_get_stats(backing, &stats);
	assert_int_equal(stats.segments_bad, 0);
	end_test();
}

static void test_a_medium_that_is_smaller_than_it_says_is_refused(void **state)
{
	char why[WHY_MAX] = "";

	fake = fake_medium_new(64 * SEGMENT, 16 * SEGMENT);
	assert_int_equal(backing_create(&backing, &fake->medium, SEGMENT, true, why, WHY_MAX),
			 -EIO);
	assert_non_null(strstr(why, "lies about its size"));
	fake_medium_free(fake);
}

static void test_a_medium_that_is_too_small_or_fails_is_refused(void **state)
{
	char why[WHY_MAX] = "";

	fake = fake_medium_new(backing_size_min(SEGMENT) - 4096, 0);
	assert_int_equal(backing_create(&backing, &fake->medium, SEGMENT, true, why, WHY_MAX),
			 -EINVAL);
	assert_non_null(strstr(why, "too small"));
	fake_medium_free(fake);

	fake = fake_medium_new(backing_size_min(SEGMENT), 0);
	fake->write_error = EROFS;
	fake->write_fails = -1;
	assert_int_equal(backing_create(&backing, &fake->medium, SEGMENT, true, why, WHY_MAX),
			 -EROFS);
	assert_non_null(strstr(why, "fails at byte"));
	fake_medium_free(fake);
}

/* The owner of the records of a model test: what the page table is to the page store. */
#define PAGES 2000u

struct owner {
	struct backing_record record;
	uint32_t version;
	bool there;
};

static struct owner owners[PAGES];

/* Has the owners remember what a write has stored. */
static void publish(void)
{
	for (uint32_t i = 0; i < backing_records(backing); i++) {
		const struct backing_record *record = backing_record(backing, i);
		struct owner *owner = &owners[record->page];

		if (record->from != BACKING_FROM_MEMORY &&
		    !(owner->there && owner->record.location == record->from)) {
			backing_forget(backing, record->location, record->length);
			continue;
		}
		if (owner->there)
			backing_forget(backing, owner->record.location, owner->record.length);
		owner->record = *record;
		owner->there = true;
	}
	backing_done(backing);
}

static bool clean_some(void)
{
	struct backing_record record;
	bool full = false;

	while (!full && backing_clean_begin(backing, 90) == 0) {
		while (!full && backing_clean_next(backing, &record)) {
			struct owner *owner = &owners[record.page];

			if (owner->there && owner->record.location == record.location)
				full = backing_clean_copy(backing) == -ENOSPC;
		}
	}
	if (backing_records(backing) == 0)
		return false;
	assert_int_equal(backing_write(backing), 0);
	publish();
	return true;
}

static void flush_model(void)
{
	if (backing_records(backing) == 0)
		return;
	assert_int_equal(backing_write(backing), 0);
	publish();
}

static uint64_t verify_model(void)
{
	uint64_t pages = 0;

	for (unsigned int i = 0; i < PAGES; i++) {
		if (!owners[i].there)
			continue;
		pages++;
		assert_int_equal(get(&owners[i].record, owners[i].version), 0);
	}
	return pages;
}

static void step_model(uint32_t pages)
{
	uint32_t page = rnd(pages), length = rnd(8) ? 1 + rnd(1500) : 4096;
	struct owner *owner = &owners[page];
	unsigned char payload[BACKING_PAYLOAD_MAX];

	if (owner->there && rnd(3) == 0) {
		backing_forget(backing, owner->record.location, owner->record.length);
		owner->there = false;
		return;
	}
	/* One version of a page at a time in the open segment. */
	for (uint32_t i = 0; i < backing_records(backing); i++)
		if (backing_record(backing, i)->page == page)
			return;
	if (owner->there) {
		backing_forget(backing, owner->record.location, owner->record.length);
		owner->there = false;
	}
	make_payload(payload, page, ++owner->version, length);
	if (backing_append(backing, page, payload, length, BACKING_FROM_MEMORY) == -ENOSPC) {
		flush_model();
		while (backing_free_segments(backing) == 0)
			assert_true(clean_some());
		assert_int_equal(
			backing_append(backing, page, payload, length, BACKING_FROM_MEMORY), 0);
	}
}

static void test_random_use_against_a_model(void **state)
{
	for (int encrypt = 0; encrypt < 2; encrypt++) {
		struct backing_stats stats;

		begin_test(encrypt);
		memset(owners, 0, sizeof(owners));
		/* Two thirds full: room is found only by cleaning. */
		for (int round = 0; round < 40; round++) {
			for (int i = 0; i < 1000; i++)
				step_model(600);
			flush_model();
			while (backing_free_segments(backing) == 0)
				assert_true(clean_some());
			backing_get_stats(backing, &stats);
			assert_int_equal(stats.pages, verify_model());
		}
		assert_true(stats.cleaned > 0);
		assert_true(stats.segments_free < SEGMENTS / 2);
		/* What is forgotten comes back to the last segment. */
		for (unsigned int i = 0; i < PAGES; i++)
			if (owners[i].there)
				backing_forget(backing, owners[i].record.location,
					       owners[i].record.length);
		backing_get_stats(backing, &stats);
		assert_int_equal(stats.segments_free, SEGMENTS);
		assert_int_equal(stats.pages, 0);
		assert_int_equal(stats.bytes, 0);
		backing_discard_free(backing);
		assert_true(fake->discards > SEGMENTS / 2);
		end_test();
	}
}

static void test_a_full_store_takes_no_more_and_keeps_what_it_has(void **state)
{
	unsigned char payload[4000];
	uint32_t page = 0;
	int err = 0;

	begin_test(true);
	memset(owners, 0, sizeof(owners));
	while (!err) {
		make_payload(payload, page, 1, 4000);
		if (backing_append(backing, page, payload, 4000, BACKING_FROM_MEMORY) == 0) {
			owners[page++].version = 1;
			continue;
		}
		err = backing_write(backing);
		if (!err)
			publish();
	}
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(backing_free_segments(backing), 0);
	assert_int_equal(verify_model(), (SEGMENTS - 1) * (SEGMENT / 4032));
	/* Nothing is sparse: cleaning is no way out either. */
	backing_drop(backing);
	assert_int_equal(backing_clean_begin(backing, 90), -ENOENT);
	/* One page in five goes, and there is a way. */
	for (uint32_t i = 0; i < page; i += 5) {
		if (!owners[i].there)
			continue;
		backing_forget(backing, owners[i].record.location, 4000);
		owners[i].there = false;
	}
	while (backing_free_segments(backing) == 0)
		assert_true(clean_some());
	verify_model();
	end_test();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_payload_comes_back),
		cmocka_unit_test(test_only_encryption_hides_payload_and_page),
		cmocka_unit_test(test_the_same_payload_is_never_sealed_the_same_way),
		cmocka_unit_test(test_a_damaged_record_is_refused_and_the_next_is_not),
		cmocka_unit_test(test_a_misplaced_or_older_record_is_refused),
		cmocka_unit_test(test_a_failing_read_is_an_error_of_that_read),
		cmocka_unit_test(test_a_segment_that_fails_is_replaced_by_another),
		cmocka_unit_test(test_records_stay_until_a_write_succeeds),
		cmocka_unit_test(test_a_segment_given_up_is_tried_again_when_no_other_is_left),
		cmocka_unit_test(test_a_medium_that_is_smaller_than_it_says_is_refused),
		cmocka_unit_test(test_a_medium_that_is_too_small_or_fails_is_refused),
		cmocka_unit_test(test_random_use_against_a_model),
		cmocka_unit_test(test_a_full_store_takes_no_more_and_keeps_what_it_has),
	};

	return cmocka_run_group_tests_name("backing", tests, NULL, NULL);
}
