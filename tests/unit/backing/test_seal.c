/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Seals: a record opens under its own filling, place and header, whole, and under nothing else. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backing/seal.h"

#define LENGTH 1000u
#define FILLING UINT64_C(77)
#define PLACE 5u

struct sealed {
	struct seal *seal;
	struct seal_header header;
	unsigned char payload[LENGTH];
	unsigned char record[SEAL_HEADER_SIZE + LENGTH + SEAL_TAG_SIZE];
};

static struct sealed sealed;

static int make(bool encrypt)
{
	int err = seal_create(&sealed.seal, encrypt);

	for (size_t i = 0; i < LENGTH; i++)
		sealed.payload[i] = (unsigned char)(i * 7);
	sealed.header = (struct seal_header){ .page = UINT64_C(0xfedcba9876), .length = LENGTH };
	if (!err)
		seal_record(sealed.seal, FILLING, PLACE, &sealed.header, sealed.payload,
			    sealed.record);
	return err;
}

static int make_encrypted(void **state)
{
	return make(true);
}

static int make_plain(void **state)
{
	return make(false);
}

static int end(void **state)
{
	seal_destroy(sealed.seal);
	return 0;
}

static int open_as(uint64_t filling, uint32_t place, struct seal_header header)
{
	unsigned char payload[4096];
	int err = seal_open(sealed.seal, filling, place, &header, sealed.record, payload);

	if (!err)
		assert_memory_equal(payload, sealed.payload, LENGTH);
	return err;
}

static void a_record_opens_as_what_it_was_sealed(void **state)
{
	struct seal_header header;

	assert_int_equal(seal_size(LENGTH), sizeof(sealed.record));
	seal_peek(sealed.seal, FILLING, PLACE, sealed.record, &header);
	assert_int_equal(header.page, sealed.header.page);
	assert_int_equal(header.length, LENGTH);
	assert_int_equal(open_as(FILLING, PLACE, sealed.header), 0);
}

static void nothing_else_opens_it(void **state)
{
	struct seal_header other = sealed.header;

	assert_int_equal(open_as(FILLING + 1, PLACE, sealed.header), -EBADMSG);
	assert_int_equal(open_as(FILLING, PLACE + 1, sealed.header), -EBADMSG);
	other.page ^= 1;
	assert_int_equal(open_as(FILLING, PLACE, other), -EBADMSG);
	other = sealed.header;
	other.length--;
	assert_int_equal(open_as(FILLING, PLACE, other), -EBADMSG);
}

static void a_bit_that_differs_is_seen_in_payload_and_tag(void **state)
{
	for (size_t i = SEAL_HEADER_SIZE; i < sizeof(sealed.record); i++) {
		sealed.record[i] ^= (unsigned char)(1u << i % 8);
		assert_int_equal(open_as(FILLING, PLACE, sealed.header), -EBADMSG);
		sealed.record[i] ^= (unsigned char)(1u << i % 8);
	}
	assert_int_equal(open_as(FILLING, PLACE, sealed.header), 0);
}

/* Who reads by the header alone, to clean a segment, does not take another page for this one. */
static void a_header_that_differs_does_not_open(void **state)
{
	unsigned int differing = 0;

	for (size_t bit = 0; bit < SEAL_HEADER_SIZE * 8; bit++) {
		struct seal_header header;

		sealed.record[bit / 8] ^= (unsigned char)(1u << bit % 8);
		seal_peek(sealed.seal, FILLING, PLACE, sealed.record, &header);
		if (header.length >= 1 && header.length <= LENGTH &&
		    (header.page != sealed.header.page || header.length != LENGTH)) {
			differing++;
			assert_int_equal(open_as(FILLING, PLACE, header), -EBADMSG);
		}
		sealed.record[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
	assert_true(differing >= 40);
}

/* Whether so many bytes of the payload in a row lie in the record as they are. */
static bool shows_payload(size_t length)
{
	for (size_t i = 0; i + length <= sizeof(sealed.record); i++)
		if (memcmp(sealed.record + i, sealed.payload + 100, length) == 0)
			return true;
	return false;
}

static void an_encrypted_record_shows_nothing(void **state)
{
	unsigned char again[sizeof(sealed.record)];

	assert_false(shows_payload(8));
	/* The same payload of the next filling looks otherwise. */
	seal_record(sealed.seal, FILLING + 1, PLACE, &sealed.header, sealed.payload, again);
	assert_memory_not_equal(again, sealed.record, SEAL_HEADER_SIZE);
	assert_memory_not_equal(again + SEAL_HEADER_SIZE, sealed.record + SEAL_HEADER_SIZE, LENGTH);
}

static void one_that_is_not_encrypted_is_the_payload(void **state)
{
	assert_true(shows_payload(8));
}

static void another_store_cannot_open_it(void **state)
{
	unsigned char payload[4096];
	struct seal *other;

	assert_int_equal(seal_create(&other, true), 0);
	assert_int_equal(seal_open(other, FILLING, PLACE, &sealed.header, sealed.record, payload),
			 -EBADMSG);
	seal_destroy(other);
	seal_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest encrypted[] = {
		cmocka_unit_test(a_record_opens_as_what_it_was_sealed),
		cmocka_unit_test(nothing_else_opens_it),
		cmocka_unit_test(a_bit_that_differs_is_seen_in_payload_and_tag),
		cmocka_unit_test(a_header_that_differs_does_not_open),
		cmocka_unit_test(an_encrypted_record_shows_nothing),
		cmocka_unit_test(another_store_cannot_open_it),
	};
	const struct CMUnitTest plain[] = {
		cmocka_unit_test(a_record_opens_as_what_it_was_sealed),
		cmocka_unit_test(nothing_else_opens_it),
		cmocka_unit_test(a_bit_that_differs_is_seen_in_payload_and_tag),
		cmocka_unit_test(a_header_that_differs_does_not_open),
		cmocka_unit_test(one_that_is_not_encrypted_is_the_payload),
		cmocka_unit_test(another_store_cannot_open_it),
	};

	return cmocka_run_group_tests_name("backing seal, encrypted", encrypted, make_encrypted,
					   end) |
	       cmocka_run_group_tests_name("backing seal, plain", plain, make_plain, end);
}
