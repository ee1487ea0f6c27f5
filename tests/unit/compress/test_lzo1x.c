/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our LZO1X against liblzo2's, byte for byte.  CODEC_TEST_ROUNDS multiplies the
 * number of pages and streams that are tried, for a long run, and an argument such as
 * '*we_write' chooses the tests.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <lzo/lzo1x.h>

#include "codec.h"
#include "codec_pages.h"
#include "guarded.h"
#include "lzo1x.h"
#include "lzo1x_streams.h"

static struct guarded payload_at, page_at;
static unsigned char lzo2_workspace[LZO1X_999_MEM_COMPRESS] __attribute__((aligned(64)));
static unsigned long rounds = 1;

/* liblzo2's verdict on a payload: 0 if it makes exactly one page. */
static int reference_decode(const unsigned char *payload, size_t len, unsigned char *page)
{
	lzo_uint made = CODEC_PAGE_SIZE;

	if (lzo1x_decompress_safe(payload, len, page, &made, NULL) != LZO_E_OK)
		return -1;
	return made == CODEC_PAGE_SIZE ? 0 : -1;
}

/*
 * Decodes with both the payload and the page as close to an inaccessible page as
 * can be, behind them and then in front of them.
 */
static int guarded_decode(const unsigned char *payload, size_t len, size_t slack,
			  unsigned char *result)
{
	unsigned char *page = page_at.end - CODEC_PAGE_SIZE - slack;
	int behind, before;

	memcpy(payload_at.end - len, payload, len);
	memset(page_at.start, 0xa5, page_at.end - page_at.start);
	behind = lzo1x_decode_page(payload_at.end - len, len, page, slack);
	memcpy(result, page, CODEC_PAGE_SIZE);
	for (unsigned char *p = page_at.start; p < page; p++)
		assert_int_equal(*p, 0xa5);

	page = page_at.start;
	memcpy(payload_at.start, payload, len);
	memset(page_at.start, 0x5a, page_at.end - page_at.start);
	before = lzo1x_decode_page(payload_at.start, len, page, slack);
	for (unsigned char *p = page + CODEC_PAGE_SIZE + slack; p < page_at.end; p++)
		assert_int_equal(*p, 0x5a);
	assert_int_equal(before, behind);
	if (behind == 0)
		assert_memory_equal(page, result, CODEC_PAGE_SIZE);
	return behind;
}

static void check_decode(const unsigned char *payload, size_t len, size_t slack)
{
	unsigned char expected[CODEC_PAGE_SIZE], result[CODEC_PAGE_SIZE];
	int good = reference_decode(payload, len, expected) == 0;
	int err = guarded_decode(payload, len, slack, result);

	if (good) {
		assert_int_equal(err, 0);
		assert_memory_equal(result, expected, CODEC_PAGE_SIZE);
	} else {
		assert_true(err < 0);
	}
}

static size_t reference_encode(unsigned variant, const unsigned char *page, unsigned char *out)
{
	lzo_uint len = CODEC_BOUND_MAX;

	switch (variant) {
	case 0:
		lzo1x_1_compress(page, CODEC_PAGE_SIZE, out, &len, lzo2_workspace);
		break;
	case 1:
		lzo1x_1_11_compress(page, CODEC_PAGE_SIZE, out, &len, lzo2_workspace);
		break;
	case 2:
		lzo1x_1_12_compress(page, CODEC_PAGE_SIZE, out, &len, lzo2_workspace);
		break;
	case 3:
		lzo1x_1_15_compress(page, CODEC_PAGE_SIZE, out, &len, lzo2_workspace);
		break;
	default:
		lzo1x_999_compress_level(page, CODEC_PAGE_SIZE, out, &len, lzo2_workspace, NULL, 0,
					 NULL, variant - 3);
	}
	return len;
}

/* The slacks that the store uses, and those around what the decoder copies at once. */
static size_t some_slack(unsigned long i)
{
	static const size_t slacks[] = { 0, 64, 1, 4096, 23, 24, 25, 47, 48, 49, 7, 320, 0 };

	return slacks[i % (sizeof(slacks) / sizeof(slacks[0]))];
}

static void we_decode_what_every_liblzo2_encoder_writes(void **state)
{
	unsigned char page[CODEC_PAGE_SIZE], payload[CODEC_BOUND_MAX];

	for (unsigned long i = 0; i < 1500 * rounds; i++) {
		codec_page_make(page, i);
		for (unsigned variant = 0; variant < 4; variant++)
			check_decode(payload, reference_encode(variant, page, payload),
				     some_slack(i));
		check_decode(payload, reference_encode(4 + i % 9, page, payload), some_slack(i));
	}
}

static void we_decode_what_liblzo2_writes_of_this_program_s_memory(void **state)
{
	unsigned char payload[CODEC_BOUND_MAX];
	unsigned long start, end, pages = 0;
	char line[512], access[8];
	FILE *maps = fopen("/proc/self/maps", "r");
	int memory = open("/proc/self/mem", O_RDONLY);

	assert_non_null(maps);
	assert_true(memory >= 0);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &start, &end, access) != 3 || access[0] != 'r')
			continue;
		/* Of each mapping the start: the shadow of a sanitizer is endless. */
		for (unsigned i = 0; start < end && i < 400; start += CODEC_PAGE_SIZE, i++) {
			unsigned char page[CODEC_PAGE_SIZE];

			if (pread(memory, page, CODEC_PAGE_SIZE, start) != CODEC_PAGE_SIZE)
				break;
			check_decode(payload, reference_encode(2, page, payload),
				     some_slack(pages));
			check_decode(payload, reference_encode(11, page, payload),
				     some_slack(pages));
			pages++;
		}
	}
	close(memory);
	fclose(maps);
	assert_true(pages > 100);
}

static void we_decode_every_instruction_as_liblzo2_does(void **state)
{
	static unsigned char stream[LZO1X_STREAM_MAX];
	unsigned char page[CODEC_PAGE_SIZE];

	for (unsigned long i = 0; i < 20000 * rounds; i++) {
		size_t len = lzo1x_stream_make(stream, i);

		assert_int_equal(reference_decode(stream, len, page), 0);
		check_decode(stream, len, some_slack(i));
	}
}

static void we_refuse_what_liblzo2_refuses_and_nothing_else(void **state)
{
	static unsigned char stream[LZO1X_STREAM_MAX + 64];
	unsigned char page[CODEC_PAGE_SIZE];

	for (unsigned long i = 0; i < 60000 * rounds; i++) {
		size_t len;

		if (i % 3 == 0) {
			codec_page_make(page, i);
			len = reference_encode(i % 7, page, stream);
		} else {
			len = lzo1x_stream_make(stream, i);
		}
		len = lzo1x_stream_damage(stream, len, i);
		check_decode(stream, len, some_slack(i));
	}
}

/* Encodes the page next to inaccessible memory; liblzo2 and we must get it back. */
static void check_encode(enum codec_effort effort, const unsigned char *page)
{
	static unsigned char workspace[1 << 20] __attribute__((aligned(64)));
	const struct codec *codec = codec_find("lzo");
	unsigned char *in = page_at.end - CODEC_PAGE_SIZE;
	unsigned char *out = payload_at.end - CODEC_BOUND_MAX;
	unsigned char back[CODEC_PAGE_SIZE];
	int len;

	assert_true(codec->workspace_size[effort] <= sizeof(workspace));
	memcpy(in, page, CODEC_PAGE_SIZE);
	len = codec->compress(effort, workspace, in, out);
	assert_uint_in_range(len, 1, CODEC_BOUND_MAX);
	assert_int_equal(reference_decode(out, len, back), 0);
	assert_memory_equal(back, page, CODEC_PAGE_SIZE);
	assert_int_equal(codec->decompress(out, len, back, 0), 0);
	assert_memory_equal(back, page, CODEC_PAGE_SIZE);

	/* And with nothing readable in front of the page. */
	memcpy(page_at.start, page, CODEC_PAGE_SIZE);
	assert_int_equal(codec->compress(effort, workspace, page_at.start, out), len);
	assert_int_equal(reference_decode(out, len, back), 0);
	assert_memory_equal(back, page, CODEC_PAGE_SIZE);
}

static void liblzo2_decodes_what_we_write(void **state)
{
	unsigned char page[CODEC_PAGE_SIZE];

	for (unsigned long i = 0; i < 20000 * rounds; i++) {
		codec_page_make(page, i);
		check_encode(CODEC_FAST, page);
		if (i % 4 == 0)
			check_encode(CODEC_DENSE, page);
		if (i % 256 == 0)
			check_encode(CODEC_MAX, page);
	}
}

/* What is built for this processor, and what is built for any. */
static void vectors_change_no_payload(void **state)
{
	static unsigned char workspace[2][1 << 20] __attribute__((aligned(64)));
	unsigned char *page = page_at.end - CODEC_PAGE_SIZE, here[CODEC_BOUND_MAX];
	unsigned char *anywhere = payload_at.end - CODEC_BOUND_MAX;
	const struct codec *codec = codec_find("lzo");

	for (unsigned long i = 0; i < 5000 * rounds; i++) {
		int len;

		codec_page_make(page, i);
		len = lzo1x_encode_fast(workspace[0], page, anywhere);
		assert_int_equal(codec->compress(CODEC_FAST, workspace[1], page, here), len);
		assert_memory_equal(here, anywhere, (size_t)len);
	}
}

static size_t sum_of_payloads(const struct codec *codec, enum codec_effort effort)
{
	static unsigned char workspace[1 << 20] __attribute__((aligned(64)));
	unsigned char page[CODEC_PAGE_SIZE], payload[CODEC_BOUND_MAX];
	size_t sum = 0;

	for (unsigned long i = 0; i < 450; i++) {
		codec_page_make(page, i);
		sum += codec->compress(effort, workspace, page, payload);
	}
	return sum;
}

static void more_effort_makes_smaller_payloads(void **state)
{
	size_t fast = sum_of_payloads(codec_find("lzo"), CODEC_FAST);
	size_t dense = sum_of_payloads(codec_find("lzo"), CODEC_DENSE);
	size_t max = sum_of_payloads(codec_find("lzo"), CODEC_MAX);
	size_t reference = sum_of_payloads(codec_find("liblzo2"), CODEC_MAX);

	assert_true(dense < fast - fast / 20);
	assert_true(max < dense);
	assert_true(max < reference);
}

static void every_truncation_is_refused(void **state)
{
	static unsigned char stream[LZO1X_STREAM_MAX];

	for (unsigned long i = 0; i < 20 * rounds; i++) {
		size_t len = lzo1x_stream_make(stream, i);

		for (size_t cut = 0; cut < len; cut++) {
			unsigned char result[CODEC_PAGE_SIZE];

			assert_true(guarded_decode(stream, cut, some_slack(cut), result) < 0);
		}
	}
}

static void noise_does_no_harm(void **state)
{
	unsigned char page[CODEC_PAGE_SIZE];

	for (unsigned long i = 0; i < 40000 * rounds; i++) {
		codec_page_make(page, 9 * i);
		check_decode(page, i % CODEC_PAGE_SIZE, some_slack(i));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(we_decode_what_every_liblzo2_encoder_writes),
		cmocka_unit_test(we_decode_what_liblzo2_writes_of_this_program_s_memory),
		cmocka_unit_test(we_decode_every_instruction_as_liblzo2_does),
		cmocka_unit_test(we_refuse_what_liblzo2_refuses_and_nothing_else),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(liblzo2_decodes_what_we_write),
		cmocka_unit_test(vectors_change_no_payload),
		cmocka_unit_test(more_effort_makes_smaller_payloads),
		cmocka_unit_test(noise_does_no_harm),
	};

	if (getenv("CODEC_TEST_ROUNDS"))
		rounds = strtoul(getenv("CODEC_TEST_ROUNDS"), NULL, 10);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	payload_at = guarded_new(LZO1X_STREAM_MAX + 64);
	page_at = guarded_new(2 * CODEC_PAGE_SIZE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
