/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the backing store costs: bytes written for each byte of payload, time to move and
 * to read back a page with and without encryption, and what reads of pages in memory lose
 * while pages are being moved.
 *
 * usage: backing_bench --pages FILE [--file PATH] [--rounds N] [--engine-only]
 *
 * PATH (a new file by default, removed afterwards) is what stands behind the pool: put it on
 * the disk that is to be measured.  --engine-only writes and reads the pages without a
 * backing store and says nothing, for instructions to be counted.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backing/backing.h"
#include "bench_pages.h"
#include "inform.h"
#include "store/store.h"

#define PAGE BENCH_PAGE_SIZE
#define HOT_PAGES 2048u
#define COLD_PAGES 32768u
#define ROUNDS_MAX 32u

struct bench {
	struct bench_pages pages;
	const char *file;
	unsigned int rounds;
	struct backing *backing;
	struct store *store;
	atomic_bool moving;
};

static void die(const char *what, int err)
{
	fprintf(stderr, "backing_bench: %s: %s\n", what, strerror(-err));
	exit(1);
}

static double seconds(void)
{
	return (double)bench_clock(CLOCK_MONOTONIC) / 1e9;
}

static void open_store(struct bench *bench, bool backed, bool encrypt, uint64_t disk_pages)
{
	struct store_config config = { .size = disk_pages * PAGE, .memlimit = STORE_NO_LIMIT };
	struct medium_config where = {
		.where = bench->file,
		.size = disk_pages * PAGE * 3 / 2 + (UINT64_C(16) << 20),
		.force = true,
	};
	char why[MEDIUM_WHY_MAX];
	struct medium *medium;
	int err = 0;

	bench->backing = NULL;
	if (backed) {
		if (medium_open(&medium, &where, why, sizeof(why)) ||
		    backing_create(&bench->backing, medium, BACKING_SEGMENT_MAX, encrypt, why,
				   sizeof(why))) {
			fprintf(stderr, "backing_bench: '%s' %s\n", bench->file, why);
			exit(1);
		}
		err = backing_start(bench->backing, false);
	}
	config.backing = bench->backing;
	if (!err)
		err = store_create(&bench->store, &config);
	if (err)
		die("a store", err);
}

static void close_store(struct bench *bench)
{
	store_destroy(bench->store);
	backing_destroy(bench->backing);
}

static void write_page(struct bench *bench, uint64_t at, const void *page)
{
	int err = store_write(bench->store, page, PAGE, at * PAGE);

	if (err)
		die("write", err);
}

static void read_page(struct bench *bench, uint64_t at)
{
	unsigned char page[PAGE];
	int err = store_read(bench->store, page, PAGE, at * PAGE);

	if (err)
		die("read", err);
}

static void fill(struct bench *bench)
{
	for (uint32_t i = 0; i < bench->pages.count; i++)
		write_page(bench, i, bench_page(&bench->pages, i));
}

static struct ramzswap_stats stats_of(struct bench *bench)
{
	struct ramzswap_stats stats;

	memset(&stats, 0, sizeof(stats));
	store_get_stats(bench->store, &stats);
	return stats;
}

/* All pages there, and back in random order, and every byte that crossed. */
static void move_all(struct bench *bench, bool encrypt)
{
	uint64_t random = 1, bytes, pages;
	struct ramzswap_stats stats;
	double start, moved, one, eight;

	open_store(bench, true, encrypt, bench->pages.count);
	fill(bench);
	start = seconds();
	if (store_writeback(bench->store, WRITEBACK_ALL, 0, &bytes, NULL))
		die("writeback", -EIO);
	moved = seconds() - start;
	stats = stats_of(bench);
	pages = stats.bd_count;
	printf("%-10s %8llu pages, payload %7.1f MB, written %7.1f MB: ratio %.3f, %6.2f us a "
	       "page, %5.0f MB/s\n",
	       encrypt ? "encrypted" : "plain", (unsigned long long)pages, (double)bytes / 1e6,
	       (double)stats.bd_written_bytes / 1e6, (double)stats.bd_written_bytes / (double)bytes,
	       moved * 1e6 / (double)pages, (double)stats.bd_written_bytes / moved / 1e6);
	start = seconds();
	for (int i = 0; i < 10000; i++)
		read_page(bench, bench_random_below(&random, bench->pages.count));
	one = seconds() - start;
	start = seconds();
	for (int i = 0; i < 2000; i++) {
		static unsigned char buf[8 * PAGE];
		uint32_t at = bench_random_below(&random, bench->pages.count / 8) * 8;

		if (store_read(bench->store, buf, sizeof(buf), (uint64_t)at * PAGE))
			die("read", -EIO);
	}
	eight = seconds() - start;
	printf("%-10s read back: %.1f us for a page at random, %.1f us for eight in a row\n",
	       encrypt ? "encrypted" : "plain", one * 1e6 / 10000, eight * 1e6 / 2000);
	close_store(bench);
}

static void *write_back(void *opaque)
{
	struct bench *bench = opaque;
	uint64_t bytes;

	if (store_writeback(bench->store, WRITEBACK_HUGE, 0, &bytes, NULL))
		die("writeback", -EIO);
	bench->moving = false;
	return NULL;
}

static void write_cold(struct bench *bench)
{
	uint64_t page[PAGE / 8];
	static uint64_t random = 7;

	for (uint32_t i = 0; i < COLD_PAGES; i++) {
		for (size_t j = 0; j < PAGE / 8; j++)
			page[j] = bench_random(&random);
		write_page(bench, HOT_PAGES + i, page);
	}
}

/*
 * Reads of pages in memory a second, as long as cold ones are moved, or for so long.  *busy
 * is the same for a second of this thread's processor time: what other programs take away
 * does not count there.
 */
static double read_rate(struct bench *bench, double *length, double *busy)
{
	double start = seconds(), now;
	uint64_t used = bench_clock(CLOCK_THREAD_CPUTIME_ID);
	uint64_t reads = 0, random = 3;

	do {
		for (int i = 0; i < 64; i++, reads++)
			read_page(bench, bench_random_below(&random, HOT_PAGES));
		now = seconds();
	} while (*length > 0 ? now - start < *length : bench->moving);
	*length = now - start;
	*busy = (double)reads * 1e9 / (double)(bench_clock(CLOCK_THREAD_CPUTIME_ID) - used);
	return (double)reads / (now - start);
}

static void read_beside(struct bench *bench)
{
	double ratios[ROUNDS_MAX], busy_ratios[ROUNDS_MAX], rates[ROUNDS_MAX], moved[ROUNDS_MAX];

	open_store(bench, true, true, HOT_PAGES + COLD_PAGES);
	for (uint32_t i = 0; i < HOT_PAGES; i++)
		write_page(bench, i, bench_page(&bench->pages, i % bench->pages.count));
	for (unsigned int round = 0; round < bench->rounds; round++) {
		double length = 0, with, without, busy_with, busy_without;
		pthread_t thread;

		write_cold(bench);
		bench->moving = true;
		pthread_create(&thread, NULL, write_back, bench);
		with = read_rate(bench, &length, &busy_with);
		pthread_join(thread, NULL);
		without = read_rate(bench, &length, &busy_without);
		ratios[round] = with / without;
		busy_ratios[round] = busy_with / busy_without;
		rates[round] = without;
		moved[round] = COLD_PAGES * 4096.0 / length / 1e6;
	}
	printf("reads in memory: %.0f a second; while %.0f MB/s are written back: %.3f of it, "
	       "%.3f for the same processor time (medians of %u)\n",
	       bench_median(rates, bench->rounds), bench_median(moved, bench->rounds),
	       bench_median(ratios, bench->rounds), bench_median(busy_ratios, bench->rounds),
	       bench->rounds);
	close_store(bench);
}

static void engine_only(struct bench *bench)
{
	open_store(bench, false, false, bench->pages.count);
	for (int pass = 0; pass < 3; pass++) {
		fill(bench);
		for (uint32_t i = 0; i < bench->pages.count; i++)
			read_page(bench, i);
	}
	close_store(bench);
}

static void usage(FILE *to)
{
	fputs("usage: backing_bench --pages FILE [--file PATH] [--rounds N] [--engine-only]\n"
	      "       backing_bench --help | --version\n",
	      to);
}

static void mistake(void)
{
	usage(stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "pages", required_argument, NULL, 'p' },
		{ "file", required_argument, NULL, 'f' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "engine-only", no_argument, NULL, 'e' },
		{ NULL, 0, NULL, 0 },
	};
	static struct bench bench = { .file = "backing_bench.img", .rounds = 5 };
	const char *pages = NULL;
	bool alone = false;
	int option;

	inform(argc, argv, "backing_bench", usage);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'p')
			pages = optarg;
		else if (option == 'f')
			bench.file = optarg;
		else if (option == 'r')
			bench.rounds = (unsigned int)atoi(optarg);
		else if (option == 'e')
			alone = true;
		else
			mistake();
	}
	if (!pages || optind != argc || bench.rounds < 1 || bench.rounds > ROUNDS_MAX)
		mistake();
	if (bench_pages_load(&bench.pages, pages, 0))
		return 1;
	if (alone) {
		engine_only(&bench);
	} else {
		move_all(&bench, true);
		move_all(&bench, false);
		read_beside(&bench);
		unlink(bench.file);
	}
	bench_pages_unload(&bench.pages);
	return 0;
}
