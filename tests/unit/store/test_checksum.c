/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * With checksums, what was damaged in memory gives EIO, never another page, and hurts nobody
 * else: bits of payloads, of checksums, of objects' headers, and of the table's entries.  Of those
 * the lock alone is left out.
 */
#include "store/object.h"
#include "store/page.h"
#include "store_helper.h"
#include "xv_internal.h"

#define PAGES 64u

static unsigned char pages[PAGES][PAGE];

static struct store *checked_store(void)
{
	struct store_config config = { .size = PAGES * PAGE,
				       .memlimit = STORE_NO_LIMIT,
				       .checksum = true };
	struct rng rng = { 17 };
	struct store *store;

	assert_int_equal(store_create(&store, &config), 0);
	for (unsigned int i = 0; i < PAGES; i++) {
		data_fill(&rng, (enum data_kind)(i % DATA_KINDS), pages[i], PAGE);
		/* Too much for an entry. */
		if (i % DATA_KINDS == DATA_SAME)
			for (size_t j = 0; j < PAGE; j++)
				pages[i][j] = (unsigned char)(0x91 + j % 8 * 13);
	}
	must_write(store, pages, sizeof(pages), 0);
	return store;
}

static table_entry *entry_of(struct store *store, unsigned int page, struct table_ref *ref)
{
	assert_int_equal(table_pin(&store->table, 0, false, ref), 0);
	assert_non_null(ref->entries);
	return &ref->entries[page];
}

/* The page must fail to be read, all others must be there, and nothing ends. */
static void only_this_page_fails(struct store *store, unsigned int damaged)
{
	uint64_t errors = stats_of(store).checksum_errors;
	unsigned char page[PAGE];

	for (unsigned int i = 0; i < PAGES; i++) {
		if (i != damaged)
			must_read(store, pages[i], PAGE, i * PAGE);
		else
			assert_int_equal(store_read(store, page, PAGE, i * PAGE), -EIO);
	}
	assert_true(stats_of(store).checksum_errors > errors);
}

static void any_bit_of_an_object_is_missed(void **state)
{
	struct store *store = checked_store();

	for (unsigned int i = 0; i < PAGES; i++) {
		struct table_ref ref;
		uint64_t entry = *entry_of(store, i, &ref);
		unsigned char *object;
		size_t size;

		table_unpin(&store->table, &ref);
		if (!entry_has_object(entry))
			continue;
		object = object_map(store, entry);
		size = object_size(store, entry) + OBJECT_TRAILER;
		for (size_t bit = 0; bit < size * 8; bit += 1 + size / 64) {
			unsigned char page[PAGE];

			object[bit / 8] ^= (unsigned char)(1 << bit % 8);
			assert_int_equal(store_read(store, page, PAGE, i * PAGE), -EIO);
			object[bit / 8] ^= (unsigned char)(1 << bit % 8);
		}
		must_read(store, pages[i], PAGE, i * PAGE);
	}
	store_done(store);
}

static void any_bit_of_a_header_that_tells_the_size_is_missed(void **state)
{
	for (unsigned int bit = 0; bit < SIZE_BITS; bit++) {
		struct store *store = checked_store();
		const unsigned int victim = 2 + bit % 5 + 7;
		struct table_ref ref;
		uint64_t entry = *entry_of(store, victim, &ref);
		uint32_t *header;

		table_unpin(&store->table, &ref);
		assert_true(entry_has_object(entry));
		header = (uint32_t *)object_map(store, entry) - 1;
		*header ^= 1u << bit;
		only_this_page_fails(store, victim);
		*header ^= 1u << bit;
		store_done(store);
	}
}

/* What the entry says of where the object is, and of which kind. */
static void any_bit_of_where_an_object_is_is_missed(void **state)
{
	for (unsigned int bit = ENTRY_POOL_SHIFT; bit < 64; bit++) {
		const unsigned int victim = DATA_TEXT;
		unsigned char page[PAGE];
		struct rng rng = { bit };
		struct table_ref ref;
		struct store *store;
		table_entry *entry;

		if (bit == 29)
			/* ENTRY_DENSEST: no word on the page. */
			continue;
		store = checked_store();
		entry = entry_of(store, victim, &ref);
		*entry ^= UINT64_C(1) << bit;
		table_unpin(&store->table, &ref);
		only_this_page_fails(store, victim);
		/* It cannot be had back, but it can be written, and all else goes on. */
		assert_int_equal(store_write(store, "part", 4, victim * PAGE + 9), -EIO);
		(void)store_compact(store, NULL);
		only_this_page_fails(store, victim);
		data_fill(&rng, DATA_STRUCT, page, PAGE);
		must_write(store, page, PAGE, victim * PAGE);
		must_read(store, page, PAGE, victim * PAGE);
		for (unsigned int i = 0; i < PAGES; i++)
			if (i != victim)
				must_read(store, pages[i], PAGE, i * PAGE);
		must_zero(store, PAGES * PAGE, 0);
		must_read_zeroes(store, PAGES * PAGE, 0);
		store_destroy(store);
	}
}

/*
 * What only a flipped bit makes of an entry: nothing with something in it, a word in the entry
 * other than 0, a page behind a pool that has nothing behind it, and kinds that there are not.
 */
static bool is_impossible(uint64_t entry)
{
	switch (entry_kind(entry)) {
	case KIND_EMPTY:
		return entry != 0;
	case KIND_SAME:
		return entry_word(entry) != 0;
	default:
		return true;
	}
}

static void any_bit_of_the_kind_ends_nothing(void **state)
{
	for (unsigned int flip = 1; flip < 8; flip++) {
		for (unsigned int victim = 0; victim < DATA_KINDS; victim++) {
			struct store *store = checked_store();
			unsigned char page[PAGE];
			struct table_ref ref;
			table_entry *entry = entry_of(store, victim, &ref);
			uint64_t damaged = *entry ^ (uint64_t)flip << ENTRY_KIND_SHIFT;

			*entry = damaged;
			table_unpin(&store->table, &ref);
			if (is_impossible(damaged)) {
				only_this_page_fails(store, victim);
				assert_int_equal(store_write(store, "part", 4, victim * PAGE + 9),
						 -EIO);
			}
			(void)store_compact(store, NULL);
			(void)store_check(store, NULL, NULL, 0);
			if (victim % 2) {
				must_zero(store, PAGE, victim * PAGE);
				must_read_zeroes(store, PAGE, victim * PAGE);
			}
			memcpy(page, pages[DATA_TEXT], PAGE);
			must_write(store, page, PAGE, victim * PAGE);
			must_read(store, page, PAGE, victim * PAGE);
			for (unsigned int i = 0; i < PAGES; i++)
				if (i != victim)
					must_read(store, pages[i], PAGE, i * PAGE);
			store_destroy(store);
		}
	}
}

static int note_hole(void *opaque, uint64_t offset, uint64_t length, bool hole)
{
	*(bool *)opaque |= hole;
	return 0;
}

/* The page with this bit of its entry flipped: as it was, or an error, and no hole either. */
static unsigned int must_not_be_another(struct store *store, uint64_t number, table_entry *entry,
					unsigned int bit)
{
	unsigned char page[PAGE];
	uint64_t was = *entry;
	bool hole = false;
	int err;

	*entry = was ^ UINT64_C(1) << bit;
	err = store_read(store, page, PAGE, number * PAGE);
	assert_int_equal(store_extents(store, PAGE, number * PAGE, note_hole, &hole), 0);
	if (err) {
		assert_int_equal(err, -EIO);
		assert_false(hole);
	} else {
		assert_memory_equal(page, pages[number], PAGE);
		assert_true(!hole || page_is_zero(page));
	}
	*entry = was;
	return err != 0;
}

/* All bits but that of the lock, for which everybody waits. */
static void no_bit_of_an_entry_makes_another_page_of_it(void **state)
{
	static const uint64_t word = 0x4242424242424242;
	struct store *store = checked_store();
	unsigned int errors = 0;
	struct table_ref ref;

	/* One that would fit into an entry, one of zeroes, and one that was never written. */
	for (size_t at = 0; at < PAGE; at += sizeof(word))
		memcpy(pages[0] + at, &word, sizeof(word));
	memset(pages[1], 0, PAGE);
	memset(pages[2], 0, PAGE);
	must_write(store, pages, 2 * PAGE, 0);
	must_zero(store, PAGE, 2 * PAGE);
	for (unsigned int i = 0; i < PAGES; i++) {
		table_entry *entry = entry_of(store, i, &ref);

		for (unsigned int bit = 2; bit < 64; bit++)
			errors += must_not_be_another(store, i, entry, bit);
		table_unpin(&store->table, &ref);
	}
	assert_true(errors > PAGES * 30);
	assert_true(stats_of(store).failed_reads >= errors);
	must_read(store, pages, sizeof(pages), 0);
	store_done(store);
}

/* Two entries that changed places name sound objects: of other pages. */
static void an_object_of_another_page_is_missed(void **state)
{
	struct store *store = checked_store();
	unsigned char page[PAGE];
	struct table_ref ref;
	table_entry *a = entry_of(store, DATA_TEXT, &ref);
	table_entry *b = &ref.entries[DATA_TEXT + DATA_KINDS];
	uint64_t was = *a;

	*a = *b;
	*b = was;
	assert_int_equal(store_read(store, page, PAGE, DATA_TEXT * PAGE), -EIO);
	assert_int_equal(store_read(store, page, PAGE, (DATA_TEXT + DATA_KINDS) * PAGE), -EIO);
	*b = *a;
	*a = was;
	table_unpin(&store->table, &ref);
	must_read(store, pages, sizeof(pages), 0);
	store_done(store);
}

static void checksums_are_counted_as_memory_not_as_payload(void **state)
{
	struct store *plain = store_of(PAGES * PAGE, STORE_NO_LIMIT), *checked = checked_store();

	must_write(plain, pages, sizeof(pages), 0);
	assert_int_equal(stats_of(plain).compr_data_size, stats_of(checked).compr_data_size);
	assert_int_equal(stats_of(checked).checksum_errors, 0);
	store_done(plain);
	store_done(checked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_bit_of_an_object_is_missed),
		cmocka_unit_test(any_bit_of_a_header_that_tells_the_size_is_missed),
		cmocka_unit_test(any_bit_of_where_an_object_is_is_missed),
		cmocka_unit_test(any_bit_of_the_kind_ends_nothing),
		cmocka_unit_test(no_bit_of_an_entry_makes_another_page_of_it),
		cmocka_unit_test(an_object_of_another_page_is_missed),
		cmocka_unit_test(checksums_are_counted_as_memory_not_as_payload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
