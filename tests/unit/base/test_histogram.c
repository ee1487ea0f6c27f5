/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Histograms: which count a value falls into, what their middle is, and that they cross a socket. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/histogram.h"

#define READ HISTOGRAM_read_nanoseconds
#define PAYLOAD HISTOGRAM_payload_bytes

static const struct histogram_form *const read_form = &histogram_forms[READ];

static void bounds_rise_and_have_a_place_for_all(void **state)
{
	for (unsigned int kind = 0; kind < HISTOGRAM_KINDS; kind++) {
		const struct histogram_form *form = &histogram_forms[kind];

		assert_in_range(form->bounds, 2, HISTOGRAM_BOUNDS_MAX);
		for (unsigned int i = 1; i < form->bounds; i++)
			assert_true(form->bound[i - 1] < form->bound[i]);
	}
	/* A raw page has a bound of its own. */
	assert_int_equal(histogram_forms[PAYLOAD].bound[histogram_forms[PAYLOAD].bounds - 1], 4096);
}

static void value_is_counted_up_to_its_bound(void **state)
{
	struct histogram histogram = { { 0 }, 0 };
	struct histogram_state seen;
	uint64_t sum = 0;

	for (unsigned int i = 0; i < read_form->bounds; i++) {
		histogram_add(&histogram, READ, read_form->bound[i]);
		histogram_add(&histogram, READ, read_form->bound[i] + 1);
		sum += 2 * read_form->bound[i] + 1;
	}
	histogram_add(&histogram, READ, 0);
	histogram_get(&histogram, &seen);
	for (unsigned int i = 0; i < read_form->bounds; i++)
		assert_int_equal(seen.count[i], 2);
	assert_int_equal(seen.count[read_form->bounds], 1);
	assert_int_equal(seen.sum, sum);
	assert_int_equal(histogram_total(&seen), 2 * read_form->bounds + 1);
	histogram_reset(&histogram);
	histogram_get(&histogram, &seen);
	assert_int_equal(histogram_total(&seen) + seen.sum, 0);
}

static void quantile_lies_between_its_bounds(void **state)
{
	struct histogram_state seen = { { 0 }, 0 };

	assert_int_equal(histogram_quantile(&seen, PAYLOAD, 0.5), 0);
	seen.count[0] = 100;
	assert_int_equal(histogram_quantile(&seen, PAYLOAD, 0.5), 64);
	assert_int_equal(histogram_quantile(&seen, PAYLOAD, 1), 128);
	seen.count[3] = 100; /* from 512 to 1024 */
	assert_int_equal(histogram_quantile(&seen, PAYLOAD, 0.75), 768);
	assert_int_equal(histogram_quantile(&seen, PAYLOAD, 0.25), 64);
	/* What is above the last bound is not known better. */
	memset(&seen, 0, sizeof(seen));
	seen.count[read_form->bounds] = 5;
	assert_int_equal(histogram_quantile(&seen, READ, 0.5),
			 read_form->bound[read_form->bounds - 1]);
}

static void histograms_cross_a_socket(void **state)
{
	struct histogram_state states[HISTOGRAM_KINDS], back[HISTOGRAM_KINDS];
	char text[HISTOGRAMS_PLAIN_MAX];
	int len;

	memset(states, 0, sizeof(states));
	for (unsigned int kind = 0; kind < HISTOGRAM_KINDS; kind++) {
		for (unsigned int i = 0; i <= histogram_forms[kind].bounds; i++)
			states[kind].count[i] = UINT64_MAX - i;
		states[kind].sum = UINT64_MAX;
	}
	len = histograms_format(states, text, sizeof(text));
	assert_int_equal(len, strlen(text));
	assert_int_equal(histograms_parse(back, text), 0);
	assert_memory_equal(back, states, sizeof(back));
	for (size_t size = 0; size < (size_t)len; size += 7)
		assert_int_equal(histograms_format(states, text, size), -ENOSPC);

	/* What there is none of has no line. */
	memset(states, 0, sizeof(states));
	states[READ].count[1] = 7;
	states[READ].count[read_form->bounds] = 2;
	assert_true(histograms_format(states, text, sizeof(text)) > 0);
	assert_string_equal(text, "read_nanoseconds 2000 7\nread_nanoseconds inf 2\n"
				  "read_nanoseconds sum 0\nwrite_nanoseconds sum 0\n"
				  "payload_bytes sum 0\n");
}

static void another_version_is_read_and_garbage_is_not(void **state)
{
	static const char *const bad[] = { "x",
					   "read_nanoseconds\n",
					   "read_nanoseconds 1000\n",
					   "read_nanoseconds 1000 -1\n",
					   "read_nanoseconds 1000 1",
					   "read_nanoseconds 1000 1 \n",
					   "read_nanoseconds 1000 111111111111111111111\n" };
	struct histogram_state states[HISTOGRAM_KINDS], kept[HISTOGRAM_KINDS];

	memset(states, 0x55, sizeof(states));
	memcpy(kept, states, sizeof(states));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(histograms_parse(states, bad[i]), -EBADMSG);
	assert_memory_equal(states, kept, sizeof(states));
	assert_int_equal(histograms_parse(states, "news 1 2\nread_nanoseconds 999 4\n"
						  "read_nanoseconds 1000 5\n"),
			 0);
	assert_int_equal(states[READ].count[0], 5);
	assert_int_equal(histogram_total(&states[READ]), 5);
	assert_int_equal(histograms_parse(states, ""), 0);
	assert_int_equal(histogram_total(&states[READ]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_rise_and_have_a_place_for_all),
		cmocka_unit_test(value_is_counted_up_to_its_bound),
		cmocka_unit_test(quantile_lies_between_its_bounds),
		cmocka_unit_test(histograms_cross_a_socket),
		cmocka_unit_test(another_version_is_read_and_garbage_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
