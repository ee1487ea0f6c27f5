/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every codec keeps the promises of codec.h.  Links compress/ alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec.h"
#include "codec_pages.h"

static void *workspace_new(const struct codec *codec, enum codec_effort effort)
{
	size_t size = (codec->workspace_size[effort] + 63) / 64 * 64;
	void *workspace;

	if (!size)
		return NULL;
	workspace = aligned_alloc(64, size);
	assert_non_null(workspace);
	memset(workspace, 0, size);
	return workspace;
}

static void returns_page(const struct codec *codec, const void *payload, int len,
			 const unsigned char *page)
{
	unsigned char back[CODEC_PAGE_SIZE + 64];

	for (size_t slack = 0; slack <= 32; slack += 16) {
		memset(back, 0x5a, sizeof(back));
		assert_int_equal(codec->decompress(payload, len, back, slack), 0);
		assert_memory_equal(back, page, CODEC_PAGE_SIZE);
		for (size_t i = CODEC_PAGE_SIZE + slack; i < sizeof(back); i++)
			assert_int_equal(back[i], 0x5a);
	}
}

static void every_effort_returns_the_page(void **state)
{
	unsigned char page[CODEC_PAGE_SIZE], payload[CODEC_BOUND_MAX];

	for (size_t c = 0; codecs[c]; c++) {
		for (int effort = 0; effort < CODEC_EFFORTS; effort++) {
			void *workspace = workspace_new(codecs[c], effort);
			unsigned pages = effort == CODEC_MAX ? 300 : 2000;

			for (unsigned i = 0; i < pages; i++) {
				int len;

				codec_page_make(page, i);
				len = codecs[c]->compress(effort, workspace, page, payload);
				assert_in_range(len, 1, CODEC_BOUND_MAX);
				returns_page(codecs[c], payload, len, page);
			}
			free(workspace);
		}
	}
}

static void a_payload_of_another_length_is_refused(void **state)
{
	unsigned char page[CODEC_PAGE_SIZE], payload[CODEC_BOUND_MAX];

	for (size_t c = 0; codecs[c]; c++) {
		void *workspace = workspace_new(codecs[c], CODEC_FAST);
		int len;

		codec_page_make(page, 3);
		len = codecs[c]->compress(CODEC_FAST, workspace, page, payload);
		assert_in_range(len, 2, CODEC_BOUND_MAX - 1);
		payload[len] = 0;
		assert_true(codecs[c]->decompress(payload, len + 1, page, 0) < 0);
		for (int cut = 0; cut < len; cut++)
			assert_true(codecs[c]->decompress(payload, cut, page, 0) < 0);
		free(workspace);
	}
}

static void a_codec_is_found_by_its_exact_name(void **state)
{
	for (size_t c = 0; codecs[c]; c++)
		assert_ptr_equal(codec_find(codecs[c]->name), codecs[c]);
	assert_null(codec_find("LZO"));
	assert_null(codec_find("lz"));
	assert_null(codec_find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_effort_returns_the_page),
		cmocka_unit_test(a_payload_of_another_length_is_refused),
		cmocka_unit_test(a_codec_is_found_by_its_exact_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
