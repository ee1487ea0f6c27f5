/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/nearest.h"

static const char *const names[] = { "size", "memlimit", "recompress", "recompress-cpu", "swap" };
#define COUNT (sizeof(names) / sizeof(names[0]))

static void a_word_with_a_mistake_or_two_is_found(void **state)
{
	static const struct {
		const char *word, *name;
	} cases[] = {
		{ "memlimit", "memlimit" },
		{ "mem_limit", "memlimit" },
		{ "MemLimit", "memlimit" },
		{ "memlimt", "memlimit" },
		{ "memllimitt", "memlimit" },
		{ "siz", "size" },
		{ "recompress", "recompress" },
		{ "recompres", "recompress" },
		{ "recompress_cpu", "recompress-cpu" },
		{ "recompresscp", "recompress-cpu" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(nearest(cases[i].word, names, COUNT), cases[i].name);
}

static void another_word_is_not(void **state)
{
	static const char *const words[] = {
		"",	      "s",     "bogus",
		"frobnicate", "limit", "memory",
		"dir",	      "sw",    "a word that is longer than any name of ours could be",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_null(nearest(words[i], names, COUNT));
	assert_null(nearest("size", names, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_with_a_mistake_or_two_is_found),
		cmocka_unit_test(another_word_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
