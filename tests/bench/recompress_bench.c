/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recompression as a disk left alone sees it: pages are written, read, and then left to the
 * background until it finds nothing more to win; what they take is held against the sum
 * of what lzo1x_1 of liblzo2 makes of them.  How much time the background
 * takes for a page depends on the load of the machine, which is told beside the rest.
 * With --now all is done that an idle machine would come to, whatever the load.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lzo/lzo1x.h>

#include "bench_pages.h"
#include "base/size.h"
#include "codec.h"
#include "inform.h"
#include "server/worker.h"
#include "store/age.h"
#include "store/dictionary.h"
#include "store/recompress.h"
#include "store/train.h"

#define RUN 32u /* pages in a row, as one request of the kernel has them */
#define READS_LEAST 400000u
#define REPORT_SECONDS 5u
/* After so long without a page made smaller it is done: longer than it waits for quiet. */
#define STILL_SECONDS 25u
#define CURVE_MAX 65536u
#define CURVE_STEP_US 20000u

struct options {
	const char *file;
	unsigned long pages, cpu, seconds;
	uint64_t dictionary; /* bytes at most */
	const struct codec *codec;
	bool now;
};

struct disk {
	struct store *store;
	struct worker *worker, *trainer;
	uint8_t *data;
	uint32_t pages;
};

static void fail(const char *what, int err)
{
	fprintf(stderr, "recompress_bench: %s: %s\n", what, strerror(err));
	exit(1);
}

/* Runs of pages from all over the file. */
static void load_pages(struct disk *disk, const struct options *options)
{
	FILE *file = fopen(options->file, "re");
	long runs, step, wanted = (long)(options->pages / RUN);

	if (!file || fseek(file, 0, SEEK_END) != 0)
		fail(options->file, errno);
	runs = ftell(file) / (long)(RUN * BENCH_PAGE_SIZE);
	if (runs < 1)
		fail(options->file, ENODATA);
	wanted = wanted < runs ? wanted : runs;
	step = runs / wanted;
	disk->pages = (uint32_t)wanted * RUN;
	disk->data = malloc((size_t)disk->pages * BENCH_PAGE_SIZE);
	if (!disk->data)
		fail("memory for the pages", ENOMEM);
	for (long run = 0; run < wanted; run++) {
		if (fseek(file, run * step * (long)(RUN * BENCH_PAGE_SIZE), SEEK_SET) != 0 ||
		    fread(disk->data + (size_t)run * RUN * BENCH_PAGE_SIZE, BENCH_PAGE_SIZE, RUN,
			  file) != RUN)
			fail(options->file, EIO);
	}
	fclose(file);
}

/* What lzo1x_1 makes of all pages that are not filled with one word. */
static uint64_t sum_of_lzo1x_1(const struct disk *disk)
{
	static uint8_t out[CODEC_BOUND_MAX];
	void *workspace = malloc(LZO1X_1_MEM_COMPRESS);
	uint64_t sum = 0;

	if (!workspace)
		fail("memory to compress", ENOMEM);
	for (uint32_t i = 0; i < disk->pages; i++) {
		const uint8_t *page = disk->data + (size_t)i * BENCH_PAGE_SIZE;
		lzo_uint len = sizeof(out);

		if (bench_page_same_filled(page))
			continue;
		lzo1x_1_compress(page, BENCH_PAGE_SIZE, out, &len, workspace);
		sum += len;
	}
	free(workspace);
	return sum;
}

static unsigned int work(void *opaque)
{
	struct disk *disk = opaque;

	return store_work(disk->store);
}

static unsigned int learn(void *opaque)
{
	struct disk *disk = opaque;

	return store_train_work(disk->store);
}

static void open_disk(struct disk *disk, const struct options *options)
{
	struct store_config config = {
		.size = (uint64_t)disk->pages * BENCH_PAGE_SIZE,
		.memlimit = STORE_NO_LIMIT,
		.recompress_seconds = 1,
		.recompress_percent = (unsigned int)options->cpu,
		.idle_codec = options->codec,
		.dictionary = options->dictionary,
	};
	int err = store_create(&disk->store, &config);

	for (uint32_t at = 0; !err && at < disk->pages; at += RUN)
		err = store_write(disk->store, disk->data + (size_t)at * BENCH_PAGE_SIZE,
				  RUN * BENCH_PAGE_SIZE, (uint64_t)at * BENCH_PAGE_SIZE);
	if (err)
		fail("the store", -err);
}

static void read_page(struct disk *disk, uint64_t at, uint8_t *page)
{
	int err = store_read(disk->store, page, BENCH_PAGE_SIZE, at * BENCH_PAGE_SIZE);

	/* Else pages that are read often would be encoded for speed: it is idle ones that count. */
	atomic_fetch_add_explicit(&disk->store->age, AGE_TICKS_HOT + 1, memory_order_relaxed);
	if (err)
		fail("a page cannot be read", -err);
}

/* Microseconds of processor time for a page, all read in random order, many times. */
static double read_time(struct disk *disk)
{
	static uint8_t page[BENCH_PAGE_SIZE];
	uint64_t count = READS_LEAST > disk->pages ? READS_LEAST : disk->pages, random = 1, start;

	for (uint32_t at = 0; at < disk->pages; at++) {
		read_page(disk, at, page);
		if (memcmp(page, disk->data + (size_t)at * BENCH_PAGE_SIZE, BENCH_PAGE_SIZE) != 0)
			fail("a page comes back different", EILSEQ);
	}
	/* No clock between the reads: a guest's may be coarse and dear. */
	start = bench_clock(CLOCK_THREAD_CPUTIME_ID);
	for (uint64_t i = 0; i < count; i++)
		read_page(disk, bench_random_below(&random, disk->pages), page);
	return (double)(bench_clock(CLOCK_THREAD_CPUTIME_ID) - start) / (double)count / 1000;
}

static struct ramzswap_stats stats_of(const struct disk *disk)
{
	struct ramzswap_stats stats = { 0 };

	store_get_stats(disk->store, &stats);
	return stats;
}

static void report(const struct disk *disk, unsigned int second, uint64_t lzo1x_1)
{
	struct ramzswap_stats stats = stats_of(disk);
	double load = 0;

	(void)getloadavg(&load, 1);
	printf("%7u %15lu %6.4f %14lu %12lu %10lu %6.2f\n", second,
	       (unsigned long)stats.compr_data_size, (double)stats.compr_data_size / lzo1x_1,
	       (unsigned long)stats.mem_used_total, (unsigned long)stats.pages_recompressed,
	       (unsigned long)stats.recompress_seconds, load);
	fflush(stdout);
}

/* Until nothing was won for STILL_SECONDS.  The second of the last gain. */
static unsigned int leave_alone(const struct disk *disk, const struct options *options,
				uint64_t lzo1x_1)
{
	uint64_t bytes = 0;
	unsigned int last = 0, second = 0;

	for (; second < options->seconds && second - last < STILL_SECONDS; second++) {
		uint64_t now = stats_of(disk).recompress_bytes;

		if (second % REPORT_SECONDS == 0)
			report(disk, second, lzo1x_1);
		if (now != bytes)
			last = second;
		bytes = now;
		sleep(1);
	}
	report(disk, second, lzo1x_1);
	return last;
}

static void part(const char *name, int64_t bytes, uint64_t lzo1x_1)
{
	printf("  %-46s %12ld %7.4f\n", name, (long)bytes, (double)bytes / (double)lzo1x_1);
}

static uint64_t used_of(struct span_source *source)
{
	struct span_source_stats stats;

	span_source_get_stats(source, &stats);
	return stats.units_used * span_unit_size(source);
}

/* What all memory is taken by, part by part; the last one is what no other tells of. */
static void say_where(const struct disk *disk, uint64_t lzo1x_1)
{
	struct store *store = disk->store;
	struct ramzswap_stats stats = stats_of(disk);
	uint64_t words = (uint64_t)store_counter(store, COUNT_SAME_OBJ) * sizeof(uint64_t);
	uint64_t raw = stats.pages_expand * BENCH_PAGE_SIZE;
	uint64_t table = used_of(store->table.source);
	uint64_t work = store->recompress.workspace_size + store->recompress.readers_size +
			store->encoders.memory_size + store->dense.workspace_size + sizeof(*store);
	int64_t rest = (int64_t)stats.mem_used_total;
	struct xv_stats pools;

	pools_get_stats(&store->pools, &pools);
	printf("where it is:%38s %12s %7s\n", "", "bytes", "of sum");
	part("payloads", (int64_t)(stats.compr_data_size - raw), lzo1x_1);
	part("raw pages", (int64_t)raw, lzo1x_1);
	part("words of same-filled pages", (int64_t)words, lzo1x_1);
	part("objects' headers, and rounding", (int64_t)(pools.used - pools.requested), lzo1x_1);
	part("free pieces between objects", (int64_t)pools.free, lzo1x_1);
	part("the pools' own", (int64_t)pools.metadata, lzo1x_1);
	part("the table", (int64_t)table, lzo1x_1);
	part("dictionaries", (int64_t)stats.dictionary_bytes, lzo1x_1);
	part("workspaces, encoders, readers, and the store", (int64_t)work, lzo1x_1);
	part("memory held ready", (int64_t)stats.reserve_ready, lzo1x_1);
	rest -= (int64_t)(stats.compr_data_size + words + pools.used - pools.requested +
			  pools.free + pools.metadata + table + stats.dictionary_bytes + work +
			  stats.reserve_ready);
	part("directory, counters of memory, and the like", rest, lzo1x_1);
	part("all memory", (int64_t)stats.mem_used_total, lzo1x_1);
}

/* What was won after how much processor time, by a thread that looks now and then. */
struct curve {
	const struct disk *disk;
	clockid_t clock; /* of the thread that recompresses */
	atomic_bool over;
	unsigned int count;
	struct {
		double seconds;
		uint64_t payloads;
	} at[CURVE_MAX];
};

static void *draw(void *opaque)
{
	struct curve *curve = opaque;

	while (curve->count < CURVE_MAX && !atomic_load(&curve->over)) {
		curve->at[curve->count].seconds = (double)bench_clock(curve->clock) / 1e9;
		curve->at[curve->count++].payloads = stats_of(curve->disk).compr_data_size;
		usleep(CURVE_STEP_US);
	}
	return NULL;
}

static void say_curve(const struct curve *curve, uint64_t lzo1x_1)
{
	static const unsigned int percents[] = { 5, 10, 25, 50, 75 };
	double begin = curve->at[0].seconds, all = curve->at[curve->count - 1].seconds - begin;
	unsigned int i = 0;

	printf("payloads of the sum after a part of the processor time:");
	for (size_t p = 0; p < sizeof(percents) / sizeof(*percents); p++) {
		while (i + 1 < curve->count &&
		       curve->at[i].seconds - begin < all * percents[p] / 100)
			i++;
		printf(" %u %%: %.4f;", percents[p],
		       (double)curve->at[i].payloads / (double)lzo1x_1);
	}
	printf(" all of %.1f s: %.4f\n", all,
	       (double)curve->at[curve->count - 1].payloads / (double)lzo1x_1);
}

/* Recompresses all pages, and tells of the way there. */
static void recompress(const struct disk *disk, uint64_t lzo1x_1)
{
	static struct curve curve;
	pthread_t thread;
	uint64_t won;
	int err;

	curve.disk = disk;
	if (pthread_getcpuclockid(pthread_self(), &curve.clock) != 0 ||
	    pthread_create(&thread, NULL, draw, &curve) != 0)
		fail("a thread", EAGAIN);
	err = recompress_all(disk->store, CODEC_MAX, &won, NULL);
	/* It looks at the end once more. */
	usleep(2 * CURVE_STEP_US);
	atomic_store(&curve.over, true);
	pthread_join(thread, NULL);
	if (err)
		fail("recompression", ENOMEM);
	say_curve(&curve, lzo1x_1);
}

/* All that the background would do on an idle machine, at once. */
static void do_it_now(const struct disk *disk, const struct options *options, uint64_t lzo1x_1)
{
	struct store *store = disk->store;
	uint64_t start = bench_clock(CLOCK_THREAD_CPUTIME_ID);
	struct ramzswap_stats stats;
	double us;

	if (options->dictionary && store->idle_codec->dictionary) {
		int err;

		store->dictionary.wanted = true;
		err = train(store, 0);
		printf("dictionary: %s, %.2f s of processor time\n", err ? strerror(-err) : "made",
		       (double)(bench_clock(CLOCK_THREAD_CPUTIME_ID) - start) / 1e9);
	}
	recompress(disk, lzo1x_1);
	us = (double)(bench_clock(CLOCK_THREAD_CPUTIME_ID) - start) / 1e3 / disk->pages;
	/* As after a minute without work. */
	pthread_mutex_lock(&store->recompress.lock);
	dictionary_give_back_writer(store);
	pthread_mutex_unlock(&store->recompress.lock);
	(void)store_compact(store, NULL);
	stats = stats_of(disk);
	printf("%s: %.4f of the sum in payloads, %.4f with all memory (dictionary %lu kB); "
	       "%.0f us of processor time a page; %lu pages by the dictionary, %lu raw\n",
	       store->idle_codec->name, (double)stats.compr_data_size / lzo1x_1,
	       (double)stats.mem_used_total / lzo1x_1, (unsigned long)stats.dictionary_bytes >> 10,
	       us, (unsigned long)stats.pages_dictionary, (unsigned long)stats.pages_expand);
	say_where(disk, lzo1x_1);
}

static bool choose(struct options *options, const char *codec, const char *dictionary)
{
	char why[SIZE_WHY_MAX];

	options->codec = codec_find(codec);
	if (strcmp(dictionary, "off") == 0)
		options->dictionary = 0;
	else if (size_parse(dictionary, 0, &options->dictionary, why, sizeof(why)) != 0)
		return false;
	return options->codec != NULL;
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: recompress_bench --pages FILE [--max-pages %u-N] "
		"[--cpu 1-100] [--seconds N] [--codec NAME] [--dictionary SIZE|off] "
		"[--now]\n"
		"       recompress_bench --help | --version\n",
		RUN);
}

static void parse(struct options *options, int argc, char **argv)
{
	static const struct option names[] = {
		{ "pages", required_argument, NULL, 'p' },
		{ "max-pages", required_argument, NULL, 'm' },
		{ "cpu", required_argument, NULL, 'c' },
		{ "seconds", required_argument, NULL, 's' },
		{ "codec", required_argument, NULL, 'C' },
		{ "dictionary", required_argument, NULL, 'd' },
		{ "now", no_argument, NULL, 'n' },
		{ 0 },
	};
	const char *codec = "lzo", *dictionary = "off";
	int option, bad = 0;

	inform(argc, argv, "recompress_bench", usage);
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (option) {
		case 'p':
			options->file = optarg;
			break;
		case 'm':
			options->pages = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			options->cpu = strtoul(optarg, NULL, 10);
			break;
		case 's':
			options->seconds = strtoul(optarg, NULL, 10);
			break;
		case 'C':
			codec = optarg;
			break;
		case 'd':
			dictionary = optarg;
			break;
		case 'n':
			options->now = true;
			break;
		default:
			bad = 1;
		}
	}
	if (bad || !choose(options, codec, dictionary) || !options->file || optind != argc ||
	    options->pages < RUN || options->cpu < 1 || options->cpu > 100) {
		usage(stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct options options = { .pages = 12800, .cpu = 100, .seconds = 600 };
	struct disk disk = { 0 };
	double before, after;
	unsigned int last;
	uint64_t lzo1x_1;
	int err;

	parse(&options, argc, argv);
	load_pages(&disk, &options);
	lzo1x_1 = sum_of_lzo1x_1(&disk);
	open_disk(&disk, &options);
	printf("%u pages; lzo1x_1 makes %lu bytes of those not filled with one word\n"
	       "seconds compr_data_size of sum mem_used_total recompressed cpu seconds   load\n",
	       disk.pages, (unsigned long)lzo1x_1);
	before = read_time(&disk);
	if (options.now) {
		do_it_now(&disk, &options, lzo1x_1);
		printf("a page read in %.2f us before and %.2f us after\n", before,
		       read_time(&disk));
		store_destroy(disk.store);
		free(disk.data);
		return 0;
	}
	err = worker_start(&disk.worker, work, &disk, WORKER_STACK);
	if (!err && options.dictionary)
		err = worker_start(&disk.trainer, learn, &disk, WORKER_STACK_TRAINER);
	if (err)
		fail("the worker", -err);
	last = leave_alone(&disk, &options, lzo1x_1);
	worker_stop(disk.trainer);
	worker_stop(disk.worker);
	after = read_time(&disk);
	printf("nothing more to win after %u s; a page read in %.2f us before and %.2f us after\n",
	       last, before, after);
	store_destroy(disk.store);
	free(disk.data);
	return 0;
}
