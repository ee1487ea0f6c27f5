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

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
	!defined(__clang__)
#define COUNTS_ALLOCATIONS

/* Stand in front of glibc's, for the libraries under the codecs as well. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);

static unsigned long allocations;

__attribute__((visibility("default"))) void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}
#else
static unsigned long allocations;
#endif

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

static void try_pages(const struct codec *codec, enum codec_effort effort, unsigned pages)
{
	unsigned char page[CODEC_PAGE_SIZE], payload[CODEC_BOUND_MAX];
	void *workspace = workspace_new(codec, effort);

	for (unsigned i = 0; i < pages; i++) {
		int len;

		codec_page_make(page, i);
		len = codec->compress(effort, workspace, page, payload);
		assert_uint_in_range(len, 1, CODEC_BOUND_MAX);
		returns_page(codec, payload, len, page);
	}
	free(workspace);
}

static void every_effort_returns_the_page(void **state)
{
	for (size_t c = 0; codecs[c]; c++) {
		for (int effort = 0; effort < CODEC_EFFORTS; effort++)
			try_pages(codecs[c], effort, effort == CODEC_FAST ? 2000 : 300);
	}
}

static void every_level_returns_the_page(void **state)
{
	char name[] = "zstd:00";

	if (!codec_find("zstd")) {
		print_message("built without zstd, the only codec with levels\n");
		skip();
	}
	for (int level = 1; level <= 12; level++) {
		snprintf(name + 5, 3, "%d", level);
		assert_non_null(codec_find(name));
		try_pages(codec_find(name), CODEC_FAST, 100);
		try_pages(codec_find(name), CODEC_DENSE, 20);
		try_pages(codec_find(name), CODEC_MAX, 20);
	}
	assert_null(codec_find("zstd:0"));
	assert_null(codec_find("zstd:13"));
	assert_null(codec_find("zstd:"));
}

static void no_call_allocates(void **state)
{
	unsigned char page[CODEC_PAGE_SIZE], payload[CODEC_BOUND_MAX];

#ifndef COUNTS_ALLOCATIONS
	print_message("a sanitizer or another libc has its own malloc\n");
	skip();
#endif
	/* Those of the libraries are counted: cmocka's are. */
	assert_true(allocations > 0);
	for (size_t c = 0; codecs[c]; c++) {
		for (int effort = 0; effort < CODEC_EFFORTS; effort++) {
			void *workspace = workspace_new(codecs[c], effort);
			unsigned long before;
			int len;

			codec_page_make(page, 2);
			before = allocations;
			len = codecs[c]->compress(effort, workspace, page, payload);
			assert_int_equal(allocations, before);
			assert_true(len > 0);
			assert_int_equal(codecs[c]->decompress(payload, len, page, 0), 0);
			assert_int_equal(allocations, before);
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
		assert_uint_in_range(len, 2, CODEC_BOUND_MAX - 1);
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
		cmocka_unit_test(every_level_returns_the_page),
		cmocka_unit_test(no_call_allocates),
		cmocka_unit_test(a_payload_of_another_length_is_refused),
		cmocka_unit_test(a_codec_is_found_by_its_exact_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
