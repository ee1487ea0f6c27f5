/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page store where its backing store fails, hangs or has no allowance left, where the
 * machine has no memory, and where many threads use it at once.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "store_backing_helper.h"
#include "store/page.h"

/* Has the store see a machine with so little memory available. */
static void pretend_available(unsigned int percent)
{
	char path[] = "ramzswap-meminfo-XXXXXX";
	int file = mkstemp(path);

	assert_true(file >= 0);
	unlink(path);
	assert_true(dprintf(file, "MemTotal: 1000 kB\nMemAvailable: %u kB\n", percent * 10) > 0);
	close(store->writeback.meminfo);
	store->writeback.meminfo = file;
}

static void test_a_machine_without_memory_is_asked_for_none(void **state)
{
	const struct setup setup = { .disk = 16 * MIB, .memlimit = 12 * MIB, .backing = 32 * MIB };
	uint64_t before;

	begin_test(&setup);
	pretend_available(50);
	for (uint64_t i = 0; i < 200; i++)
		put(i, 1);
	assert_int_equal(stats_of(store).bd_count, 0);
	before = stats_of(store).spans;
	pretend_available(1);
	for (uint64_t i = 200; i < 2000; i++)
		put(i, 1);
	assert_true(stats_of(store).spans <= before + 1);
	assert_true(stats_of(store).bd_count > 1500);
	/* Nothing can leave: asked all the same, rather than a write fails. */
	fake->write_error = EIO;
	fake->write_fails = -1;
	for (uint64_t i = 2000; i < 2200; i++)
		put(i, 1);
	assert_true(stats_of(store).spans > before + 1);
	fake->write_error = 0;
	for (uint64_t i = 0; i < 2200; i++)
		must_have(i, 1);
	assert_int_equal(stats_of(store).failed_writes, 0);
	end_test();
}

/* Of a machine that the store has taken much of: the less there is, the more must leave. */
static void test_pages_leave_while_the_machine_is_short(void **state)
{
	const struct setup setup = { .disk = 16 * MIB, .backing = 32 * MIB };
	uint64_t out;

	begin_test(&setup);
	for (uint64_t i = 0; i < 1500; i++)
		put(i, 1);
	/* What does not compress leaves anyway. */
	pretend_available(50);
	drain();
	out = stats_of(store).bd_count;
	assert_true(out <= 500);
	/* Short, but not so short that it begins; then it does, and goes on until it is not short. */
	pretend_available(5);
	drain();
	assert_int_equal(stats_of(store).bd_count, out);
	pretend_available(1);
	(void)store_writeback_work(store);
	assert_true(stats_of(store).bd_count > out);
	out = stats_of(store).bd_count;
	pretend_available(5);
	(void)store_writeback_work(store);
	assert_true(stats_of(store).bd_count > out);
	out = stats_of(store).bd_count;
	pretend_available(50);
	drain();
	assert_int_equal(stats_of(store).bd_count, out);
	for (uint64_t i = 0; i < 1500; i++)
		must_have(i, 1);
	end_test();
}

/* Writes all that there is, as if the time to wait had passed. */
static int write_at_once(void)
{
	uint64_t bytes = 77;
	int err;

	store->writeback.retry_ms = 0;
	err = store_writeback(store, WRITEBACK_ALL, 0, &bytes, NULL);
	if (err)
		assert_int_equal(bytes, 77);
	return err;
}

static void test_a_medium_that_fails_is_tried_less_and_less_often(void **state)
{
	const struct setup setup = { .disk = 16 * MIB, .backing = 32 * MIB };
	uint64_t wait = 250;

	begin_test(&setup);
	for (uint64_t i = 0; i < 300; i++)
		put(i, 1);
	fake->write_error = EIO;
	fake->write_fails = -1;
	for (unsigned int i = 0; i < 10; i++) {
		assert_int_equal(write_at_once(), -EIO);
		assert_int_equal(store->writeback.backoff_ms, wait);
		wait = wait * 2 < 30000 ? wait * 2 : 30000;
	}
	assert_int_equal(wait, 30000);
	assert_int_equal(stats_of(store).bd_count, 0);
	/* One that is full is tried more often: a page may go at any time. */
	fake->write_error = ENOSPC;
	assert_int_equal(write_at_once(), -ENOSPC);
	assert_int_equal(store->writeback.backoff_ms, 1000);
	fake->write_error = 0;
	assert_int_equal(write_at_once(), 0);
	assert_int_equal(store->writeback.backoff_ms, 0);
	assert_int_equal(stats_of(store).bd_count, 300);
	for (uint64_t i = 0; i < 300; i++)
		must_have(i, 1);
	end_test();
}

static void test_an_allowance_can_be_changed_where_there_is_something_to_allow(void **state)
{
	const struct setup setup = { .disk = 16 * MIB, .backing = 32 * MIB, .day = 1 };
	struct store *alone = store_of(MIB, STORE_NO_LIMIT);
	uint64_t bytes;

	assert_int_equal(store_set_allowance(alone, true, 1), -ENODEV);
	assert_int_equal(store_writeback(alone, WRITEBACK_ALL, 0, &bytes, NULL), -ENODEV);
	store_done(alone);
	begin_test(&setup);
	for (uint64_t i = 0; i < 300; i++)
		put(i, 1);
	assert_int_equal(store_writeback(store, WRITEBACK_ALL, 0, &bytes, NULL), -EDQUOT);
	assert_int_equal(store_set_allowance(store, true, 0), 0);
	assert_int_equal(store_set_allowance(store, false, 64 * MIB), 0);
	write_all_back();
	assert_int_equal(stats_of(store).bd_count, 300);
	end_test();
}

/* Whether the page is there, has an error, or is of one word: all bits may be a word's. */
static void may_be_missed(uint64_t number, uint64_t entry)
{
	unsigned char page[PAGE], expected[PAGE];
	int err = store_read(store, page, PAGE, number * PAGE);

	make_page(expected, number, 1);
	if (!err && entry_kind(entry) != KIND_SAME)
		assert_memory_equal(page, expected, PAGE);
	else if (err)
		assert_int_equal(err, -EIO);
}

static void test_no_bit_of_an_entry_of_a_page_behind_the_pool_ends_anything(void **state)
{
	const struct setup setup = { .disk = MIB, .backing = 2 * MIB, .checksum = true };

	for (unsigned int bit = ENTRY_KIND_SHIFT; bit < 64; bit++) {
		const uint64_t victim = 100 + bit % 2;
		uint64_t damaged;
		struct table_ref ref;

		begin_test(&setup);
		for (uint64_t i = 0; i < MIB / PAGE; i++)
			put(i, 1);
		write_all_back();
		assert_int_equal(table_pin(&store->table, 0, false, &ref), 0);
		assert_int_equal(entry_kind(ref.entries[victim]), KIND_BACKED);
		damaged = ref.entries[victim] ^ UINT64_C(1) << bit;
		ref.entries[victim] = damaged;
		table_unpin(&store->table, &ref);
		may_be_missed(victim, damaged);
		for (uint64_t i = 0; i < MIB / PAGE; i++)
			if (i != victim)
				must_have(i, 1);
		(void)store_check(store, NULL, NULL, 0);
		if (bit % 2)
			must_zero(store, PAGE, victim * PAGE);
		put(victim, 2);
		must_have(victim, 2);
		store_destroy(store);
		backing_destroy(backing);
		fake_medium_free(fake);
	}
}

static void test_a_failing_write_keeps_pages_in_memory(void **state)
{
	const struct setup setup = { .disk = 32 * MIB, .memlimit = 3 * MIB, .backing = 48 * MIB };
	unsigned char page[PAGE];
	struct ramzswap_stats stats;
	char line[256];
	uint64_t written = 0;
	int err = 0;

	begin_test(&setup);
	assert_false(store_backing_news(store, line, sizeof(line)));
	fake->write_error = EIO;
	fake->write_fails = -1;
	for (; !err; written++) {
		make_page(page, written, 1);
		err = store_write(store, page, PAGE, written * PAGE);
	}
	written--;
	assert_int_equal(err, -ENOSPC);
	for (uint64_t i = 0; i < written; i++)
		must_have(i, 1);
	stats = stats_of(store);
	assert_int_equal(stats.bd_count, 0);
	assert_true(stats.bd_failed_writes > 0);
	assert_true(store_backing_news(store, line, sizeof(line)));
	assert_non_null(strstr(line, "takes no writes"));
	assert_false(store_backing_news(store, line, sizeof(line)));
	must_be_sound(store);
	/* It is tried again, less and less often: the slower all this was, the later. */
	fake->write_error = 0;
	for (int i = 0; i < 6000 && stats_of(store).bd_count == 0; i++) {
		(void)store_writeback_work(store);
		usleep(10000);
	}
	assert_true(stats_of(store).bd_count > 0);
	assert_true(store_backing_news(store, line, sizeof(line)));
	assert_non_null(strstr(line, "again"));
	for (uint64_t i = written; i < setup.disk / PAGE; i++)
		put(i, 1);
	for (uint64_t i = 0; i < setup.disk / PAGE; i++)
		must_have(i, 1);
	end_test();
}

static void test_a_failing_read_is_an_error_of_that_page_alone(void **state)
{
	const struct setup setup = { .disk = 16 * MIB, .backing = 32 * MIB };
	unsigned char page[PAGE];
	struct ramzswap_stats stats;
	char line[256];

	begin_test(&setup);
	for (uint64_t i = 0; i < 100; i++)
		put(i, 1);
	(void)write_all_back();
	for (uint64_t i = 100; i < 200; i++)
		put(i, 1);
	fake->read_error = EIO;
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(store_read(store, page, PAGE, i * PAGE), -EIO);
	for (uint64_t i = 100; i < 200; i++)
		must_have(i, 1);
	/* A part of such a page cannot be written; the whole can. */
	assert_int_equal(store_write(store, page, 100, 5 * PAGE), -EIO);
	put(6, 2);
	must_have(6, 2);
	stats = stats_of(store);
	assert_int_equal(stats.failed_reads, 100);
	assert_int_equal(stats.bd_failed_reads, 101);
	assert_true(store_backing_news(store, line, sizeof(line)));
	assert_false(store_backing_news(store, line, sizeof(line)));
	fake->read_error = 0;
	for (uint64_t i = 0; i < 200; i++)
		must_have(i, i == 6 ? 2 : 1);
	end_test();
}

#define ENCODERS_MOST 1024u

/* Takes all encoders but one, which the first request has.  How many there were. */
static unsigned int take_encoders(struct request *requests)
{
	unsigned int count = 0;

	do
		request_begin(&requests[count], store);
	while (request_try_encoder(&requests[count++]) && count < ENCODERS_MOST);
	assert_true(count > 1 && count < ENCODERS_MOST);
	return count;
}

static unsigned int encoders_waited_for(void)
{
	unsigned int waiting;

	pthread_mutex_lock(&store->encoders.lock);
	waiting = store->encoders.waiting;
	pthread_mutex_unlock(&store->encoders.lock);
	return waiting;
}

static void *write_part(void *opaque)
{
	const uint64_t *number = opaque;

	return (void *)(intptr_t)store_write(store, "part", 4, *number * PAGE + 8);
}

/* Page 0 as its entry says; a page that is written by a request with an encoder of its own. */
static uint64_t rewrite(struct request *req, uint32_t version)
{
	unsigned char page[PAGE];
	struct table_ref ref;
	uint64_t entry;

	make_page(page, 0, version);
	assert_int_equal(table_pin(&store->table, 0, false, &ref), 0);
	assert_int_equal(page_write(req, &ref, &ref.entries[0], page), 0);
	(void)write_all_back();
	entry = ref.entries[0];
	table_unpin(&store->table, &ref);
	assert_int_equal(entry_kind(entry), KIND_BACKED);
	return entry;
}

/*
 * A page that is written in part is read, then waited for an encoder, then looked at again.
 * Meanwhile it may have been rewritten and have left to the very place that it had.
 */
static void test_a_page_that_came_back_to_its_place_is_not_the_page_that_was_read(void **state)
{
	const struct setup setup = { .disk = MIB, .backing = 9 * SEGMENT };
	static struct request requests[ENCODERS_MOST];
	unsigned char page[PAGE], expected[PAGE];
	uint64_t number = 0, first;
	uint32_t version = 1;
	unsigned int count;
	pthread_t thread;
	void *err;

	begin_test(&setup);
	put(0, version);
	(void)write_all_back();
	count = take_encoders(requests);
	first = rewrite(&requests[0], ++version);
	assert_int_equal(pthread_create(&thread, NULL, write_part, &number), 0);
	while (!encoders_waited_for())
		usleep(1000);
	while (entry_location(rewrite(&requests[0], ++version)) != entry_location(first))
		assert_true(version < 100);
	while (count > 0)
		request_end(&requests[--count]);
	assert_int_equal(pthread_join(thread, &err), 0);
	assert_null(err);
	make_page(expected, 0, version);
	memcpy(expected + 8, "part", 4);
	assert_int_equal(store_read(store, page, PAGE, 0), 0);
	assert_memory_equal(page, expected, PAGE);
	end_test();
}

/* So far apart that no two threads wait for the same window. */
static void *read_backed(void *opaque)
{
	uint64_t first = (uintptr_t)opaque * 16;
	unsigned char page[PAGE];

	for (uint64_t i = first; i < first + 8; i++)
		assert_int_equal(store_read(store, page, PAGE, i * PAGE), 0);
	return NULL;
}

static void *write_part_of_backed(void *opaque)
{
	uint64_t first = (uintptr_t)opaque * 16;

	for (uint64_t i = first; i < first + 8; i++)
		assert_int_equal(store_write(store, "part", 4, (64 + i) * PAGE + 8), 0);
	return NULL;
}

static void *keep_writing_back(void *opaque)
{
	uint64_t bytes;

	(void)store_writeback(store, WRITEBACK_HUGE, 0, &bytes, NULL);
	return NULL;
}

static void test_pages_in_memory_do_not_wait_for_a_store_that_hangs(void **state)
{
	const struct setup setup = { .disk = 16 * MIB, .backing = 32 * MIB };
	pthread_t threads[9];

	begin_test(&setup);
	for (uint64_t i = 0; i < 128; i++)
		put(i, 1);
	(void)write_all_back();
	for (uint64_t i = 200; i < 400; i++)
		put(i, 1);
	fake->hold = true;
	for (uintptr_t i = 0; i < 4; i++) {
		pthread_create(&threads[i], NULL, read_backed, (void *)i);
		pthread_create(&threads[4 + i], NULL, write_part_of_backed, (void *)i);
	}
	pthread_create(&threads[8], NULL, keep_writing_back, NULL);
	while (fake->held < 9)
		usleep(1000);
	/* Whatever waits here waits for ever: the alarm ends it. */
	alarm(60);
	for (uint32_t version = 2; version < 6; version++) {
		for (uint64_t i = 200; i < 400; i++)
			put(i, version);
		must_zero(store, PAGE, 300 * PAGE);
		for (uint64_t i = 200; i < 400; i++)
			if (i != 300)
				must_have(i, version);
		must_write(store, "part", 4, 301 * PAGE + 8);
	}
	assert_int_equal(fake->held, 9);
	alarm(0);
	fake->hold = false;
	for (int i = 0; i < 9; i++)
		pthread_join(threads[i], NULL);
	end_test();
}

static void test_the_allowance_of_a_day_is_kept_but_for_a_write_without_room(void **state)
{
	const struct setup setup = {
		.disk = 32 * MIB,
		.memlimit = 4 * MIB,
		.backing = 48 * MIB,
		.day = 512 << 10,
	};
	struct ramzswap_stats stats;
	uint64_t bytes;

	begin_test(&setup);
	for (uint64_t i = 0; i < 400; i++)
		put(i * 3, 1);
	assert_int_equal(store_writeback(store, WRITEBACK_ALL, 0, &bytes, NULL), -EDQUOT);
	stats = stats_of(store);
	assert_uint_in_range(stats.bd_written_bytes, 512 << 10, (512 << 10) + SEGMENT);
	assert_int_equal(stats.bd_budget_left, 0);
	for (int i = 0; i < 100; i++)
		(void)store_writeback_work(store);
	assert_int_equal(stats_of(store).bd_written_bytes, stats.bd_written_bytes);
	for (uint64_t i = 0; i < setup.disk / PAGE / 3; i++)
		put(i * 3, 2);
	stats = stats_of(store);
	assert_int_equal(stats.failed_writes, 0);
	assert_true(stats.bd_over_budget > MIB);
	end_test();
}

static void test_the_allowance_of_a_second_paces_the_background(void **state)
{
	const struct setup setup = {
		.disk = 32 * MIB,
		.memlimit = 5 * MIB,
		.backing = 48 * MIB,
		.rate = 256 << 10,
	};
	struct ramzswap_stats stats;
	double begin = seconds_now(), now;

	begin_test(&setup);
	for (uint64_t i = 0; stats_of(store).mem_used_total < 31 * setup.memlimit / 32; i++)
		put(i * 3, 1);
	/* As long as it takes to use up what is saved up at first, and longer. */
	do {
		(void)store_writeback_work(store);
		usleep(1000);
		stats = stats_of(store);
		now = seconds_now();
	} while (now < begin + 1.5 || (stats.bd_written_bytes < setup.rate && now < begin + 120));
	assert_true(stats.bd_written_bytes >= setup.rate);
	/* What is saved up, what came since, and the segment that overdraws. */
	assert_true((double)stats.bd_written_bytes <=
		    (double)setup.rate * (1 + now - begin) + SEGMENT);
	end_test();
}

/*
 * Threads on pages of their own, a thread that writes back, one that works in the
 * background, in a pool that is too small.
 */
#define THREADS 4
#define THREAD_PAGES 1024

static atomic_bool done;

static void *background(void *opaque)
{
	while (!done) {
		unsigned int ms = opaque ? store_writeback_work(store) : store_work(store);

		if (ms)
			usleep(1000);
	}
	return NULL;
}

static void *use_own_pages(void *opaque)
{
	uint64_t base = (uintptr_t)opaque * THREAD_PAGES;
	uint32_t versions[THREAD_PAGES] = { 0 };
	struct rng own = { .state = base + 1 };
	unsigned char page[PAGE], wanted[PAGE], pages[8 * PAGE];

	for (unsigned int i = 0; i < 20000 * test_scale() / 100; i++) {
		uint64_t k = rng_below(&own, THREAD_PAGES);

		if (rng_below(&own, 2) == 0) {
			make_page(page, base + k, ++versions[k]);
			assert_int_equal(store_write(store, page, PAGE, (base + k) * PAGE), 0);
		} else if (versions[k]) {
			uint64_t count = rng_below(&own, 2) && k + 8 <= THREAD_PAGES ? 8 : 1;

			assert_int_equal(store_read(store, pages, (uint32_t)(count * PAGE),
						    (base + k) * PAGE),
					 0);
			for (uint64_t j = 0; j < count; j++) {
				make_page(wanted, base + k + j, versions[k + j]);
				if (versions[k + j])
					assert_memory_equal(pages + j * PAGE, wanted, PAGE);
			}
		}
	}
	return NULL;
}

static void test_threads_lose_nothing(void **state)
{
	const struct setup setup = {
		.disk = THREADS * THREAD_PAGES * PAGE,
		.memlimit = 4 * MIB,
		.backing = 14 * MIB,
		.recompress_seconds = 1,
	};
	pthread_t users[THREADS], workers[2];

	begin_test(&setup);
	done = false;
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&workers[i], NULL, background, (void *)i);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&users[i], NULL, use_own_pages, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(users[i], NULL);
	done = true;
	for (int i = 0; i < 2; i++)
		pthread_join(workers[i], NULL);
	assert_int_equal(stats_of(store).failed_writes, 0);
	assert_true(stats_of(store).bd_writes > 0);
	end_test();
}

/*
 * A write that finds no room and is overtaken by another, which moves out all there is: there
 * is nothing more to move then, but room.
 */
static void test_room_that_another_write_made_counts(void **state)
{
	const struct setup setup = { .disk = 8 * MIB, .memlimit = 4 * MIB, .backing = 16 * MIB };
	struct request overtaken;
	uint64_t bytes;

	begin_test(&setup);
	request_begin(&overtaken, store);
	for (uint64_t i = 0; i < 4; i++)
		put(3 * i, 1);
	assert_int_equal(store_writeback(store, WRITEBACK_ALL, 0, &bytes, NULL), 0);
	assert_true(bytes > 0);
	assert_true(request_make_room(&overtaken));
	/* But once: else a write without room anywhere would never end. */
	assert_false(request_make_room(&overtaken));
	request_end(&overtaken);
	end_test();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_machine_without_memory_is_asked_for_none),
		cmocka_unit_test(test_pages_leave_while_the_machine_is_short),
		cmocka_unit_test(test_a_medium_that_fails_is_tried_less_and_less_often),
		cmocka_unit_test(
			test_an_allowance_can_be_changed_where_there_is_something_to_allow),
		cmocka_unit_test(test_no_bit_of_an_entry_of_a_page_behind_the_pool_ends_anything),
		cmocka_unit_test(test_a_failing_write_keeps_pages_in_memory),
		cmocka_unit_test(test_a_failing_read_is_an_error_of_that_page_alone),
		cmocka_unit_test(
			test_a_page_that_came_back_to_its_place_is_not_the_page_that_was_read),
		cmocka_unit_test(test_pages_in_memory_do_not_wait_for_a_store_that_hangs),
		cmocka_unit_test(test_the_allowance_of_a_day_is_kept_but_for_a_write_without_room),
		cmocka_unit_test(test_the_allowance_of_a_second_paces_the_background),
		cmocka_unit_test(test_threads_lose_nothing),
		cmocka_unit_test(test_room_that_another_write_made_counts),
	};

	return cmocka_run_group_tests_name("store backing in trouble", tests, NULL, NULL);
}
