/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a trim and a zero of a page cost on several disks, side by side:
 *
 *	nbd_holes ROUNDS PAGES NAME=SOCKET...
 *
 * A disk whose name begins with "used" or "kept" is written to first: so many pages, spread over
 *all of it.  Each round goes through all disks once, with a page of its own.  A line for each disk
 *has the medians, and how many times those of the first disk that is.  In the end what was written
 *to a used disk is trimmed, page by page.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libnbd.h>

#define PAGE 4096u
#define DISKS_MAX 16

enum op { TRIM, ZERO, OPS };

struct disk {
	const char *name;
	struct nbd_handle *nbd;
	uint64_t pages; /* of the disk */
	double *us[OPS];
	double median[OPS];
};

static unsigned int rounds, spread;

static void fail(const char *what)
{
	fprintf(stderr, "nbd_holes: %s: %s\n", what, nbd_get_error() ? nbd_get_error() : "");
	exit(1);
}

static double now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* The page that is written, and later trimmed, as number i. */
static uint64_t spread_page(const struct disk *disk, unsigned int i)
{
	return disk->pages / spread * i + i % 7 % (disk->pages / spread);
}

static bool begins(const struct disk *disk, const char *word)
{
	return strncmp(disk->name, word, strlen(word)) == 0;
}

static void open_disk(struct disk *disk, char *word)
{
	char *socket = strchr(word, '=');
	unsigned char page[PAGE];

	if (!socket)
		fail("NAME=SOCKET is wanted");
	*socket++ = '\0';
	disk->name = word;
	disk->nbd = nbd_create();
	if (!disk->nbd || nbd_connect_unix(disk->nbd, socket))
		fail(word);
	disk->pages = (uint64_t)nbd_get_size(disk->nbd) / PAGE;
	for (int op = 0; op < OPS; op++)
		disk->us[op] = calloc(rounds, sizeof(*disk->us[op]));
	for (unsigned int i = 0; i < PAGE; i++)
		page[i] = (unsigned char)(i * i >> 3);
	for (unsigned int i = 0; (begins(disk, "used") || begins(disk, "kept")) && i < spread; i++)
		if (nbd_pwrite(disk->nbd, page, PAGE, spread_page(disk, i) * PAGE, 0))
			fail(word);
}

static double request(struct disk *disk, enum op op, uint64_t page)
{
	double start = now_us();
	int result = op == TRIM ? nbd_trim(disk->nbd, PAGE, page * PAGE, 0)
				: nbd_zero(disk->nbd, PAGE, page * PAGE, 0);

	if (result)
		fail(disk->name);
	return now_us() - start;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(struct disk *disk, const struct disk *first)
{
	for (int op = 0; op < OPS; op++) {
		qsort(disk->us[op], rounds, sizeof(*disk->us[op]), by_value);
		disk->median[op] = disk->us[op][rounds / 2];
	}
	printf("%-12s trim %7.1f us (%.2f)   zero %7.1f us (%.2f)\n", disk->name,
	       disk->median[TRIM], disk->median[TRIM] / first->median[TRIM], disk->median[ZERO],
	       disk->median[ZERO] / first->median[ZERO]);
}

static void trim_all(struct disk *disk)
{
	for (unsigned int i = 0; begins(disk, "used") && i < spread; i++)
		(void)request(disk, TRIM, spread_page(disk, i));
	nbd_shutdown(disk->nbd, 0);
	nbd_close(disk->nbd);
}

int main(int argc, char **argv)
{
	static struct disk disk[DISKS_MAX];
	int count = argc - 3;
	uint64_t random = 1;

	if (argc < 4 || count > DISKS_MAX) {
		fprintf(stderr, "usage: nbd_holes ROUNDS PAGES NAME=SOCKET...\n");
		return 1;
	}
	rounds = (unsigned int)strtoul(argv[1], NULL, 10);
	spread = (unsigned int)strtoul(argv[2], NULL, 10);
	if (rounds == 0 || spread == 0)
		fail("ROUNDS and PAGES are numbers from 1 on");
	for (int i = 0; i < count; i++)
		open_disk(&disk[i], argv[i + 3]);
	for (unsigned int round = 0; round < rounds; round++) {
		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		/* Each disk is the first as often as any other. */
		for (int turn = 0; turn < count; turn++) {
			struct disk *at = &disk[((unsigned int)turn + round) % (unsigned int)count];

			for (int op = 0; op < OPS; op++)
				at->us[op][round] = request(at, op, (random >> 11) % at->pages);
		}
	}
	for (int i = 0; i < count; i++)
		report(&disk[i], &disk[0]);
	for (int i = 0; i < count; i++)
		trim_all(&disk[i]);
	return 0;
}
