/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fills, reads or overwrites pages of a store, for callgrind to count the instructions of: one
 * thread, no background work, the same pages and requests in every run.  count-store runs it.
 *
 * usage: count_store fill|read|overwrite
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#include "pages.h"
#include "store/store.h"

#define PAGES 4096u

static unsigned char pages[PAGES][TEST_PAGE_SIZE];

/* What real memory holds, more or less: some same-filled, some random, most in between. */
static void make_pages(void)
{
	static const enum data_kind kinds[] = {
		DATA_ZERO, DATA_TEXT,	DATA_STRUCT, DATA_TEXT, DATA_SPARSE,
		DATA_TEXT, DATA_STRUCT, DATA_MIXED,  DATA_TEXT, DATA_RANDOM,
	};
	struct rng rng = { 1 };

	for (unsigned int i = 0; i < PAGES; i++)
		data_fill(&rng, kinds[i % (sizeof(kinds) / sizeof(*kinds))], pages[i],
			  TEST_PAGE_SIZE);
}

/* Writes each page, the data of the page that lies so many further. */
static int write_all(struct store *store, unsigned int shift)
{
	for (unsigned int i = 0; i < PAGES; i++)
		if (store_write(store, pages[(i + shift) % PAGES], TEST_PAGE_SIZE,
				(uint64_t)i * TEST_PAGE_SIZE))
			return 1;
	return 0;
}

static int read_all(struct store *store)
{
	static unsigned char page[TEST_PAGE_SIZE];

	for (unsigned int i = 0; i < PAGES; i++)
		if (store_read(store, page, TEST_PAGE_SIZE, (uint64_t)i * TEST_PAGE_SIZE) ||
		    memcmp(page, pages[i], TEST_PAGE_SIZE) != 0)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	const struct store_config config = {
		.size = (uint64_t)PAGES * TEST_PAGE_SIZE,
		.memlimit = STORE_NO_LIMIT,
	};
	const char *phase = argc == 2 ? argv[1] : "";
	struct store *store;
	int err;

	make_pages();
	if (store_create(&store, &config))
		return 1;
	/* The first round pays for the first use of everything. */
	if (strcmp(phase, "fill") != 0 && write_all(store, 0))
		return 1;
	CALLGRIND_START_INSTRUMENTATION;
	if (!strcmp(phase, "fill"))
		err = write_all(store, 0);
	else if (!strcmp(phase, "read"))
		err = read_all(store);
	else if (!strcmp(phase, "overwrite"))
		err = write_all(store, 3);
	else
		err = 2;
	CALLGRIND_STOP_INSTRUMENTATION;
	store_destroy(store);
	if (err)
		fprintf(stderr, "usage: count_store fill|read|overwrite (or the store failed)\n");
	else
		printf("%u\n", PAGES);
	return err;
}
