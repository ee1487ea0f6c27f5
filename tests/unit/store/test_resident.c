/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a request needs of a locked store is resident before the request comes, whatever the
 * size of the disk, and what is resident is counted: spans[] of its pools, the directory of its
 * table, the workspace of recompression.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "store_helper.h"
#include "store/state.h"
#include "urgent.h"
#include "zones.h"
#include "xv_internal.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true /* its own memory is faulted in at any time */
#else
#define SANITIZED false
#endif

/* More than what a pool keeps of its spans fits into some pages for. */
#define LARGE_DISK (2304 * MIB)

#define SPANS_PER_PAGE (PAGE / sizeof(struct xv_span))

static _Atomic unsigned int urgent_calls;

/* Takes the place of the C library's, to see of which class a thread makes itself. */
int sched_setscheduler(pid_t pid, int policy, const struct sched_param *param)
{
	urgent_calls += policy == SCHED_RR;
	return (int)syscall(SYS_sched_setscheduler, pid, policy, param);
}

static bool nothing_is_free;

/* So does this, to say how much is free. */
int sysinfo(struct sysinfo *info)
{
	int err = (int)syscall(SYS_sysinfo, info);

	if (nothing_is_free)
		info->freeram = 0;
	return err;
}

static void skip_unless_lockable(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err;

	assert_ptr_not_equal(memory, MAP_FAILED);
	err = mlock2(memory, bytes, MLOCK_ONFAULT);
	munmap(memory, bytes);
	if (!err)
		return;
	print_message("may not lock %zu MiB of memory (ulimit -l): not tested\n", bytes >> 20);
	skip();
}

/* Bytes of the pages that the range lies in and that have memory behind them. */
static size_t resident_bytes(const volatile void *address, size_t bytes)
{
	static unsigned char vector[1 << 16];
	uintptr_t start = (uintptr_t)address & ~(uintptr_t)(PAGE - 1);
	size_t pages = ((uintptr_t)address + bytes - start + PAGE - 1) / PAGE, count = 0;

	assert_true(pages <= sizeof(vector));
	assert_int_equal(mincore((void *)start, pages * PAGE, vector), 0);
	for (size_t i = 0; i < pages; i++)
		count += vector[i] & 1;
	return count * PAGE;
}

static uint64_t faults_of_thread(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_THREAD, &usage), 0);
	return (uint64_t)(usage.ru_minflt + usage.ru_majflt);
}

static void a_write_takes_no_page_fault_however_far_the_pool_has_grown(void **state)
{
	const struct store_config config = {
		.size = LARGE_DISK, .memlimit = STORE_NO_LIMIT, .reserve = 2 * MIB, .locked = true
	};
	const uint64_t warm = 300, pages = 3 * SPANS_PER_PAGE * (XV_SPAN_SIZE / PAGE - 1);
	unsigned char page[PAGE];
	struct store *store;
	struct rng rng = { 60 };

	if (SANITIZED) {
		print_message("a sanitizer's own memory takes page faults\n");
		skip();
	}
	skip_unless_lockable(256 * MIB);
	/* What is not the store's shall take none either. */
	assert_int_equal(mlockall(MCL_CURRENT), 0);
	assert_int_equal(store_create(&store, &config), 0);
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t before;

		/* As the background does. */
		while (store_refill(store))
			;
		data_fill(&rng, DATA_RANDOM, page, PAGE);
		before = faults_of_thread();
		assert_int_equal(store_write(store, page, PAGE, i * PAGE), 0);
		if (i > warm && faults_of_thread() != before)
			fail_msg("page fault in the write of page %llu, with %llu spans",
				 (unsigned long long)i, (unsigned long long)stats_of(store).spans);
	}
	store_done(store);
	munlockall();
}

/* Who looks for memory in vain keeps who serves from the processor, of a real-time class. */
static void the_reserve_is_not_filled_while_the_kernel_gives_nothing(void **state)
{
	const struct store_config config = {
		.size = 64 * MIB, .memlimit = STORE_NO_LIMIT, .reserve = MIB, .locked = true
	};
	struct store *store;

	skip_unless_lockable(8 * MIB);
	if (urgent_floor() == 0) {
		print_message("/proc/sys/vm/min_free_kbytes cannot be read: not tested\n");
		skip();
	}
	assert_int_equal(store_create(&store, &config), 0);
	nothing_is_free = true;
	zones_look_at("/nonexistent");
	urgent_calls = 0;
	assert_false(store_refill(store));
	assert_int_equal(urgent_calls, 0);
	assert_int_equal(stats_of(store).reserve_ready, 0);
	/* But asked for soon again: a request that finds no reserve has to grow by itself. */
	assert_in_range(store_work(store), 1, 10);
	nothing_is_free = false;
	zones_look_at("/proc");
	while (store_refill(store))
		;
	assert_true(stats_of(store).reserve_ready > MIB / 2);
	store_done(store);
}

static size_t pool_bytes(const struct pools *pools)
{
	size_t bytes = 0;

	for (uint32_t i = 0; i < pools->count; i++)
		bytes += resident_bytes(pools_get(pools, i), pools_get(pools, i)->map_bytes);
	return bytes;
}

static void a_pool_that_outruns_the_background_finds_its_spans_resident_too(void **state)
{
	static struct pools pools;
	struct span_budget budget;
	struct xv_stats stats;
	struct xv_pool *pool;

	skip_unless_lockable(256 * MIB);
	span_budget_init(&budget, UINT64_MAX);
	assert_int_equal(pools_init(&pools, LARGE_DISK, &budget, true, false), 0);
	pool = pools_get(&pools, 0);
	while (pool->spans_top < 3 * SPANS_PER_PAGE) {
		/* It is written under the lock, which others want, too. */
		struct xv_span *next = &pool->spans[pool->spans_top];
		bool is_resident = resident_bytes(next, sizeof(*next)) > 0;
		uint32_t top = pool->spans_top, handle;
		unsigned int which;

		assert_int_equal(pools_alloc(&pools, 0, XV_OBJECT_MAX, &which, &handle), 0);
		if (pool->spans_top > top && !is_resident)
			fail_msg("what is kept of span %u was not resident", top);
	}
	pools_get_stats(&pools, &stats);
	assert_int_equal(pool_bytes(&pools), stats.metadata);
	pools_fini(&pools);
}

static void *take_one(void *pools)
{
	unsigned int which;
	uint32_t handle;

	assert_int_equal(pools_alloc(pools, 0, 100, &which, &handle), 0);
	return NULL;
}

/* As requests make one: memory is charged that would make it worth it, and the first is busy. */
static void add_a_pool(struct pools *pools)
{
	uint32_t count = pools->count;
	pthread_t thread;

	assert_int_equal(span_budget_charge(pools->budget, 128 * MIB), 0);
	for (uint32_t i = 0; i < count; i++)
		xv_lock(pools_get(pools, i));
	assert_int_equal(pthread_create(&thread, NULL, take_one, pools), 0);
	while (pools->count == count)
		usleep(1000);
	for (uint32_t i = 0; i < count; i++)
		xv_unlock(pools_get(pools, i));
	pthread_join(thread, NULL);
	span_budget_uncharge(pools->budget, 128 * MIB);
}

static void a_further_pool_is_small_and_counted_though_all_that_is_mapped_is_populated(void **state)
{
	static const uint64_t sizes[] = { GIB, LARGE_DISK, 64 * GIB };

	skip_unless_lockable(256 * MIB);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		static struct pools pools;
		struct span_budget budget;
		struct xv_stats stats;

		span_budget_init(&budget, UINT64_MAX);
		assert_int_equal(pools_init(&pools, sizes[i], &budget, true, false), 0);
		assert_int_equal(mlockall(MCL_FUTURE), 0);
		add_a_pool(&pools);
		munlockall();
		assert_int_equal(pools.count, 2);
		pools_get_stats(&pools, &stats);
		assert_int_equal(pool_bytes(&pools), stats.metadata);
		assert_int_equal(pools.charged, stats.metadata);
		assert_true(stats.metadata <= 2 * 32768);
		pools_fini(&pools);
	}
}

static void at_the_limit_no_request_makes_a_pool(void **state)
{
	static struct pools pools;
	struct span_budget budget;
	struct xv_pool *pool;
	unsigned int urgent_before;
	pthread_t thread;
	uint32_t handle;

	skip_unless_lockable(16 * MIB);
	span_budget_init(&budget, 128 * MIB);
	assert_int_equal(pools_init(&pools, LARGE_DISK, &budget, true, false), 0);
	pool = pools_get(&pools, 0);
	/* A span with room, then nothing. */
	assert_int_equal(xv_alloc(pool, 100, 0, &handle), 0);
	assert_int_equal(span_budget_charge(&budget, 128 * MIB - budget.used), 0);
	urgent_before = urgent_calls;
	xv_lock(pool);
	assert_int_equal(pthread_create(&thread, NULL, take_one, &pools), 0);
	while (!atomic_load(&pool->lock_waits))
		usleep(1000);
	assert_int_equal(urgent_calls, urgent_before);
	xv_unlock(pool);
	pthread_join(thread, NULL);
	assert_int_equal(pools.count, 1);
	pools_fini(&pools);
}

static void a_directory_that_is_resident_is_counted(void **state)
{
	static const uint64_t sizes[] = { GIB, 10 * GIB, 64 * GIB, TIB };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct span_budget budget;
		struct table table;
		size_t bytes;

		span_budget_init(&budget, UINT64_MAX);
		assert_int_equal(table_init(&table, sizes[i] / PAGE, &budget, true), 0);
		bytes = resident_bytes(table.directory.entries,
				       table.directory_entries * sizeof(uint64_t)) +
			resident_bytes(table.directory.tallies, PAGE);
		assert_int_equal(budget.used, bytes);
		assert_true(bytes <= MIB / 2 + PAGE);
		table_fini(&table);
	}
}

static void a_new_page_of_a_large_directory_is_taken_urgently(void **state)
{
	const uint64_t entries = TIB / PAGE / TABLE_PAGE_ENTRIES,
		       per_page = PAGE / sizeof(uint64_t);
	struct span_budget budget;
	struct table_ref ref;
	struct table table;

	skip_unless_lockable(16 * MIB);
	span_budget_init(&budget, UINT64_MAX);
	assert_int_equal(table_init(&table, TIB / PAGE, &budget, true), 0);
	span_reserve(table.source, 16);
	for (uint64_t index = per_page + 5; index < entries; index += entries / 7) {
		/* So that none of the table is taken urgently as well. */
		assert_int_equal(span_refill(table.source, 16), 0);
		assert_int_equal(resident_bytes(&table.directory.entries[index], 1), 0);
		urgent_calls = 0;
		assert_int_equal(table_pin(&table, index, true, &ref), 0);
		assert_int_equal(urgent_calls, 1);
		ref.live_delta = 1;
		table_unpin(&table, &ref);
		assert_int_equal(table_pin(&table, index + 1, true, &ref), 0);
		assert_int_equal(urgent_calls, 1);
		table_unpin(&table, &ref);
	}
	table_fini(&table);
}

/* To map the kernel's page of zeros is a page fault within a request, too, and takes page tables. */
static void to_look_for_what_was_never_written_touches_no_memory(void **state)
{
	const uint64_t entries = TIB / PAGE / TABLE_PAGE_ENTRIES;
	struct span_budget budget;
	struct table_ref ref;
	struct table table;

	span_budget_init(&budget, UINT64_MAX);
	assert_int_equal(table_init(&table, TIB / PAGE, &budget, false), 0);
	for (uint64_t index = 0; index < entries; index += 100) {
		assert_int_equal(table_pin(&table, index, false, &ref), 0);
		assert_null(ref.entries);
		table_unpin(&table, &ref);
	}
	assert_int_equal(resident_bytes(table.directory.entries, entries * sizeof(uint64_t)), 0);
	table_fini(&table);
}

static void recompression_has_its_workspace_from_the_start(void **state)
{
	struct store_config config = { .size = 64 * MIB,
				       .memlimit = STORE_NO_LIMIT,
				       .recompress_seconds = 3600,
				       .locked = true };
	struct store *store;
	uint64_t used, bytes;

	skip_unless_lockable(16 * MIB);
	assert_int_equal(store_create(&store, &config), 0);
	assert_non_null(store->recompress.workspace);
	assert_true(resident_bytes(store->recompress.workspace, store->recompress.workspace_size) >=
		    store->recompress.workspace_size);
	used = stats_of(store).mem_used_total;
	assert_int_equal(store_recompress(store, &bytes, NULL), 0);
	assert_int_equal(stats_of(store).mem_used_total, used);
	store_done(store);

	/* Who did not ask for it has none. */
	config.recompress_seconds = 0;
	assert_int_equal(store_create(&store, &config), 0);
	assert_null(store->recompress.workspace);
	assert_true(stats_of(store).mem_used_total < used);
	store_done(store);
}

static void recompression_that_nobody_asked_for_gets_its_workspace_urgently(void **state)
{
	struct store_config config = { .size = 64 * MIB,
				       .memlimit = MIB,
				       .encoders = 1,
				       .codec = codec_find("liblzo2"),
				       .locked = true };
	unsigned char page[PAGE];
	struct rng rng = { 61 };
	struct store *store;
	uint64_t bytes;

	if (!config.codec) {
		print_message("built without liblzo2, whose workspace this is about\n");
		skip();
	}
	skip_unless_lockable(16 * MIB);
	assert_int_equal(store_create(&store, &config), 0);
	assert_null(store->recompress.workspace);
	data_fill(&rng, DATA_TEXT, page, PAGE);
	must_write(store, page, PAGE, 0);
	urgent_calls = 0;
	assert_int_equal(store_recompress(store, &bytes, NULL), 0);
	assert_int_equal(urgent_calls, 1);
	must_read(store, page, PAGE, 0);
	assert_true(stats_of(store).mem_used_max <= MIB);
	store_done(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reserve_is_not_filled_while_the_kernel_gives_nothing),
		cmocka_unit_test(a_write_takes_no_page_fault_however_far_the_pool_has_grown),
		cmocka_unit_test(a_pool_that_outruns_the_background_finds_its_spans_resident_too),
		cmocka_unit_test(
			a_further_pool_is_small_and_counted_though_all_that_is_mapped_is_populated),
		cmocka_unit_test(at_the_limit_no_request_makes_a_pool),
		cmocka_unit_test(a_directory_that_is_resident_is_counted),
		cmocka_unit_test(a_new_page_of_a_large_directory_is_taken_urgently),
		cmocka_unit_test(to_look_for_what_was_never_written_touches_no_memory),
		cmocka_unit_test(recompression_has_its_workspace_from_the_start),
		cmocka_unit_test(recompression_that_nobody_asked_for_gets_its_workspace_urgently),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
