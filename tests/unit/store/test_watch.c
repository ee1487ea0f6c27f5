/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a test is told of a read that failed: see store_watch.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/object.h"
#include "store_model.h"
#include "store_helper.h"
#include "store_watch.h"

#define VICTIM 7u
#define PAGES 64u

static struct model_disk disk;
static struct watch watch;
static char *told;

static void make_disk(uint64_t backing)
{
	const struct model_config config = {
		.size = PAGES * PAGE,
		.memlimit = STORE_NO_LIMIT,
		.backing = backing,
	};
	unsigned char page[PAGE];
	struct rng rng = { 1 };

	model_disk_make(&disk, &config);
	for (uint64_t i = 0; i < PAGES; i++) {
		data_fill(&rng, DATA_TEXT, page, PAGE);
		must_write(disk.store, page, PAGE, i * PAGE);
	}
}

/* Reads from page VICTIM - 1 on and keeps what is said of it.  How many pages fail again. */
static unsigned int read_badly(void)
{
	static unsigned char pages[3 * PAGE];
	const uint64_t offset = (VICTIM - 1) * PAGE;
	unsigned int again;
	size_t size;
	FILE *out = open_memstream(&told, &size);

	assert_non_null(out);
	watch_begin(&watch, &disk, sizeof(pages), offset);
	assert_int_equal(store_read(disk.store, pages, sizeof(pages), offset), -EIO);
	again = watch_explain(&watch, &disk, out);
	fclose(out);
	return again;
}

static void end_disk(void)
{
	free(told);
	store_destroy(disk.store);
	backing_destroy(disk.backing);
	if (disk.fake)
		fake_medium_free(disk.fake);
}

static void must_be_told(const char *what)
{
	if (!strstr(told, what))
		fail_msg("not told '%s', but:\n%s", what, told);
}

static uint64_t entry_of_victim(void)
{
	struct table_ref ref;
	uint64_t entry;

	assert_int_equal(table_pin(&disk.store->table, 0, false, &ref), 0);
	entry = ref.entries[VICTIM];
	table_unpin(&disk.store->table, &ref);
	return entry;
}

static void test_a_record_that_was_overwritten_is_told(void **state)
{
	uint64_t bytes, entry;

	make_disk(8 * MIB);
	assert_int_equal(store_writeback(disk.store, WRITEBACK_ALL, 0, &bytes, NULL), 0);
	entry = entry_of_victim();
	assert_int_equal(entry_kind(entry), KIND_BACKED);
	memset(disk.fake->bytes + (uint64_t)entry_location(entry) * 16, 0x55, 64);
	assert_int_equal(read_badly(), 1);
	must_be_told("1 records and 0 checksums");
	must_be_told("record of page 7, ");
	must_be_told("seal of page 7, ");
	must_be_told("page 6 can be read now");
	must_be_told("page 7, read again: Input/output error");
	must_be_told("behind the pool");
	end_disk();
}

static void test_a_medium_that_failed_once_is_told(void **state)
{
	uint64_t bytes;

	make_disk(8 * MIB);
	assert_int_equal(store_writeback(disk.store, WRITEBACK_ALL, 0, &bytes, NULL), 0);
	disk.fake->read_error = EIO;
	assert_true(read_badly() > 0);
	must_be_told("record of page 6, ");
	if (strstr(told, "seal of page"))
		fail_msg("a seal is blamed:\n%s", told);
	end_disk();
}

static void test_a_payload_that_does_not_decode_is_told(void **state)
{
	uint64_t entry;

	make_disk(0);
	entry = entry_of_victim();
	assert_int_equal(entry_kind(entry), KIND_PAYLOAD);
	memset(object_map(disk.store, entry), 0, 16);
	assert_int_equal(read_badly(), 1);
	must_be_told("0 records and 0 checksums");
	must_be_told("does not decode: 00 00 00");
	must_be_told("page 7, read again: Input/output error");
	end_disk();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_record_that_was_overwritten_is_told),
		cmocka_unit_test(test_a_medium_that_failed_once_is_told),
		cmocka_unit_test(test_a_payload_that_does_not_decode_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
