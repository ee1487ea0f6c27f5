/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How large a request may be, and an answer: what is more is refused or comes in parts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pages.h"
#include "server.h"

#define PAGE TEST_PAGE_SIZE
#define MIB (1u << 20)
#define REQUEST_MAX (32 * MIB)

static const char *const params[] = { "size=1G", "swap=off", NULL };

static void what_is_too_large_is_refused_and_the_client_goes_on(void **state)
{
	unsigned char *data = malloc(REQUEST_MAX + PAGE), *back = malloc(REQUEST_MAX + PAGE);
	struct server server;
	struct nbd_handle *nbd;
	struct rng rng = { 11 };

	server_start(&server, params);
	nbd = server_connect(&server);
	assert_int_equal(nbd_get_block_size(nbd, LIBNBD_SIZE_MAXIMUM), 4 * MIB);
	data_fill_any(&rng, data, REQUEST_MAX + PAGE);
	nbd_ok(nbd_pwrite(nbd, data, REQUEST_MAX, 3, 0));
	nbd_fails(nbd_pread(nbd, back, REQUEST_MAX + 1, 0, 0), ENOMEM);
	nbd_fails(nbd_pwrite(nbd, data + 1, REQUEST_MAX + 1, 3, 0), ENOMEM);
	nbd_ok(nbd_pread(nbd, back, REQUEST_MAX, 3, 0));
	assert_memory_equal(back, data, REQUEST_MAX);
	server_disconnect(nbd);
	server_stop(&server);
	free(data);
	free(back);
}

struct map {
	uint64_t pages, answers;
	bool right;
};

/* Every other page is zero. */
static int see_extent(void *opaque, const char *context, uint64_t offset, uint32_t *entries,
		      size_t count, int *error)
{
	struct map *map = opaque;

	for (size_t i = 0; i < count; i += 2) {
		map->right &= entries[i] == PAGE && (entries[i + 1] != 0) == (map->pages % 2);
		map->pages++;
	}
	map->answers++;
	return 0;
}

static void a_map_of_small_pieces_comes_in_parts(void **state)
{
	static unsigned char chunk[512 * PAGE];
	const uint64_t pages = 80 * 1024;
	struct map map = { .right = true };
	struct server server;
	struct nbd_handle *nbd;

	for (unsigned int i = 0; i < 512; i += 2)
		memset(chunk + i * PAGE, 1, PAGE);
	server_start(&server, params);
	nbd = server_connect(&server);
	for (uint64_t page = 0; page < pages; page += 512)
		nbd_ok(nbd_pwrite(nbd, chunk, sizeof(chunk), page * PAGE, 0));
	while (map.pages < pages && map.right)
		nbd_ok(nbd_block_status(
			nbd, (pages - map.pages) * PAGE, map.pages * PAGE,
			(nbd_extent_callback){ .callback = see_extent, .user_data = &map }, 0));
	assert_true(map.right);
	assert_int_equal(map.pages, pages);
	assert_uint_in_range(map.answers, 2, 20);
	server_disconnect(nbd);
	server_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_too_large_is_refused_and_the_client_goes_on),
		cmocka_unit_test(a_map_of_small_pieces_comes_in_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
