/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/expression.h"
#include "base/size.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define UNTOUCHED UINT64_C(0xdeadbeef)

static void a_size_is_what_size_parse_says(void **state)
{
	static const char *const sizes[] = { "512M", "25%", "1.5G", "4096", "100%",
					     "0",    "4 G", "x",    "-1",   "" };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t plain = UNTOUCHED, bytes = UNTOUCHED;
		int err = size_parse(sizes[i], 8 * GIB, &plain, NULL, 0);

		assert_int_equal(!!expression_parse(sizes[i], 8 * GIB, &bytes, NULL, 0), !!err);
		assert_int_equal(bytes, plain);
	}
}

static void sizes_are_computed(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{ "ram", 8 * GIB },
		{ " ram ", 8 * GIB },
		{ "ram/2", 4 * GIB },
		{ "ram / 2", 4 * GIB },
		{ "ram * 0.75", 6 * GIB },
		{ "ram - 512M", 8 * GIB - 512 * MIB },
		{ "min(ram / 2, 3G)", 3 * GIB },
		{ "min(50%, 16G)", 4 * GIB },
		{ "max(1G,25%,512M)", 2 * GIB },
		{ "1G + 2 * 1G", 3 * GIB },
		{ "(1G + 2G) * 2", 6 * GIB },
		{ "10G - 1G - 1G", 8 * GIB },
		{ "min(max(1G, 2G), (3G))", 2 * GIB },
		{ "ram / 3", 8 * GIB / 3 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char why[SIZE_WHY_MAX] = "";
		uint64_t bytes = UNTOUCHED;

		if (expression_parse(cases[i].text, 8 * GIB, &bytes, why, sizeof(why)) ||
		    bytes != cases[i].bytes)
			fail_msg("%s: %ju bytes instead of %ju (%s)", cases[i].text,
				 (uintmax_t)bytes, (uintmax_t)cases[i].bytes, why);
	}
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *text;
		int err;
		const char *said;
	} cases[] = {
		{ "ram /", -EINVAL, "a size is due" },
		{ "ram 2", -EINVAL, "\"2\" is where an operator is due" },
		{ "min(ram, 2G", -EINVAL, "a ) is due" },
		{ "min ram", -EINVAL, "a ( is due" },
		{ "(ram", -EINVAL, "a ) is due" },
		{ "ram / 0", -EINVAL, "division by 0" },
		{ "ram / (1 - 1)", -EINVAL, "division by 0" },
		{ "ram - ram", -ERANGE, "less than one byte" },
		{ "1G - 2G", -ERANGE, "less than one byte" },
		{ "ram * ram", -ERANGE, "too large" },
		{ "1.2.3 * 1G", -EINVAL, "not a number" },
		{ "2000% + 1", -ERANGE, "1000%" },
		{ "rom / 2", -EINVAL, "rom" },
		{ "((((((((((((((((((ram))))))))))))))))))", -EINVAL, "too many parentheses" },
	};
	char long_term[300] = "1+";

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char why[SIZE_WHY_MAX] = "";
		uint64_t bytes = UNTOUCHED;

		assert_int_equal(expression_parse(cases[i].text, 8 * GIB, &bytes, why, sizeof(why)),
				 cases[i].err);
		assert_int_equal(bytes, UNTOUCHED);
		if (!strstr(why, cases[i].said))
			fail_msg("%s: '%s' does not say '%s'", cases[i].text, why, cases[i].said);
		assert_null(strchr(why, '\n'));
	}
	memset(long_term + 2, '9', sizeof(long_term) - 3);
	assert_true(expression_parse(long_term, GIB, &(uint64_t){ 0 }, NULL, 0) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_size_is_what_size_parse_says),
		cmocka_unit_test(sizes_are_computed),
		cmocka_unit_test(what_is_wrong_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
