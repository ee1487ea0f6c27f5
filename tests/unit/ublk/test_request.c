/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel can ask of a ublk device, on a real store. */
#include "store_helper.h"
#include "ublk/request.h"

#define SECTORS (MIB / 512)

static unsigned char data[16 * PAGE];

static int32_t ask(struct store *store, unsigned int operation, uint64_t sector, uint32_t sectors)
{
	const struct ublk_descriptor request = {
		.operation = operation,
		.sector = sector,
		.sectors = sectors,
	};

	return ublk_request_carry_out(store, &request, data, sizeof(data));
}

static void what_is_written_is_read(void **state)
{
	struct store *store = store_of(MIB, STORE_NO_LIMIT);
	unsigned char copy[sizeof(data)];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 7 + i / PAGE);
	memcpy(copy, data, sizeof(data));
	assert_int_equal(ask(store, UBLK_WRITE, 24, sizeof(data) / 512), sizeof(data));
	memset(data, 0, sizeof(data));
	assert_int_equal(ask(store, UBLK_READ, 24, sizeof(data) / 512), sizeof(data));
	assert_memory_equal(data, copy, sizeof(data));
	store_done(store);
}

static void flags_of_a_request_do_not_change_what_it_is(void **state)
{
	struct store *store = store_of(MIB, STORE_NO_LIMIT);

	memset(data, 9, PAGE);
	assert_int_equal(ask(store, UBLK_WRITE | 1u << 16 | 1u << 8, 0, 8), PAGE);
	assert_int_equal(ask(store, UBLK_READ | 1u << 31, 0, 8), PAGE);
	assert_int_equal(data[PAGE - 1], 9);
	store_done(store);
}

static void discarded_and_zeroed_pages_read_as_zeroes_and_take_nothing(void **state)
{
	struct store *store = store_of(MIB, STORE_NO_LIMIT);

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i / 3);
	assert_int_equal(ask(store, UBLK_WRITE, 0, 16), 2 * PAGE);
	assert_int_equal(ask(store, UBLK_DISCARD, 0, 8), 0);
	assert_int_equal(ask(store, UBLK_WRITE_ZEROES, 8, 8), 0);
	assert_int_equal(stats_of(store).orig_data_size, 0);
	assert_int_equal(ask(store, UBLK_READ, 0, 16), 2 * PAGE);
	for (size_t i = 0; i < 2 * PAGE; i++)
		assert_int_equal(data[i], 0);
	/* More than a request with data may be. */
	assert_int_equal(ask(store, UBLK_DISCARD, 0, SECTORS), 0);
	store_done(store);
}

static void a_flush_has_nothing_to_do(void **state)
{
	struct store *store = store_of(MIB, STORE_NO_LIMIT);

	assert_int_equal(ask(store, UBLK_FLUSH, 0, 0), 0);
	store_done(store);
}

static void what_is_not_of_the_disk_is_refused(void **state)
{
	struct store *store = store_of(MIB, STORE_NO_LIMIT);
	const unsigned int operations[] = { UBLK_READ, UBLK_WRITE, UBLK_DISCARD,
					    UBLK_WRITE_ZEROES };

	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		assert_int_equal(ask(store, operations[i], SECTORS - 8, 16), -EINVAL);
		assert_int_equal(ask(store, operations[i], SECTORS, 8), -EINVAL);
		/* Sectors whose bytes do not fit into 64 bits, and just do. */
		assert_int_equal(ask(store, operations[i], UINT64_C(1) << 55, 8), -EINVAL);
		assert_int_equal(ask(store, operations[i], UINT64_MAX, 8), -EINVAL);
		assert_int_equal(ask(store, operations[i], (UINT64_C(1) << 55) - 8, 8), -EINVAL);
	}
	assert_int_equal(stats_of(store).orig_data_size, 0);
	store_done(store);
}

static void more_than_the_buffer_holds_is_refused(void **state)
{
	struct store *store = store_of(MIB, STORE_NO_LIMIT);

	assert_int_equal(ask(store, UBLK_READ, 0, sizeof(data) / 512 + 1), -EINVAL);
	assert_int_equal(ask(store, UBLK_WRITE, 0, UINT32_MAX), -EINVAL);
	store_done(store);
}

static void what_was_not_offered_is_refused(void **state)
{
	struct store *store = store_of(MIB, STORE_NO_LIMIT);

	assert_int_equal(ask(store, 4, 0, 8), -EOPNOTSUPP);
	assert_int_equal(ask(store, 0xff, 0, 8), -EOPNOTSUPP);
	store_done(store);
}

static void a_full_disk_says_so(void **state)
{
	struct store *store = store_of(16 * MIB, store_memlimit_min(16 * MIB));
	int32_t result = 0;
	uint32_t random = 1;

	for (uint64_t sector = 0; sector < 16 * SECTORS && result >= 0;
	     sector += sizeof(data) / 512) {
		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (unsigned char)((random = random * 1664525 + 1013904223) >> 24);
		result = ask(store, UBLK_WRITE, sector, sizeof(data) / 512);
	}
	assert_int_equal(result, -ENOSPC);
	store_done(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(flags_of_a_request_do_not_change_what_it_is),
		cmocka_unit_test(discarded_and_zeroed_pages_read_as_zeroes_and_take_nothing),
		cmocka_unit_test(a_flush_has_nothing_to_do),
		cmocka_unit_test(what_is_not_of_the_disk_is_refused),
		cmocka_unit_test(more_than_the_buffer_holds_is_refused),
		cmocka_unit_test(what_was_not_offered_is_refused),
		cmocka_unit_test(a_full_disk_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
