/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/size.h"

#define UNTOUCHED UINT64_C(0xdeadbeef)
#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)
#define TIB (GIB * 1024)
#define PIB (TIB * 1024)
#define EIB (PIB * 1024)

struct accepted {
	const char *text;
	uint64_t bytes;
};

struct refused {
	const char *text;
	int error;
	const char *said; /* part of the message */
};

static void assert_accepts(const struct accepted *cases, size_t count, uint64_t ram)
{
	for (size_t i = 0; i < count; i++) {
		char why[SIZE_WHY_MAX] = "";
		uint64_t bytes = UNTOUCHED;
		int error = size_parse(cases[i].text, ram, &bytes, why, sizeof(why));

		if (error || bytes != cases[i].bytes)
			fail_msg("%s: error %d (%s), %ju bytes instead of %ju", cases[i].text,
				 error, why, (uintmax_t)bytes, (uintmax_t)cases[i].bytes);
	}
}

static void assert_refuses(const struct refused *cases, size_t count, uint64_t ram)
{
	for (size_t i = 0; i < count; i++) {
		char why[SIZE_WHY_MAX] = "";
		uint64_t bytes = UNTOUCHED;
		int error = size_parse(cases[i].text, ram, &bytes, why, sizeof(why));

		if (error != cases[i].error || !strstr(why, cases[i].said))
			fail_msg("\"%s\": error %d instead of %d, said: %s", cases[i].text, error,
				 cases[i].error, why);
		assert_int_equal(bytes, UNTOUCHED);
		assert_null(strchr(why, '\n'));
		assert_int_equal(size_parse(cases[i].text, ram, &bytes, NULL, 0), error);
	}
}

#define ACCEPTS(ram, ...)                                                     \
	do {                                                                  \
		static const struct accepted cases[] = { __VA_ARGS__ };       \
		assert_accepts(cases, sizeof(cases) / sizeof(cases[0]), ram); \
	} while (0)

#define REFUSES(ram, ...)                                                     \
	do {                                                                  \
		static const struct refused cases[] = { __VA_ARGS__ };        \
		assert_refuses(cases, sizeof(cases) / sizeof(cases[0]), ram); \
	} while (0)

static void takes_what_nbdkit_takes(void **state)
{
	ACCEPTS(0, { "1", 1 }, { "4096", 4096 }, { "4096b", 4096 }, { "4096B", 4096 },
		{ "3s", 1536 }, { "3S", 1536 }, { "1k", KIB }, { "1K", KIB }, { "512M", 512 * MIB },
		{ "512m", 512 * MIB }, { "2G", 2 * GIB }, { "1T", TIB }, { "16T", 16 * TIB },
		{ "1p", PIB }, { "7E", 7 * EIB }, { "9223372036854775807", INT64_MAX },
		{ "007M", 7 * MIB });
}

static void takes_binary_units_and_decimals(void **state)
{
	ACCEPTS(0, { "512MiB", 512 * MIB }, { "1kib", KIB }, { "1.5G", GIB + GIB / 2 },
		{ "0.5k", 512 }, { "1.0M", MIB }, { "2.25GiB", 2 * GIB + GIB / 4 },
		/* rounded down to a byte, at both ends of the scale */
		{ "7.999999999999999999E", 8 * EIB - 2 }, { "7.99999999999999999999E", INT64_MAX },
		{ "0.1K", 102 }, { "0.3333333333333333333333333M", 349525 });
}

static void takes_shares_of_ram_where_told_how_much_there_is(void **state)
{
	ACCEPTS(1000, { "25%", 250 }, { "100%", 1000 }, { "12.5%", 125 }, { "0.1%", 1 },
		{ "250%", 2500 }, { "1000%", 10000 }, { "33.39%", 333 }, { "5K", 5 * KIB });
	ACCEPTS(64 * TIB, { "50%", 32 * TIB });
}

static void refuses_what_is_no_size(void **state)
{
	REFUSES(0, { "", -EINVAL, "512M" }, { "M", -EINVAL, "512M" }, { " 1M", -EINVAL, "512M" },
		{ "1 M", -EINVAL, "512M" }, { "1M ", -EINVAL, "512M" }, { "1X", -EINVAL, "\"1X\"" },
		{ "1MB", -EINVAL, "512M" }, { "1Mi", -EINVAL, "512M" },
		{ "1MiBs", -EINVAL, "512M" }, { "1iB", -EINVAL, "512M" },
		{ "1bb", -EINVAL, "512M" }, { "+1M", -EINVAL, "512M" }, { "0x10", -EINVAL, "512M" },
		{ "1e9", -EINVAL, "512M" }, { "1.M", -EINVAL, "512M" }, { ".5M", -EINVAL, "512M" },
		{ "1,5G", -EINVAL, "1.5G" }, { "1.5.5G", -EINVAL, "1.5G" },
		{ "--1M", -EINVAL, "512M" }, { "1.5", -EINVAL, "whole number of bytes" },
		{ "1.5b", -EINVAL, "whole number of bytes" }, { "none", -EINVAL, "512M" },
		{ "nan", -EINVAL, "512M" }, { "1M\n", -EINVAL, "\"1M?\"" });
}

static void refuses_sizes_out_of_range(void **state)
{
	REFUSES(0, { "0", -ERANGE, "more than 0" }, { "0M", -ERANGE, "more than 0" },
		{ "0.0001K", -ERANGE, "more than 0" }, { "-1", -ERANGE, "negative" },
		{ "-1.5G", -ERANGE, "negative" }, { "-0", -ERANGE, "negative" },
		{ "8E", -ERANGE, "less than 8E" }, { "16E", -ERANGE, "less than 8E" },
		{ "9223372036854775808", -ERANGE, "less than 8E" },
		{ "18446744073709551617", -ERANGE, "less than 8E" },
		{ "99999999999999999999999999999999999999E", -ERANGE, "less than 8E" });
}

static void refuses_absurd_shares(void **state)
{
	REFUSES(0, { "25%", -EINVAL, "is a share, where a size is due" });
	REFUSES(1000, { "0%", -ERANGE, "more than 0" }, { "0.01%", -ERANGE, "more than 0" },
		{ "-5%", -ERANGE, "negative" }, { "1001%", -ERANGE, "1000% of RAM" },
		{ "1000.1%", -ERANGE, "1000% of RAM" },
		{ "99999999999999999999999%", -ERANGE, "1000% of RAM" }, { "%", -EINVAL, "25%" },
		{ "25%%", -EINVAL, "25%" }, { "25K%", -EINVAL, "25%" });
}

static void message_stays_inside_the_callers_buffer(void **state)
{
	char text[5000];
	uint64_t bytes = UNTOUCHED;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t size = 1; size <= SIZE_WHY_MAX; size++) {
		char why[SIZE_WHY_MAX + 1];

		memset(why, '#', sizeof(why));
		assert_int_equal(size_parse(text, 1000, &bytes, why, size), -EINVAL);
		assert_non_null(memchr(why, '\0', size));
		assert_int_equal(why[size], '#');
	}
	assert_int_equal(bytes, UNTOUCHED);
}

static void longest_message_is_not_cut(void **state)
{
	char text[] = "123456789012345678901234567890123456789012345678.1";
	char why[SIZE_WHY_MAX];
	uint64_t bytes;

	assert_int_equal(size_parse(text, 1000, &bytes, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "such as 25%"));
}

static void knows_the_memory_of_the_machine(void **state)
{
	assert_uint_in_range(size_of_ram(), 16 * MIB, EIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_nbdkit_takes),
		cmocka_unit_test(takes_binary_units_and_decimals),
		cmocka_unit_test(takes_shares_of_ram_where_told_how_much_there_is),
		cmocka_unit_test(refuses_what_is_no_size),
		cmocka_unit_test(refuses_sizes_out_of_range),
		cmocka_unit_test(refuses_absurd_shares),
		cmocka_unit_test(message_stays_inside_the_callers_buffer),
		cmocka_unit_test(longest_message_is_not_cut),
		cmocka_unit_test(knows_the_memory_of_the_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
