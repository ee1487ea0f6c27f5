/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the plugin says of itself to a client, and where it keeps the borders. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pages.h"
#include "server.h"

#define DISK_SIZE (3 * 1024 * 1024 + 777)

static void all_capabilities_are_offered(void **state)
{
	const char *const params[] = { "size=3146505", "swap=off", NULL };
	struct server server;
	struct nbd_handle *nbd;

	server_start(&server, params);
	nbd = server_connect(&server);
	assert_int_equal(nbd_get_size(nbd), DISK_SIZE);
	assert_int_equal(nbd_is_read_only(nbd), 0);
	assert_int_equal(nbd_is_rotational(nbd), 0);
	assert_int_equal(nbd_can_multi_conn(nbd), 1);
	assert_int_equal(nbd_can_flush(nbd), 1);
	assert_int_equal(nbd_can_fua(nbd), 1);
	assert_int_equal(nbd_can_trim(nbd), 1);
	assert_int_equal(nbd_can_zero(nbd), 1);
	assert_int_equal(nbd_can_fast_zero(nbd), 1);
	assert_int_equal(nbd_can_cache(nbd), 1);
	assert_int_equal(nbd_can_df(nbd), 1);
	assert_int_equal(nbd_can_meta_context(nbd, LIBNBD_CONTEXT_BASE_ALLOCATION), 1);
	assert_int_equal(nbd_get_block_size(nbd, LIBNBD_SIZE_MINIMUM), 1);
	assert_int_equal(nbd_get_block_size(nbd, LIBNBD_SIZE_PREFERRED), 4096);
	assert_int_equal(nbd_get_block_size(nbd, LIBNBD_SIZE_MAXIMUM), 4 * 1024 * 1024);
	server_disconnect(nbd);
	server_stop(&server);
}

static void requests_past_the_end_are_refused(void **state)
{
	const char *const params[] = { "size=3146505", "swap=off", NULL };
	static const struct {
		uint64_t offset;
		uint32_t count;
	} bad[] = {
		{ DISK_SIZE, 1 },	    { DISK_SIZE - 1, 2 },	{ DISK_SIZE - 4096, 8192 },
		{ DISK_SIZE + 4096, 4096 }, { UINT64_C(1) << 40, 512 }, { INT64_MAX - 511, 512 },
	};
	struct server server;
	struct nbd_handle *nbd;
	unsigned char *all = malloc(DISK_SIZE), *again = malloc(DISK_SIZE), buf[8192] = { 1 };
	struct rng rng = { 1 };

	server_start(&server, params);
	nbd = server_connect(&server);
	data_fill_any(&rng, all, DISK_SIZE);
	nbd_ok(nbd_pwrite(nbd, all, DISK_SIZE, 0, 0));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t offset = bad[i].offset;
		uint32_t count = bad[i].count;

		nbd_fails(nbd_pread(nbd, buf, count, offset, 0), EINVAL);
		nbd_fails(nbd_pwrite(nbd, buf, count, offset, 0), ENOSPC);
		nbd_fails(nbd_zero(nbd, count, offset, 0), ENOSPC);
		nbd_fails(nbd_trim(nbd, count, offset, 0), EINVAL);
		nbd_fails(nbd_cache(nbd, count, offset, 0), EINVAL);
	}
	nbd_ok(nbd_pread(nbd, again, DISK_SIZE, 0, 0));
	assert_memory_equal(all, again, DISK_SIZE);
	server_disconnect(nbd);
	server_stop(&server);
	free(all);
	free(again);
}

static void the_last_bytes_of_an_odd_disk_can_be_used(void **state)
{
	const char *const params[] = { "size=3146505", "swap=off", NULL };
	struct server server;
	struct nbd_handle *nbd;
	unsigned char buf[1000], again[1000];
	struct rng rng = { 2 };

	server_start(&server, params);
	nbd = server_connect(&server);
	for (uint32_t count = 1; count <= 1000; count += 111) {
		data_fill(&rng, DATA_RANDOM, buf, count);
		nbd_ok(nbd_pwrite(nbd, buf, count, DISK_SIZE - count, LIBNBD_CMD_FLAG_FUA));
		nbd_ok(nbd_pread(nbd, again, count, DISK_SIZE - count, 0));
		assert_memory_equal(buf, again, count);
	}
	nbd_ok(nbd_trim(nbd, 777, DISK_SIZE - 777, 0));
	nbd_ok(nbd_pread(nbd, again, 777, DISK_SIZE - 777, 0));
	assert_true(data_is_zero(again, 777));
	server_disconnect(nbd);
	server_stop(&server);
}

/* The greatest request is a matter of nbdkit and client; long ones must work all the same. */
static void requests_of_32_mib_are_served(void **state)
{
	const char *const params[] = { "size=40M", "swap=off", NULL };
	const size_t count = 32 * 1024 * 1024;
	unsigned char *buf = malloc(count), *again = malloc(count);
	struct server server;
	struct nbd_handle *nbd;
	struct rng rng = { 3 };

	server_start(&server, params);
	nbd = server_connect(&server);
	data_fill_any(&rng, buf, count);
	nbd_ok(nbd_pwrite(nbd, buf, count, 4321, 0));
	nbd_ok(nbd_pread(nbd, again, count, 4321, 0));
	assert_memory_equal(buf, again, count);
	server_disconnect(nbd);
	server_stop(&server);
	free(buf);
	free(again);
}

static void a_second_client_sees_what_the_first_wrote(void **state)
{
	const char *const params[] = { "size=1M", "swap=off", NULL };
	struct server server;
	struct nbd_handle *first, *second;
	unsigned char buf[5000], again[5000];
	struct rng rng = { 4 };

	server_start(&server, params);
	first = server_connect(&server);
	second = server_connect(&server);
	for (int i = 0; i < 100; i++) {
		uint64_t offset = rng_below(&rng, 1000000);

		data_fill_any(&rng, buf, sizeof(buf));
		nbd_ok(nbd_pwrite(first, buf, sizeof(buf), offset, 0));
		nbd_ok(nbd_flush(second, 0));
		nbd_ok(nbd_pread(second, again, sizeof(again), offset, 0));
		assert_memory_equal(buf, again, sizeof(buf));
	}
	server_disconnect(first);
	nbd_ok(nbd_pwrite(second, buf, sizeof(buf), 0, 0));
	server_disconnect(second);
	/* What was written stays when nobody is connected. */
	first = server_connect(&server);
	nbd_ok(nbd_pread(first, again, sizeof(again), 0, 0));
	assert_memory_equal(buf, again, sizeof(buf));
	server_disconnect(first);
	server_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_capabilities_are_offered),
		cmocka_unit_test(requests_past_the_end_are_refused),
		cmocka_unit_test(the_last_bytes_of_an_odd_disk_can_be_used),
		cmocka_unit_test(requests_of_32_mib_are_served),
		cmocka_unit_test(a_second_client_sees_what_the_first_wrote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
