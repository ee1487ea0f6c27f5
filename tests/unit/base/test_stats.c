/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/stats.h"
#include "stats_sample.h"

static void plain_form_comes_back_as_it_went(void **state)
{
	struct ramzswap_stats stats = stats_sample(), back;
	char buf[STATS_PLAIN_MAX];
	int len = stats_format_plain(&stats, buf, sizeof(buf));

	assert_int_equal(len, strlen(buf));
	memset(&back, 0, sizeof(back));
	assert_int_equal(stats_parse_plain(&back, buf), 0);
	assert_memory_equal(&back, &stats, sizeof(stats));
}

static void plain_form_of_the_largest_numbers_just_fits(void **state)
{
	struct ramzswap_stats stats;
	char buf[STATS_PLAIN_MAX];

	memset(&stats, 0xff, sizeof(stats));
	assert_int_equal(stats_format_plain(&stats, buf, sizeof(buf)), STATS_PLAIN_MAX - 1);
	for (size_t size = 0; size < sizeof(buf); size++) {
		buf[size] = '#';
		assert_int_equal(stats_format_plain(&stats, buf, size), -ENOSPC);
		assert_int_equal(buf[size], '#');
	}
}

static void plain_form_of_a_newer_sender_is_read(void **state)
{
	struct ramzswap_stats stats = stats_sample(), back = { 0 };
	char buf[STATS_PLAIN_MAX + 64] = "pages_dreamt 7\n";

	stats_format_plain(&stats, buf + strlen(buf), sizeof(buf) - strlen(buf));
	strcat(buf, "disksize_2 5\n");
	assert_int_equal(stats_parse_plain(&back, buf), 0);
	assert_memory_equal(&back, &stats, sizeof(stats));
}

static void what_an_older_sender_does_not_have_is_nothing(void **state)
{
	struct ramzswap_stats back;

	memset(&back, 0xff, sizeof(back));
	assert_int_equal(stats_parse_plain(&back, "disksize 5\nuptime_seconds 7\n"), 0);
	assert_int_equal(back.disksize, 5);
	assert_int_equal(back.uptime_seconds, 7);
	assert_int_equal(back.mem_used_total, 0);
}

static void fields_stand_by_their_numbers(void **state)
{
	struct ramzswap_stats stats = stats_sample();

	assert_string_equal(stats_fields[STATS_NR_compr_data_size].name, "compr_data_size");
	assert_int_equal(stats_value(&stats, STATS_NR_compr_data_size), stats.compr_data_size);
	assert_string_equal(stats_fields[STATS_FIELD_COUNT - 1].name, "uptime_seconds");
}

static void cut_or_garbled_plain_form_is_refused(void **state)
{
	static const char *const garbage[] = {
		"disksize\n", "disksize \n",   "disksize -1\n",
		"disksize 1", "disksize 1 \n", " 1\n",
		"\n",	      "disksize x\n",  "x 99999999999999999999\n",
	};
	struct ramzswap_stats stats = stats_sample(), back = { .disksize = 42 };
	char whole[STATS_PLAIN_MAX], buf[STATS_PLAIN_MAX + 64];
	int len = stats_format_plain(&stats, whole, sizeof(whole));

	for (int cut = 0; cut < len; cut++) {
		memcpy(buf, whole, (size_t)cut);
		buf[cut] = '\0';
		assert_int_equal(stats_parse_plain(&back, buf), -EBADMSG);
	}
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		snprintf(buf, sizeof(buf), "%s%s", whole, garbage[i]);
		assert_int_equal(stats_parse_plain(&back, buf), -EBADMSG);
	}
	assert_int_equal(back.disksize, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_form_comes_back_as_it_went),
		cmocka_unit_test(plain_form_of_the_largest_numbers_just_fits),
		cmocka_unit_test(plain_form_of_a_newer_sender_is_read),
		cmocka_unit_test(what_an_older_sender_does_not_have_is_nothing),
		cmocka_unit_test(fields_stand_by_their_numbers),
		cmocka_unit_test(cut_or_garbled_plain_form_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
