/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Codecs with a dictionary keep the promises of struct codec_dictionary. */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec.h"

#define TRAIN_PAGES 600u
#define SIZE (32u << 10)

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
	!defined(__clang__)
#define COUNTS_ALLOCATIONS

/* Stand in front of glibc's, for the libraries under the codecs as well. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void __libc_free(void *memory);

static unsigned long allocations;
static size_t held, held_most;

static void *note(void *memory)
{
	allocations++;
	held += malloc_usable_size(memory);
	if (held > held_most)
		held_most = held;
	return memory;
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
	return note(__libc_malloc(size));
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t size)
{
	return note(__libc_calloc(n, size));
}

__attribute__((visibility("default"))) void free(void *memory)
{
	held -= malloc_usable_size(memory);
	__libc_free(memory);
}
#else
static unsigned long allocations;
static size_t held, held_most;
#endif

struct made {
	unsigned char *dictionary;
	size_t size;
	void *reader;
	void *writer;
};

static uint64_t next(uint64_t *random)
{
	*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *random >> 33;
}

/*
 * A page of records that come again in other pages, in another order and with other numbers in
 * them; family says which records.
 */
static void make_page(unsigned char *page, unsigned int family, unsigned int number)
{
	uint64_t random = number * 7919u + 1;

	for (unsigned int at = 0; at < CODEC_PAGE_SIZE; at += 64) {
		uint64_t record = family * 1000 + next(&random) % 200;

		for (unsigned int i = 0; i < 64; i++)
			page[at + i] = (unsigned char)next(&record);
		page[at] = (unsigned char)next(&random);
	}
}

static void *memory(size_t size)
{
	void *made = aligned_alloc(64, (size + 63) & ~(size_t)63);

	assert_non_null(made);
	return made;
}

static unsigned char *pages_of(unsigned int family)
{
	unsigned char *pages = memory((size_t)TRAIN_PAGES * CODEC_PAGE_SIZE);

	for (unsigned int i = 0; i < TRAIN_PAGES; i++)
		make_page(pages + (size_t)i * CODEC_PAGE_SIZE, family, i);
	return pages;
}

static void made_for(struct made *made, const struct codec_dictionary *codec, unsigned int family)
{
	unsigned char *pages = pages_of(family);
	int len;

	made->dictionary = memory(SIZE);
	len = codec->train(pages, TRAIN_PAGES, made->dictionary, SIZE);
	assert_uint_in_range(len, codec->size_min, SIZE);
	made->size = (size_t)len;
	made->reader = memory(codec->reader_size(made->size));
	made->writer = memory(codec->writer_size(made->size));
	assert_int_equal(codec->reader_make(made->reader, made->dictionary, made->size), 0);
	assert_int_equal(codec->writer_make(made->writer, made->dictionary, made->size), 0);
	free(pages);
}

static void done(struct made *made)
{
	free(made->writer);
	free(made->reader);
	free(made->dictionary);
}

/* Calls test for the dictionary of each codec that has one. */
static void for_each(void (*test)(const struct codec *codec))
{
	unsigned int tested = 0;

	for (size_t c = 0; codecs[c]; c++) {
		if (!codecs[c]->dictionary)
			continue;
		test(codecs[c]);
		tested++;
	}
	if (tested == 0) {
		print_message("built without zstd, the only codec with dictionaries\n");
		skip();
	}
}

static void returns_pages(const struct codec *codec)
{
	unsigned char page[CODEC_PAGE_SIZE], payload[CODEC_BOUND_MAX], back[CODEC_PAGE_SIZE + 64];
	struct made made;

	made_for(&made, codec->dictionary, 1);
	for (unsigned int i = 0; i < 2000; i++) {
		int len;

		/* Pages like those that it was made of, and others. */
		make_page(page, i % 4, 10000 + i);
		if (i % 5 == 0)
			memset(page, 0, i % CODEC_PAGE_SIZE);
		len = codec->dictionary->compress(made.writer, page, payload);
		assert_uint_in_range(len, 1, CODEC_BOUND_MAX);
		memset(back, 0x5a, sizeof(back));
		assert_int_equal(codec->dictionary->decompress(made.reader, payload, (size_t)len,
							       back, 0),
				 0);
		assert_memory_equal(back, page, CODEC_PAGE_SIZE);
		for (size_t at = CODEC_PAGE_SIZE; at < sizeof(back); at++)
			assert_int_equal(back[at], 0x5a);
	}
	done(&made);
}

static void every_page_comes_back(void **state)
{
	for_each(returns_pages);
}

static void halves(const struct codec *codec)
{
	unsigned char page[CODEC_PAGE_SIZE], payload[CODEC_BOUND_MAX];
	unsigned char *workspace = memory(codec->workspace_size[CODEC_MAX]);
	size_t with = 0, without = 0;
	struct made made;

	memset(workspace, 0, codec->workspace_size[CODEC_MAX]);
	made_for(&made, codec->dictionary, 1);
	for (unsigned int i = 0; i < 100; i++) {
		make_page(page, 1, 10000 + i);
		with += (size_t)codec->dictionary->compress(made.writer, page, payload);
		without += (size_t)codec->compress(CODEC_MAX, workspace, page, payload);
	}
	assert_true(with < without / 2);
	free(workspace);
	done(&made);
}

static void what_pages_have_in_common_is_not_spelled_out(void **state)
{
	for_each(halves);
}

/* Letters that are in no dictionary, of so many kinds. */
static void make_letters(unsigned char *at, unsigned int count, unsigned int kinds)
{
	uint64_t random = 77;

	for (unsigned int i = 0; i < count; i++)
		at[i] = (unsigned char)('0' + next(&random) % kinds);
}

static void spells_out_little(const struct codec *codec)
{
	unsigned char page[CODEC_PAGE_SIZE], payload[CODEC_BOUND_MAX];
	struct made made;
	int len;

	made_for(&made, codec->dictionary, 1);
	make_page(page, 1, 50000);
	/* Huffman's code would win some forty bytes. */
	make_letters(page + 1024, 200, 32);
	len = codec->dictionary->compress(made.writer, page, payload);
	assert_uint_in_range(len, 200, CODEC_PAGE_SIZE / 2);
	assert_non_null(memmem(payload, (size_t)len, page + 1024 + 16, 128));
	make_letters(page, CODEC_PAGE_SIZE, 16);
	len = codec->dictionary->compress(made.writer, page, payload);
	assert_uint_in_range(len, CODEC_PAGE_SIZE / 2, CODEC_PAGE_SIZE * 5 / 8);
	assert_null(memmem(payload, (size_t)len, page + 1024 + 16, 16));
	done(&made);
}

static void what_a_code_wins_little_of_is_spelled_out(void **state)
{
	for_each(spells_out_little);
}

static void allocates_nothing(const struct codec *codec)
{
	unsigned char page[CODEC_PAGE_SIZE], payload[CODEC_BOUND_MAX];
	struct made made;
	unsigned long before;
	int len;

	made_for(&made, codec->dictionary, 1);
	make_page(page, 1, 20000);
	before = allocations;
	assert_int_equal(codec->dictionary->reader_make(made.reader, made.dictionary, made.size),
			 0);
	assert_int_equal(codec->dictionary->writer_make(made.writer, made.dictionary, made.size),
			 0);
	len = codec->dictionary->compress(made.writer, page, payload);
	assert_int_equal(codec->dictionary->decompress(made.reader, payload, (size_t)len, page, 0),
			 0);
	assert_int_equal(allocations, before);
	done(&made);
}

static void only_training_allocates(void **state)
{
#ifndef COUNTS_ALLOCATIONS
	print_message("a sanitizer or another libc has its own malloc\n");
	skip();
#endif
	for_each(allocates_nothing);
	assert_true(allocations > 0);
}

static void allocates_what_it_says(const struct codec *codec)
{
	static const size_t sizes[] = { 16 << 10, 112 << 10, 448 << 10 };
	unsigned char *pages = pages_of(1);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		unsigned char *dictionary = memory(sizes[i]);
		size_t before = held;

		held_most = held;
		(void)codec->dictionary->train(pages, TRAIN_PAGES, dictionary, sizes[i]);
		assert_true(held_most > before);
		assert_uint_in_range(held_most - before, 0,
				     codec->dictionary->train_size(sizes[i]));
		assert_int_equal(held, before);
		free(dictionary);
	}
	free(pages);
}

static void training_takes_no_more_memory_than_it_says(void **state)
{
#ifndef COUNTS_ALLOCATIONS
	print_message("a sanitizer or another libc has its own malloc\n");
	skip();
#endif
	for_each(allocates_what_it_says);
}

/* Of a page that is spelled out, behind which its checksum is. */
static void notices_two_bits(const struct codec *codec)
{
	const struct codec_dictionary *with = codec->dictionary;
	unsigned char page[CODEC_PAGE_SIZE], payload[CODEC_BOUND_MAX], back[CODEC_PAGE_SIZE];
	uint64_t random = 9;
	struct made made;
	int len;

	made_for(&made, with, 1);
	for (unsigned int i = 0; i < CODEC_PAGE_SIZE; i++)
		page[i] = (unsigned char)next(&random);
	len = with->compress(made.writer, page, payload);
	assert_uint_in_range(len, CODEC_PAGE_SIZE, CODEC_BOUND_MAX);
	assert_int_equal(with->decompress(made.reader, payload, (size_t)len, back, 0), 0);
	assert_memory_equal(back, page, CODEC_PAGE_SIZE);
	/* What is copied twice from damaged memory differs in the same bit of both. */
	for (unsigned int bit = 0; bit < (CODEC_PAGE_SIZE - 256) * 8; bit += 3) {
		unsigned int other = bit + (bit % 4 + 1) * 8 * 32;

		payload[bit / 8] ^= (unsigned char)(1 << bit % 8);
		payload[other / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_equal(with->decompress(made.reader, payload, (size_t)len, back, 0),
				 -EBADMSG);
		payload[bit / 8] ^= (unsigned char)(1 << bit % 8);
		payload[other / 8] ^= (unsigned char)(1 << bit % 8);
	}
	assert_int_equal(with->decompress(made.reader, payload, (size_t)len, back, 0), 0);
	done(&made);
}

static void the_same_bit_of_two_words_is_noticed(void **state)
{
	for_each(notices_two_bits);
}

static void refuses_to_train(const struct codec *codec)
{
	unsigned char *noise = memory((size_t)TRAIN_PAGES * CODEC_PAGE_SIZE);
	unsigned char *dictionary = memory(SIZE);

	assert_true(codec->dictionary->train(noise, 0, dictionary, SIZE) < 0);
	assert_true(codec->dictionary->train(noise, CODEC_TRAIN_PAGES_MAX + 1, dictionary, SIZE) <
		    0);
	make_page(noise, 1, 1);
	assert_true(codec->dictionary->train(noise, 1, dictionary, SIZE) < 0);
	assert_int_equal(codec->dictionary->train(noise, 1, dictionary, 100), -EINVAL);
	free(dictionary);
	free(noise);
}

static void too_few_pages_make_no_dictionary(void **state)
{
	for_each(refuses_to_train);
}

static void refuses_damage(const struct codec *codec)
{
	unsigned char page[CODEC_PAGE_SIZE], back[CODEC_PAGE_SIZE], payload[CODEC_BOUND_MAX];
	struct made made, other;
	uint64_t random = 5;
	int len;

	made_for(&made, codec->dictionary, 1);
	made_for(&other, codec->dictionary, 2);
	make_page(page, 1, 30000);
	len = codec->dictionary->compress(made.writer, page, payload);
	assert_int_equal(codec->dictionary->decompress(other.reader, payload, (size_t)len, back, 0),
			 -EBADMSG);
	for (int cut = 0; cut < len; cut++)
		assert_int_equal(codec->dictionary->decompress(made.reader, payload, (size_t)cut,
							       back, 0),
				 -EBADMSG);
	for (unsigned int i = 0; i < 4000; i++) {
		unsigned int bit = (unsigned int)(next(&random) % ((unsigned int)len * 8));
		int err;

		payload[bit / 8] ^= (unsigned char)(1u << bit % 8);
		err = codec->dictionary->decompress(made.reader, payload, (size_t)len, back, 0);
		assert_true(err == -EBADMSG || memcmp(back, page, CODEC_PAGE_SIZE) == 0);
		payload[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
	done(&other);
	done(&made);
}

static void a_damaged_or_foreign_payload_is_refused(void **state)
{
	for_each(refuses_damage);
}

/* Reads eight payloads of which each bit of the dictionary may be a part. */
static unsigned int read_all(const struct codec *codec, const struct made *made,
			     unsigned char payloads[][CODEC_BOUND_MAX], const int *lens)
{
	unsigned char page[CODEC_PAGE_SIZE], back[CODEC_PAGE_SIZE];
	unsigned int refused = 0;

	for (unsigned int i = 0; i < 8; i++) {
		int err = codec->dictionary->decompress(made->reader, payloads[i], (size_t)lens[i],
							back, 0);

		make_page(page, 1, 40000 + i);
		assert_true(err == 0 || err == -EBADMSG);
		if (err == 0)
			assert_memory_equal(back, page, CODEC_PAGE_SIZE);
		refused += err != 0;
	}
	return refused;
}

static void survives_bit_flips(const struct codec *codec)
{
	static unsigned char payloads[8][CODEC_BOUND_MAX];
	unsigned char page[CODEC_PAGE_SIZE];
	unsigned int refused = 0;
	struct made made;
	int lens[8];

	made_for(&made, codec->dictionary, 1);
	for (unsigned int i = 0; i < 8; i++) {
		make_page(page, 1, 40000 + i);
		lens[i] = codec->dictionary->compress(made.writer, page, payloads[i]);
	}
	assert_int_equal(read_all(codec, &made, payloads, lens), 0);
	/* Of each byte one bit; which one changes from byte to byte. */
	for (size_t at = 0; at < made.size; at++) {
		made.dictionary[at] ^= (unsigned char)(1u << at % 8);
		refused += read_all(codec, &made, payloads, lens);
		made.dictionary[at] ^= (unsigned char)(1u << at % 8);
	}
	assert_true(refused > 0);
	assert_int_equal(read_all(codec, &made, payloads, lens), 0);
	done(&made);
}

static void a_flipped_bit_of_the_dictionary_never_gives_another_page(void **state)
{
	for_each(survives_bit_flips);
}

static void refuses_what_is_none(const struct codec *codec)
{
	unsigned char *dictionary = memory(SIZE);
	void *reader = memory(codec->dictionary->reader_size(SIZE));
	void *writer = memory(codec->dictionary->writer_size(SIZE));

	memset(dictionary, 0x11, SIZE);
	assert_int_equal(codec->dictionary->reader_make(reader, dictionary, SIZE), -EINVAL);
	assert_int_equal(codec->dictionary->writer_make(writer, dictionary, SIZE), -EINVAL);
	assert_int_equal(codec->dictionary->reader_make(reader, dictionary, 7), -EINVAL);
	assert_int_equal(codec->dictionary->writer_make(writer, dictionary,
							codec->dictionary->size_max + 1),
			 -EINVAL);
	free(writer);
	free(reader);
	free(dictionary);
}

static void what_is_no_dictionary_is_refused(void **state)
{
	for_each(refuses_what_is_none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_page_comes_back),
		cmocka_unit_test(what_pages_have_in_common_is_not_spelled_out),
		cmocka_unit_test(what_a_code_wins_little_of_is_spelled_out),
		cmocka_unit_test(only_training_allocates),
		cmocka_unit_test(training_takes_no_more_memory_than_it_says),
		cmocka_unit_test(the_same_bit_of_two_words_is_noticed),
		cmocka_unit_test(too_few_pages_make_no_dictionary),
		cmocka_unit_test(a_damaged_or_foreign_payload_is_refused),
		cmocka_unit_test(a_flipped_bit_of_the_dictionary_never_gives_another_page),
		cmocka_unit_test(what_is_no_dictionary_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
