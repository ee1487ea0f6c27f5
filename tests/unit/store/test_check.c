/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_check finds whatever does not agree: counters, pools, table and backing store.  Each kind
 * of disagreement is made by hand, told with the two numbers, and gone when it is undone.
 */
#include <inttypes.h>

#include "store/object.h"
#include "store/request.h"
#include "store_backing_helper.h"
#include "xvmalloc.h"

#define PAGES 300u

static void begin(bool checksum)
{
	const struct setup setup = { .disk = PAGES * PAGE,
				     .backing = 16 * MIB,
				     .checksum = checksum };
	unsigned char page[PAGE];

	begin_test(&setup);
	for (uint64_t i = 0; i < PAGES; i++)
		put(i, 1);
	memset(page, 'x', PAGE);
	must_write(store, page, PAGE, 7 * PAGE);
}

/* The words must be in what it says. */
static void must_find(const char *words)
{
	char why[200] = "";

	assert_int_equal(store_check(store, NULL, why, sizeof(why)), -EUCLEAN);
	if (!strstr(why, words))
		fail_msg("'%s' does not say '%s'", why, words);
	/* Nobody need want to know why. */
	assert_int_equal(store_check(store, NULL, NULL, 0), -EUCLEAN);
}

static void a_counter_that_is_wrong_is_found(void **state)
{
	static const struct {
		enum store_counter which;
		const char *words;
	} counters[] = {
		{ COUNT_SAME, "same-filled" },
		{ COUNT_STORED, "same-filled" },
		{ COUNT_BACKED, "are counted in the backing store" },
		{ COUNT_IDLE, "codec for idle pages" },
		{ COUNT_DICTIONARY_1, "dictionary" },
	};

	begin(false);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		must_be_sound(store);
		store->stripe[1].count[counters[i].which]++;
		must_find(counters[i].words);
		store->stripe[1].count[counters[i].which]--;
	}
	end_test();
}

static void an_object_that_no_page_names_is_found(void **state)
{
	unsigned int pool;
	uint32_t handle;

	begin(false);
	assert_int_equal(pools_alloc(&store->pools, 0, 100, &pool, &handle), 0);
	must_find("the pools hold");
	/* Of the right number, and of another size. */
	store->stripe[0].count[COUNT_STORED]++;
	must_find("the pools hold");
	store->stripe[0].count[COUNT_STORED]--;
	xv_free(pools_get(&store->pools, pool), handle);
	end_test();
}

static void a_record_that_no_page_names_is_found(void **state)
{
	struct table_ref ref;
	uint64_t had;

	begin(false);
	write_all_back();
	assert_int_equal(table_pin(&store->table, 0, false, &ref), 0);
	had = ref.entries[3];
	assert_int_equal(entry_kind(had), KIND_BACKED);
	ref.entries[3] = entry_make_same(5);
	store->stripe[0].count[COUNT_STORED]--;
	store->stripe[0].count[COUNT_BACKED]--;
	store->stripe[0].count[COUNT_SAME]++;
	must_find("live records");
	ref.entries[3] = had;
	store->stripe[0].count[COUNT_STORED]++;
	store->stripe[0].count[COUNT_BACKED]++;
	store->stripe[0].count[COUNT_SAME]--;
	table_unpin(&store->table, &ref);
	end_test();
}

static void a_page_that_cannot_be_read_is_found_wherever_it_is(void **state)
{
	struct table_ref ref;
	uint64_t had;

	begin(true);
	assert_int_equal(table_pin(&store->table, 0, false, &ref), 0);
	had = ref.entries[4];
	/* Another place, and a pool that there is not. */
	ref.entries[4] = had ^ UINT64_C(1) << 40;
	must_find("page 4 cannot be decoded");
	ref.entries[4] = had ^ UINT64_C(5) << ENTRY_POOL_SHIFT;
	must_find("page 4 cannot be decoded");
	ref.entries[4] = had;
	table_unpin(&store->table, &ref);
	write_all_back();
	must_be_sound(store);
	fake->read_error = EIO;
	must_find("in the backing store is unreadable");
	fake->read_error = 0;
	end_test();
}

static void a_pool_that_is_damaged_is_found(void **state)
{
	struct table_ref ref;
	uint32_t *header;

	begin(false);
	assert_int_equal(table_pin(&store->table, 0, false, &ref), 0);
	header = (uint32_t *)object_map(store, ref.entries[0]) - 1;
	*header ^= UINT32_C(1) << 31;
	assert_int_equal(store_check(store, NULL, NULL, 0), -EUCLEAN);
	*header ^= UINT32_C(1) << 31;
	table_unpin(&store->table, &ref);
	end_test();
}

/* What is under way may be counted in one place and not yet in the other. */
static void totals_are_not_compared_beside_requests(void **state)
{
	struct request req;

	begin(false);
	request_begin(&req, store);
	store->stripe[1].count[COUNT_SAME]++;
	must_be_sound(store);
	request_end(&req);
	must_find("same-filled");
	store->stripe[1].count[COUNT_SAME]--;
	end_test();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_counter_that_is_wrong_is_found),
		cmocka_unit_test(an_object_that_no_page_names_is_found),
		cmocka_unit_test(a_record_that_no_page_names_is_found),
		cmocka_unit_test(a_page_that_cannot_be_read_is_found_wherever_it_is),
		cmocka_unit_test(a_pool_that_is_damaged_is_found),
		cmocka_unit_test(totals_are_not_compared_beside_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
