/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel that frees, reallocates and rewrites swap slots as fast as it can, from several
 * threads, while others forget what is free.  It keeps the kernel's order: a slot's bit is set
 * under the lock under which the slot becomes free, and a slot has one owner at a time.  No page
 * in use may be lost, and in the end nothing may be stored but those.
 *
 * $FREED_TEST_EVENTS is how many slots are allocated, written, freed or discarded: 10^8 takes
 * minutes.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "store_helper.h"

/* Few, so that all meet at the same ones; over two table pages. */
#define SLOTS 640u
#define LOCKS (SLOTS / 64)
#define KERNELS 3
#define EVENTS 400000ul

enum slot_state { SLOT_FREE, SLOT_USED, SLOT_BUSY };

struct slot {
	enum slot_state state;
	uint32_t version;
};

static struct store *store;
static _Atomic uint64_t bits[LOCKS];
static pthread_mutex_t locks[LOCKS];
static struct slot slots[SLOTS];
static atomic_ulong events, errors, forgotten;
static unsigned long wanted;
static atomic_bool done;

/* Of one word, of a word that takes an object, compressible, and raw. */
static void make(uint64_t *page, unsigned int slot, uint32_t version)
{
	uint64_t stamp = (uint64_t)version << 16 | slot;
	struct rng rng = { .state = stamp };

	for (size_t i = 0; i < PAGE / 8; i++)
		page[i] = version % 4 == 1 ? stamp | UINT64_C(0x5a) << 56 : stamp;
	if (version % 16 == 2)
		data_fill(&rng, DATA_RANDOM, page + 1, PAGE - 8);
	else if (version % 4 == 2)
		page[version % (PAGE / 8)] = version;
}

/* Takes the slot from this state, if it is in it. */
static bool take(unsigned int slot, enum slot_state from)
{
	bool taken;

	pthread_mutex_lock(&locks[slot / 64]);
	taken = slots[slot].state == from;
	if (taken)
		slots[slot].state = SLOT_BUSY;
	pthread_mutex_unlock(&locks[slot / 64]);
	return taken;
}

static void put_back(unsigned int slot, enum slot_state to, bool freed)
{
	pthread_mutex_lock(&locks[slot / 64]);
	if (freed)
		atomic_fetch_or(&bits[slot / 64], UINT64_C(1) << (slot % 64));
	slots[slot].state = to;
	pthread_mutex_unlock(&locks[slot / 64]);
}

static void write_slot(unsigned int slot)
{
	uint64_t page[PAGE / 8];

	make(page, slot, ++slots[slot].version);
	if (store_write(store, page, PAGE, (uint64_t)slot * PAGE) != 0)
		atomic_fetch_add(&errors, 1);
}

static void read_slot(unsigned int slot)
{
	uint64_t page[PAGE / 8], expected[PAGE / 8];

	make(expected, slot, slots[slot].version);
	if (store_read(store, page, PAGE, (uint64_t)slot * PAGE) != 0 ||
	    memcmp(page, expected, PAGE) != 0)
		atomic_fetch_add(&errors, 1);
}

static void one_event(struct rng *rng)
{
	unsigned int slot = (unsigned int)rng_below(rng, SLOTS);
	unsigned int what = (unsigned int)rng_below(rng, 16);

	if (what < 8) {
		if (!take(slot, SLOT_FREE))
			return;
		/* Now and then a slot is given back without having been written. */
		if (what > 0)
			write_slot(slot);
		put_back(slot, what > 0 ? SLOT_USED : SLOT_FREE, what == 0);
	} else if (what < 9) {
		/* What swapon --discard does to free clusters. */
		if (!take(slot, SLOT_FREE))
			return;
		if (store_zero(store, PAGE, (uint64_t)slot * PAGE) != 0)
			atomic_fetch_add(&errors, 1);
		put_back(slot, SLOT_FREE, false);
	} else if (what < 10) {
		if (!take(slot, SLOT_USED))
			return;
		write_slot(slot);
		put_back(slot, SLOT_USED, false);
	} else {
		if (!take(slot, SLOT_USED))
			return;
		read_slot(slot);
		put_back(slot, SLOT_FREE, true);
	}
	atomic_fetch_add_explicit(&events, 1, memory_order_relaxed);
}

static void *be_a_kernel(void *arg)
{
	struct rng rng = { .state = (uintptr_t)arg };

	while (atomic_load_explicit(&events, memory_order_relaxed) < wanted &&
	       atomic_load_explicit(&errors, memory_order_relaxed) == 0)
		one_event(&rng);
	return NULL;
}

static void *forget(void *arg)
{
	for (unsigned int i = 0; !atomic_load(&done); i++) {
		atomic_fetch_add(&forgotten, store_forget_freed(store));
		/* Objects move meanwhile, too. */
		if (i % 16 == 0)
			(void)store_work(store);
	}
	return NULL;
}

static void test_no_page_in_use_is_forgotten_and_no_other_kept(void **state)
{
	const char *asked = getenv("FREED_TEST_EVENTS");
	pthread_t kernels[KERNELS], sweeper;
	unsigned int used = 0;

	wanted = asked ? strtoul(asked, NULL, 10) : EVENTS * test_scale() / 100;
	for (unsigned int i = 0; i < LOCKS; i++)
		pthread_mutex_init(&locks[i], NULL);
	store = store_of((uint64_t)SLOTS * PAGE, STORE_NO_LIMIT);
	assert_int_equal(store_heed_freed(store, bits), 0);
	for (uintptr_t i = 0; i < KERNELS; i++)
		assert_int_equal(pthread_create(&kernels[i], NULL, be_a_kernel, (void *)(i + 1)),
				 0);
	assert_int_equal(pthread_create(&sweeper, NULL, forget, NULL), 0);
	for (unsigned int i = 0; i < KERNELS; i++)
		pthread_join(kernels[i], NULL);
	atomic_store(&done, true);
	pthread_join(sweeper, NULL);

	assert_int_equal(errors, 0);
	assert_true(events >= wanted);
	/* It did run, and beside them. */
	assert_true(forgotten > wanted / 100);
	while (store_forget_freed(store) > 0)
		;
	for (unsigned int i = 0; i < SLOTS; i++) {
		used += slots[i].state == SLOT_USED;
		if (slots[i].state == SLOT_USED)
			read_slot(i);
		else
			must_read_zeroes(store, PAGE, (uint64_t)i * PAGE);
	}
	assert_int_equal(errors, 0);
	assert_int_equal(stats_of(store).pages_stored + stats_of(store).same_pages, used);
	assert_int_equal(stats_of(store).stale_pages, 0);
	print_message("%lu events, %lu pages forgotten\n", events, forgotten);
	store_done(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_page_in_use_is_forgotten_and_no_other_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
