/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"

static void fill(unsigned char *data, size_t size)
{
	uint32_t state = 1;

	for (size_t i = 0; i < size; i++) {
		state = state * 1103515245 + 12345;
		data[i] = (unsigned char)(state >> 16);
	}
}

/* RFC 3720, appendix B.4. */
static void it_is_crc32c(void **state)
{
	unsigned char data[32];

	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	memset(data, 0, sizeof(data));
	assert_int_equal(crc32c(0, data, sizeof(data)), 0x8a9136aa);
	memset(data, 0xff, sizeof(data));
	assert_int_equal(crc32c(0, data, sizeof(data)), 0x62a8ab43);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)i;
	assert_int_equal(crc32c(0, data, sizeof(data)), 0x46dd794e);
	assert_int_equal(crc32c(0, data, 0), 0);
}

static void it_is_the_same_with_and_without_the_instruction(void **state)
{
	unsigned char data[600];

	if (!crc32c_is_fast())
		print_message("this processor has no such instruction\n");
	fill(data, sizeof(data));
	for (size_t from = 0; from < 9; from++)
		for (size_t size = 0; size + from <= sizeof(data); size++)
			assert_int_equal(crc32c(7, data + from, size),
					 crc32c_by_table(7, data + from, size));
	assert_int_equal(crc32c(crc32c(0, data, 100), data + 100, 200), crc32c(0, data, 300));
}

static void any_flipped_bit_changes_a_checksum(void **state)
{
	static const size_t sizes[] = { 1, 8, 12, 95, 96, 97, 119, 120, 1000, 4096 };
	static unsigned char data[4096];

	fill(data, sizeof(data));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t sum = checksum(5, data, sizes[i]);

		for (size_t bit = 0; bit < sizes[i] * 8; bit++) {
			data[bit / 8] ^= (unsigned char)(1 << bit % 8);
			assert_int_not_equal(checksum(5, data, sizes[i]), sum);
			data[bit / 8] ^= (unsigned char)(1 << bit % 8);
		}
		for (unsigned int bit = 0; bit < 64; bit++)
			assert_int_not_equal(checksum(5 ^ UINT64_C(1) << bit, data, sizes[i]), sum);
		assert_int_not_equal(checksum(5, data, sizes[i] - 1), sum);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_crc32c),
		cmocka_unit_test(it_is_the_same_with_and_without_the_instruction),
		cmocka_unit_test(any_flipped_bit_changes_a_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
