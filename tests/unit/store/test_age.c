/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How old a page is: ticks that suit what is asked for, and an age that does not turn young again. */
#include "store_helper.h"
#include "store/age.h"

/* A store whose clock is set by hand. */
static struct store *aged(unsigned int idle_seconds)
{
	struct store *store = store_of(MIB, STORE_NO_LIMIT);

	age_init(store, idle_seconds);
	return store;
}

static void any_time_that_may_be_asked_for_is_told(void **state)
{
	static const unsigned int seconds[] = { 1, 2, 10, 60, 600, 3600, 86400, 30 * 86400 };

	for (size_t i = 0; i < sizeof(seconds) / sizeof(*seconds); i++) {
		struct store *store = aged(seconds[i]);
		unsigned int ticks = age_ticks(store, seconds[i]);

		/* Not before its time, and no more than a tick and a sixteenth after. */
		assert_true((uint64_t)ticks * store->tick_ms >= (uint64_t)seconds[i] * 1000);
		assert_true((uint64_t)(ticks - 1) * store->tick_ms <= (uint64_t)seconds[i] * 1000);
		assert_true(store->tick_ms <= seconds[i] * 1000 / 16 + 1 ||
			    store->tick_ms == 4000 || ticks > 300);
		assert_true(ticks < AGE_TICKS_OLD);
		assert_true(store_idle_seconds_max(store) >= seconds[i]);
		store_done(store);
	}
}

static void what_cannot_be_told_counts_as_old(void **state)
{
	struct store *store = aged(0);

	assert_int_equal(age_ticks(store, 30 * 86400), AGE_TICKS_OLD);
	assert_int_equal(age_ticks(store, 0), 1);
	store_done(store);
}

static void an_age_grows_by_the_tick_and_wraps_around(void **state)
{
	struct store *store = aged(0);
	uint64_t entry = entry_touched(store, entry_make(KIND_RAW, 0, 1));

	for (unsigned int i = 0; i < 1u << ENTRY_AGE_BITS; i++) {
		assert_int_equal(age_of(store, entry), i);
		atomic_fetch_add(&store->age, 1);
	}
	assert_int_equal(age_of(store, entry), 0);
	store_done(store);
}

static void only_pages_with_a_payload_have_an_age(void **state)
{
	struct store *store = aged(0);

	atomic_store(&store->age, 77);
	assert_int_equal(entry_touched(store, entry_make_same(5)), entry_make_same(5));
	assert_int_equal(entry_touched(store, entry_make(KIND_SAME_OBJ, 1, 1)),
			 entry_make(KIND_SAME_OBJ, 1, 1));
	assert_int_equal(entry_age(entry_touched(store, entry_make(KIND_PAYLOAD, 1, 1))), 77);
	assert_int_equal(entry_age(entry_touched(store, entry_make_backed(1, 1))), 77);
	store_done(store);
}

static void an_old_page_stays_old_if_it_is_looked_at(void **state)
{
	struct store *store = aged(0);
	table_entry entry = entry_touched(store, entry_make(KIND_RAW, 0, 1));

	/* Four times around. */
	for (unsigned int i = 0; i < 4u << ENTRY_AGE_BITS; i++) {
		atomic_fetch_add(&store->age, 1);
		if (i % 100 == 0)
			age_keep_old(store, &entry, entry);
		if (i > AGE_TICKS_OLD)
			assert_true(age_of(store, entry) >= AGE_TICKS_OLD);
	}
	/* Who holds it is not disturbed. */
	entry |= ENTRY_LOCK;
	atomic_fetch_add(&store->age, 50);
	{
		uint64_t before = entry;

		age_keep_old(store, &entry, entry);
		assert_int_equal(entry, before);
	}
	store_done(store);
}

static void the_tick_comes_with_time_and_once(void **state)
{
	struct store *store = aged(0);
	unsigned int before = atomic_load(&store->age);

	age_work(store);
	assert_int_equal(atomic_load(&store->age), before);
	atomic_store(&store->next_tick_ms, 0);
	age_work(store);
	age_work(store);
	assert_int_equal(atomic_load(&store->age), before + 1);
	store_done(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_time_that_may_be_asked_for_is_told),
		cmocka_unit_test(what_cannot_be_told_counts_as_old),
		cmocka_unit_test(an_age_grows_by_the_tick_and_wraps_around),
		cmocka_unit_test(only_pages_with_a_payload_have_an_age),
		cmocka_unit_test(an_old_page_stays_old_if_it_is_looked_at),
		cmocka_unit_test(the_tick_comes_with_time_and_once),
	};

	return cmocka_run_group_tests_name("store age", tests, NULL, NULL);
}
