/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every codec at every effort on the same pages: how small, how fast to write, how
 * fast to read.  Subjects take turns on small batches of pages and the order rotates
 * from round to round, so that what else the machine does hits all alike; each
 * batch counts with its median.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lzo/lzo1x.h>

#include "bench_pages.h"
#include "codec.h"
#include "inform.h"

#define BATCH 256u
#define SUBJECTS_MAX 64
#define ROUNDS_MAX 31
#define RUN 32u /* pages in a row, as one request of the kernel has them */
#define SLACK 64

struct subject {
	const char *name;
	const struct codec *codec;
	enum codec_effort effort;
	void *workspace;
	uint8_t *payloads; /* CODEC_BOUND_MAX bytes for each page of the batch */
	int *lengths;
	unsigned rounds;
	uint64_t payload_sum;
	double encode, decode, decode_slack; /* nanoseconds in all */
	double times[3][ROUNDS_MAX];	     /* of this batch */
};

static struct subject subjects[SUBJECTS_MAX];
static unsigned subject_count;
static unsigned rounds = 7;
static uint32_t page_max = 4096;
static int json;

/* The other LZO1X-1 variants of liblzo2: to see that its codec has the best, and the kernel's. */
#define VARIANT(function)                                                         \
	static int compress_##function(enum codec_effort effort, void *workspace, \
				       const void *page, void *out)               \
	{                                                                         \
		lzo_uint len = CODEC_BOUND_MAX;                                   \
		function(page, CODEC_PAGE_SIZE, out, &len, workspace);            \
		return (int)len;                                                  \
	}

VARIANT(lzo1x_1_compress)
VARIANT(lzo1x_1_11_compress)
VARIANT(lzo1x_1_15_compress)

static int decompress_lzo2(const void *payload, size_t len, void *page, size_t slack)
{
	lzo_uint made = CODEC_PAGE_SIZE;

	return lzo1x_decompress_safe(payload, len, page, &made, NULL);
}

static const struct codec variants[] = {
	{ .name = "lzo1x_1",
	  .workspace_size = { LZO1X_1_MEM_COMPRESS },
	  .compress = compress_lzo1x_1_compress,
	  .decompress = decompress_lzo2 },
	{ .name = "lzo1x_1_11",
	  .workspace_size = { LZO1X_1_11_MEM_COMPRESS },
	  .compress = compress_lzo1x_1_11_compress,
	  .decompress = decompress_lzo2 },
	/* Byte for byte what lib/lzo of Linux makes of a page, as crypto's "lzo". */
	{ .name = "kernel lzo",
	  .workspace_size = { LZO1X_1_15_MEM_COMPRESS },
	  .compress = compress_lzo1x_1_15_compress,
	  .decompress = decompress_lzo2 },
};

/* zstd with a dictionary that is made of a sample of the pages, as a disk makes its own. */
#define DICTIONARY_SIZE (112u << 10)
#define TRAIN_PAGES 1000u

static struct {
	const struct codec_dictionary *codec;
	void *reader;
	void *writer;
} dictionary;

static int compress_dictionary(enum codec_effort effort, void *workspace, const void *page,
			       void *out)
{
	return dictionary.codec->compress(dictionary.writer, page, out);
}

static int decompress_dictionary(const void *payload, size_t len, void *page, size_t slack)
{
	return dictionary.codec->decompress(dictionary.reader, payload, len, page, slack);
}

static const struct codec with_dictionary = {
	.name = "zstd dict",
	.compress = compress_dictionary,
	.decompress = decompress_dictionary,
};

static void *allocate(size_t size)
{
	void *memory = aligned_alloc(4096, (size + 4096) & ~(size_t)4095);

	if (!memory) {
		fprintf(stderr, "codec_bench: out of memory\n");
		exit(1);
	}
	return memset(memory, 0, size);
}

static void add_subject(const struct codec *codec, const char *name, enum codec_effort effort)
{
	struct subject *subject = &subjects[subject_count++];

	if (subject_count > SUBJECTS_MAX)
		abort();
	subject->name = name;
	subject->codec = codec;
	subject->effort = effort;
	subject->workspace = allocate(codec->workspace_size[effort]);
	subject->payloads = allocate((size_t)BATCH * CODEC_BOUND_MAX);
	subject->lengths = allocate(BATCH * sizeof(int));
	/* What takes long is as exact in fewer rounds. */
	subject->rounds = effort == CODEC_MAX	  ? 1
			  : effort == CODEC_DENSE ? (rounds + 2) / 3
						  : rounds;
}

static void add_subjects(void)
{
	static const char *const levels[] = { "zstd:3", "zstd:9" };

	/* The first is what all are compared with. */
	for (int effort = 0; effort < CODEC_EFFORTS; effort++)
		add_subject(codec_find("liblzo2"), "liblzo2", effort);
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
		add_subject(&variants[i], variants[i].name, CODEC_FAST);
	for (size_t c = 0; codecs[c]; c++) {
		if (strcmp(codecs[c]->name, "liblzo2") == 0)
			continue;
		for (int effort = 0; effort < CODEC_EFFORTS; effort++)
			add_subject(codecs[c], codecs[c]->name, effort);
	}
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (codec_find(levels[i]))
			add_subject(codec_find(levels[i]), levels[i], CODEC_FAST);
	}
}

/* Whether there is a codec for it, and the pages make a dictionary. */
static bool make_dictionary(const struct bench_pages *all)
{
	const struct codec *zstd = codec_find("zstd");
	uint8_t *sample, *bytes;
	uint32_t n = 0;
	int size;

	if (!zstd)
		return false;
	dictionary.codec = zstd->dictionary;
	sample = allocate((size_t)TRAIN_PAGES * CODEC_PAGE_SIZE);
	bytes = allocate(DICTIONARY_SIZE);
	for (uint32_t i = 0; i < TRAIN_PAGES && i < all->count; i++) {
		uint32_t at = all->count > TRAIN_PAGES
				      ? (uint32_t)((uint64_t)i * all->count / TRAIN_PAGES)
				      : i;

		if (!bench_page_same_filled(bench_page(all, at)))
			memcpy(sample + (size_t)n++ * CODEC_PAGE_SIZE, bench_page(all, at),
			       CODEC_PAGE_SIZE);
	}
	size = dictionary.codec->train(sample, n, bytes, DICTIONARY_SIZE);
	free(sample);
	if (size < 0)
		return false;
	dictionary.reader = allocate(dictionary.codec->reader_size((size_t)size));
	dictionary.writer = allocate(dictionary.codec->writer_size((size_t)size));
	return dictionary.codec->reader_make(dictionary.reader, bytes, (size_t)size) == 0 &&
	       dictionary.codec->writer_make(dictionary.writer, bytes, (size_t)size) == 0;
}

static double encode_batch(struct subject *subject, const uint8_t *const *pages, unsigned n)
{
	uint64_t start = bench_clock(CLOCK_THREAD_CPUTIME_ID);

	for (unsigned i = 0; i < n; i++)
		subject->lengths[i] =
			subject->codec->compress(subject->effort, subject->workspace, pages[i],
						 subject->payloads + (size_t)i * CODEC_BOUND_MAX);
	return (double)(bench_clock(CLOCK_THREAD_CPUTIME_ID) - start);
}

static double decode_batch(struct subject *subject, uint8_t *room, unsigned n, size_t slack)
{
	uint64_t start = bench_clock(CLOCK_THREAD_CPUTIME_ID);

	for (unsigned i = 0; i < n; i++)
		subject->codec->decompress(subject->payloads + (size_t)i * CODEC_BOUND_MAX,
					   subject->lengths[i], room + (size_t)i * CODEC_PAGE_SIZE,
					   slack);
	return (double)(bench_clock(CLOCK_THREAD_CPUTIME_ID) - start);
}

static void check_batch(struct subject *subject, const uint8_t *const *pages, const uint8_t *room,
			unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		subject->payload_sum += subject->lengths[i];
		if (memcmp(pages[i], room + (size_t)i * CODEC_PAGE_SIZE, CODEC_PAGE_SIZE) != 0) {
			fprintf(stderr, "codec_bench: %s brings back another page\n",
				subject->name);
			exit(1);
		}
	}
}

static void measure_batch(const uint8_t *const *pages, unsigned n, uint8_t *room)
{
	/* Round 0 warms up, and checks. */
	for (unsigned round = 0; round <= rounds; round++) {
		for (unsigned k = 0; k < subject_count; k++) {
			struct subject *subject = &subjects[(k + round) % subject_count];
			double *times[3] = { subject->times[0], subject->times[1],
					     subject->times[2] };

			if (round > subject->rounds)
				continue;
			if (round == 0 && subject->rounds > 1) {
				encode_batch(subject, pages, n);
				decode_batch(subject, room, n, 0);
				check_batch(subject, pages, room, n);
				continue;
			}
			if (round == 0)
				continue;
			times[0][round - 1] = encode_batch(subject, pages, n);
			times[1][round - 1] = decode_batch(subject, room, n, 0);
			if (subject->rounds == 1)
				check_batch(subject, pages, room, n);
			times[2][round - 1] = decode_batch(subject, room, n, SLACK);
		}
	}
	for (unsigned k = 0; k < subject_count; k++) {
		struct subject *subject = &subjects[k];

		subject->encode += bench_median(subject->times[0], subject->rounds);
		subject->decode += bench_median(subject->times[1], subject->rounds);
		subject->decode_slack += bench_median(subject->times[2], subject->rounds);
	}
}

/* Runs of pages from all over the file, without those that no codec ever sees. */
static uint32_t choose_pages(const struct bench_pages *all, const uint8_t **chosen)
{
	uint32_t run_count = all->count / RUN, wanted = page_max / RUN, n = 0;
	uint32_t step = run_count > wanted ? run_count / wanted : 1;

	for (uint32_t run = 0; run < run_count; run += step) {
		for (uint32_t i = 0; i < RUN && n < page_max; i++) {
			const uint8_t *page = bench_page(all, run * RUN + i);

			if (!bench_page_same_filled(page))
				chosen[n++] = page;
		}
	}
	return n;
}

static void report(uint32_t pages)
{
	static const char *const efforts[] = { "fast", "dense", "max" };
	const struct subject *base = &subjects[0];

	if (json)
		printf("{\"pages\": %u, \"codecs\": [", pages);
	else
		printf("%u pages; speeds are relative to liblzo2 fast\n"
		       "codec       effort  ratio  sum     write us  speed  read us  speed  "
		       "with slack  speed\n",
		       pages);
	for (unsigned k = 0; k < subject_count; k++) {
		const struct subject *s = &subjects[k];
		double ratio = (double)pages * CODEC_PAGE_SIZE / s->payload_sum;
		double sum = (double)s->payload_sum / base->payload_sum;

		printf(json ? "%s\n{\"codec\": \"%s\", \"effort\": \"%s\", \"ratio\": %.4f, "
			      "\"sum\": %.4f, \"write_us\": %.3f, \"write_speed\": %.3f, "
			      "\"read_us\": %.3f, \"read_speed\": %.3f, "
			      "\"read_slack_us\": %.3f, \"read_slack_speed\": %.3f}"
			    : "%s%-11s %-6s %6.3f  %.3f %9.2f %6.2f %8.2f %6.2f %11.2f %6.2f\n",
		       json && k ? "," : "", s->name, efforts[s->effort], ratio, sum,
		       s->encode / pages / 1000, base->encode / s->encode, s->decode / pages / 1000,
		       base->decode / s->decode, s->decode_slack / pages / 1000,
		       base->decode_slack / s->decode_slack);
	}
	if (json)
		printf("\n]}\n");
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: codec_bench --pages FILE [--max PAGES] [--rounds 1-%d] [--json]\n"
		"       codec_bench --help | --version\n",
		ROUNDS_MAX);
}

static const char *parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "pages", required_argument, NULL, 'p' },
		{ "max", required_argument, NULL, 'm' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	const char *file = NULL;
	int option;

	inform(argc, argv, "codec_bench", usage);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'p':
			file = optarg;
			break;
		case 'm':
			page_max = strtoul(optarg, NULL, 10);
			break;
		case 'r':
			rounds = strtoul(optarg, NULL, 10);
			break;
		case 'j':
			json = 1;
			break;
		default:
			usage(stderr);
			exit(1);
		}
	}
	if (!file || optind != argc || page_max < RUN || rounds < 1 || rounds > ROUNDS_MAX) {
		usage(stderr);
		exit(1);
	}
	return file;
}

int main(int argc, char **argv)
{
	const char *file = parse(argc, argv);
	struct bench_pages all;
	const uint8_t **pages = allocate(page_max * sizeof(*pages));
	uint8_t *room = allocate((size_t)BATCH * CODEC_PAGE_SIZE + SLACK);
	uint32_t n;

	if (bench_pages_load(&all, file, 0) != 0)
		return 1;
	n = choose_pages(&all, pages);
	if (n == 0) {
		fprintf(stderr, "codec_bench: %s has no page that a codec would see\n", file);
		return 1;
	}
	add_subjects();
	if (make_dictionary(&all))
		add_subject(&with_dictionary, with_dictionary.name, CODEC_MAX);
	for (uint32_t at = 0; at < n; at += BATCH)
		measure_batch(pages + at, n - at < BATCH ? n - at : BATCH, room);
	report(n);
	return 0;
}
