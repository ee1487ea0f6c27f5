/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk whose memory is limited: writes past the limit are refused with ENOSPC,
 * the old pages stay, the server stays healthy, and what a trim frees is usable at
 * once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pages.h"
#include "server.h"

#define PAGE TEST_PAGE_SIZE
#define PAGES 8192u /* 32 MiB of disk */
#define CHUNK 32u   /* pages a request: 128 KiB, as swap has them */

static const char *const params[] = { "size=32M", "memlimit=8M", "swap=off", NULL };

static void unique_pages(unsigned char *buf, uint64_t page, uint64_t count, uint64_t version)
{
	for (uint64_t i = 0; i < count; i++) {
		struct rng rng = { (page + i) * 65537 + version };

		data_fill(&rng, DATA_RANDOM, buf + i * PAGE, PAGE);
	}
}

static void must_hold(struct nbd_handle *nbd, uint64_t from, uint64_t to, uint64_t version)
{
	unsigned char buf[PAGE], wanted[PAGE];

	for (uint64_t page = from; page < to; page++) {
		unique_pages(wanted, page, 1, version);
		nbd_ok(nbd_pread(nbd, buf, PAGE, page * PAGE, 0));
		assert_memory_equal(buf, wanted, PAGE);
	}
}

/* Writes whole requests until one is refused; returns how many pages are stored. */
static uint64_t fill_up(struct nbd_handle *nbd)
{
	static unsigned char buf[CHUNK * PAGE];
	uint64_t page;

	for (page = 0; page < PAGES; page += CHUNK) {
		unique_pages(buf, page, CHUNK, 0);
		if (nbd_pwrite(nbd, buf, sizeof(buf), page * PAGE, 0) == -1)
			break;
	}
	assert_true(page < PAGES);
	assert_int_equal(nbd_get_errno(), ENOSPC);
	/* Pages of the refused request may have come in as long as there was room. */
	for (uint64_t i = page; i < page + CHUNK; i++) {
		unique_pages(buf, i, 1, 0);
		nbd_ok(nbd_pread(nbd, buf + PAGE, PAGE, i * PAGE, 0));
		if (memcmp(buf, buf + PAGE, PAGE) != 0)
			return i;
	}
	fail_msg("the whole request was written and yet refused");
	return 0;
}

static void writes_past_the_limit_are_refused_and_change_nothing(void **state)
{
	struct server server;
	struct nbd_handle *nbd;
	unsigned char buf[PAGE], zeroes[PAGE] = { 0 };
	uint64_t filled;

	server_start(&server, params);
	nbd = server_connect(&server);
	filled = fill_up(nbd);
	assert_uint_in_range(filled, 6 * 256, 8 * 256);
	for (uint64_t i = 0; i < 100; i++) {
		unique_pages(buf, PAGES - 1 - i, 1, 1);
		nbd_fails(nbd_pwrite(nbd, buf, PAGE, (PAGES - 1 - i) * PAGE, 0), ENOSPC);
	}
	must_hold(nbd, 0, filled, 0);
	for (uint64_t i = filled; i < PAGES; i++) {
		nbd_ok(nbd_pread(nbd, buf, PAGE, i * PAGE, 0));
		assert_memory_equal(buf, zeroes, PAGE);
	}
	server_disconnect(nbd);
	/* Another client finds the server healthy. */
	nbd = server_connect(&server);
	must_hold(nbd, 0, filled, 0);
	server_disconnect(nbd);
	server_stop(&server);
}

static void overwriting_works_on_a_full_disk(void **state)
{
	static unsigned char buf[CHUNK * PAGE];
	struct server server;
	struct nbd_handle *nbd;
	uint64_t filled;

	server_start(&server, params);
	nbd = server_connect(&server);
	filled = fill_up(nbd);
	for (uint64_t page = 0; page + CHUNK <= filled; page += CHUNK) {
		unique_pages(buf, page, CHUNK, 2);
		nbd_ok(nbd_pwrite(nbd, buf, sizeof(buf), page * PAGE, 0));
	}
	must_hold(nbd, 0, filled - filled % CHUNK, 2);
	server_disconnect(nbd);
	server_stop(&server);
}

static void what_a_trim_frees_is_usable_at_once(void **state)
{
	static unsigned char buf[256 * PAGE];
	struct server server;
	struct nbd_handle *nbd;
	uint64_t filled;

	server_start(&server, params);
	nbd = server_connect(&server);
	filled = fill_up(nbd);
	for (int round = 0; round < 40; round++) {
		uint64_t page = (uint64_t)round * 37 % (filled - 64);

		/* Trim, zero and zero that may be fast, in turn. */
		if (round % 3 == 0)
			nbd_ok(nbd_trim(nbd, 64 * PAGE, page * PAGE, 0));
		else
			nbd_ok(nbd_zero(nbd, 64 * PAGE, page * PAGE,
					round % 3 == 1 ? 0 : LIBNBD_CMD_FLAG_FAST_ZERO));
		nbd_ok(nbd_pread(nbd, buf, 64 * PAGE, page * PAGE, 0));
		assert_true(data_is_zero(buf, 64 * PAGE));
		unique_pages(buf, page, 64, 0);
		nbd_ok(nbd_pwrite(nbd, buf, 64 * PAGE, page * PAGE, 0));
	}
	must_hold(nbd, 0, filled, 0);
	/* A cluster as swap discards it, and as much of it somewhere quite different. */
	nbd_ok(nbd_trim(nbd, 256 * PAGE, 512 * PAGE, 0));
	unique_pages(buf, 6000, 224, 0);
	nbd_ok(nbd_pwrite(nbd, buf, 224 * PAGE, 6000 * PAGE, 0));
	must_hold(nbd, 6000, 6224, 0);
	must_hold(nbd, 0, 512, 0);
	server_disconnect(nbd);
	server_stop(&server);
}

static void clients_that_meet_the_limit_together_lose_nothing(void **state)
{
	static unsigned char buf[4][CHUNK * PAGE];
	struct server server;
	struct nbd_handle *nbd[4];
	uint64_t stored[4] = { 0 };
	unsigned int refused = 0;

	server_start(&server, params);
	for (int i = 0; i < 4; i++)
		nbd[i] = server_connect(&server);
	/* One request in flight on each, each in a quarter of the disk. */
	for (uint64_t step = 0; step < PAGES / 4 / CHUNK; step++) {
		int64_t cookies[4];

		for (uint64_t i = 0; i < 4; i++) {
			uint64_t page = i * PAGES / 4 + step * CHUNK;

			unique_pages(buf[i], page, CHUNK, 0);
			cookies[i] = nbd_aio_pwrite(nbd[i], buf[i], sizeof(buf[i]), page * PAGE,
						    NBD_NULL_COMPLETION, 0);
			assert_true(cookies[i] != -1);
		}
		for (int i = 0; i < 4; i++) {
			int done;

			while ((done = nbd_aio_command_completed(nbd[i], (uint64_t)cookies[i])) ==
			       0)
				nbd_ok(nbd_poll(nbd[i], 20000));
			if (done == 1 && stored[i] == step * CHUNK) {
				stored[i] += CHUNK;
			} else if (done == -1) {
				assert_int_equal(nbd_get_errno(), ENOSPC);
				refused++;
			}
		}
	}
	assert_true(refused > 0);
	for (uint64_t i = 0; i < 4; i++) {
		must_hold(nbd[i], i * PAGES / 4, i * PAGES / 4 + stored[i], 0);
		server_disconnect(nbd[i]);
	}
	server_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_past_the_limit_are_refused_and_change_nothing),
		cmocka_unit_test(overwriting_works_on_a_full_disk),
		cmocka_unit_test(what_a_trim_frees_is_usable_at_once),
		cmocka_unit_test(clients_that_meet_the_limit_together_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
