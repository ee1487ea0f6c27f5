/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every allocation of the page store is made to fail in turn, once alone and once
 * with all that follow it: nothing may be lost, torn or leaked.
 *
 * The linker replaces the calls below by those here (--wrap), so that the store
 * and its pools run unchanged.
 */
#include <sys/mman.h>

#include "store_helper.h"

static struct {
	bool armed;
	bool lasting;	    /* all later allocations fail too */
	unsigned long left; /* allocations that still succeed */
	unsigned long refused;
	bool old_kernel; /* before Linux 5.18 */
} fault;

static bool refuse(void)
{
	if (!fault.armed)
		return false;
	if (fault.left > 0) {
		fault.left--;
		return false;
	}
	if (!fault.lasting && fault.refused > 0)
		return false;
	fault.refused++;
	errno = ENOMEM;
	return true;
}

#define WRAP(result, name, failure, params, args)               \
	result __real_##name params;                            \
	result __wrap_##name params;                            \
	result __wrap_##name params                             \
	{                                                       \
		return refuse() ? failure : __real_##name args; \
	}

WRAP(void *, malloc, NULL, (size_t size), (size))
WRAP(void *, calloc, NULL, (size_t count, size_t size), (count, size))
WRAP(void *, realloc, NULL, (void *old, size_t size), (old, size))
WRAP(void *, aligned_alloc, NULL, (size_t align, size_t size), (align, size))
WRAP(int, posix_memalign, ENOMEM, (void **out, size_t align, size_t size), (out, align, size))
/* Its name where file offsets are made 64 bits wide, as the build does. */
WRAP(void *, mmap64, MAP_FAILED,
     (void *addr, size_t len, int prot, int flags, int fd, off_t offset),
     (addr, len, prot, flags, fd, offset))

/* Only what makes memory usable can be refused for want of it. */
int __real_mprotect(void *addr, size_t len, int prot);
int __wrap_mprotect(void *addr, size_t len, int prot);
int __wrap_mprotect(void *addr, size_t len, int prot)
{
	return prot != PROT_NONE && refuse() ? -1 : __real_mprotect(addr, len, prot);
}

int __real_madvise(void *addr, size_t len, int advice);
int __wrap_madvise(void *addr, size_t len, int advice);
int __wrap_madvise(void *addr, size_t len, int advice)
{
	/* To give memory back needs none: only some kernels know the advice. */
	if (advice == MADV_POPULATE_WRITE && refuse())
		return -1;
	if (advice == MADV_DONTNEED_LOCKED && fault.old_kernel) {
		errno = EINVAL;
		return -1;
	}
	return __real_madvise(addr, len, advice);
}

int __real_mlock2(const void *addr, size_t len, int flags);
int __wrap_mlock2(const void *addr, size_t len, int flags);
int __wrap_mlock2(const void *addr, size_t len, int flags)
{
	return refuse() ? -1 : __real_mlock2(addr, len, flags);
}

int __real_mlock(const void *addr, size_t len);
int __wrap_mlock(const void *addr, size_t len);
int __wrap_mlock(const void *addr, size_t len)
{
	return refuse() ? -1 : __real_mlock(addr, len);
}

static void arm(unsigned long after, bool lasting)
{
	fault.refused = 0;
	fault.left = after;
	fault.lasting = lasting;
	fault.armed = true;
}

#define DISK (600 * PAGE + 100)

/* Of a larger disk no more is used; its directory is not there from the start. */
static const struct store_config configs[] = {
	{ .size = DISK, .memlimit = STORE_NO_LIMIT, .reserve = 256 * 1024 },
	{ .size = DISK, .memlimit = STORE_NO_LIMIT, .reserve = 64 * 1024, .locked = true },
	{ .size = TIB, .memlimit = STORE_NO_LIMIT, .checksum = true },
	{ .size = TIB, .memlimit = STORE_NO_LIMIT, .locked = true },
};

static struct store_config config;

#define CONFIGS (sizeof(configs) / sizeof(configs[0]))

static void create_without_memory(void)
{
	struct store *const untouched = (struct store *)&untouched;
	unsigned long after;

	for (after = 0; after < 10000; after++) {
		struct store *store = untouched;
		int err;

		arm(after, after % 2);
		err = store_create(&store, &config);
		fault.armed = false;
		if (err) {
			assert_int_equal(err, -ENOMEM);
			assert_ptr_equal(store, untouched);
			continue;
		}
		/* It may do without some of it, the reserve for one: then it must work. */
		must_write(store, "works", 5, 12345);
		must_read(store, "works", 5, 12345);
		store_done(store);
		if (fault.refused == 0)
			break;
	}
	assert_uint_in_range(after, 3, 9999);
}

static void creation_fails_cleanly_wherever_memory_runs_out(void **state)
{
	for (size_t i = 0; i < CONFIGS; i++) {
		config = configs[i];
		create_without_memory();
	}
}

struct disk {
	struct store *store;
	unsigned char *shadow, *buf;
	unsigned int failures;
};

static void must_agree(struct disk *disk)
{
	assert_int_equal(store_read(disk->store, disk->buf, DISK, 0), 0);
	assert_int_equal(data_differs(disk->buf, disk->shadow, DISK), DISK);
}

static void accept_failure(struct disk *disk, uint32_t count, uint64_t offset, int err)
{
	disk->failures++;
	accept_prefix(disk->store, disk->shadow, disk->buf, count, offset, err);
}

static void write_some(struct disk *disk, struct rng *rng, uint32_t count, uint64_t offset)
{
	int err;

	data_fill_any(rng, disk->buf, count);
	err = store_write(disk->store, disk->buf, count, offset);
	if (err)
		accept_failure(disk, count, offset, err);
	else
		memcpy(disk->shadow + offset, disk->buf, count);
}

/* What a disk goes through, allocations of every kind among it. */
static void live(struct disk *disk)
{
	struct rng rng = { 70 };

	for (int round = 0; round < 24; round++) {
		uint64_t offset = rng_below(&rng, DISK - 40 * PAGE);
		int err;

		write_some(disk, &rng, 32 * PAGE, offset - offset % PAGE);
		write_some(disk, &rng, 1 + (uint32_t)rng_below(&rng, 9000), offset);
		offset = rng_below(&rng, DISK - 40 * PAGE);
		offset -= offset % PAGE;
		assert_int_equal(store_zero(disk->store, 16 * PAGE, offset), 0);
		memset(disk->shadow + offset, 0, 16 * PAGE);
		err = store_zero(disk->store, 7000, offset + 100);
		memset(disk->buf, 0, 7000);
		if (err)
			accept_failure(disk, 7000, offset + 100, err);
		else
			memset(disk->shadow + offset + 100, 0, 7000);
		(void)store_work(disk->store);
		if (round % 8 == 7)
			(void)store_compact(disk->store, NULL);
		must_agree(disk);
	}
}

static bool lockable(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err = mlock2(memory, bytes, MLOCK_ONFAULT);

	munmap(memory, bytes);
	if (err)
		print_message("may not lock %zu MiB (ulimit -l): a part is not tested\n",
			      bytes >> 20);
	return err == 0;
}

static void fail_in_turn(struct disk *disk, bool lasting)
{
	unsigned long after = 0, refused, points = 0;

	do {
		struct rng rng = { 71 };

		assert_int_equal(store_create(&disk->store, &config), 0);
		memset(disk->shadow, 0, DISK);
		arm(after, lasting);
		live(disk);
		fault.armed = false;
		refused = fault.refused;
		must_be_sound(disk->store);
		must_agree(disk);
		/* Memory is there again: so is the disk. */
		assert_int_equal(store_zero(disk->store, DISK, 0), 0);
		data_fill_any(&rng, disk->shadow, DISK);
		must_write(disk->store, disk->shadow, DISK, 0);
		must_agree(disk);
		store_done(disk->store);
		after++;
		points++;
	} while (refused > 0 && after < 10000);
	assert_int_equal(refused, 0);
	assert_true(after > 3);
	print_message("%llu bytes%s%s, %s: %lu points of failure\n",
		      (unsigned long long)config.size, config.locked ? ", locked" : "",
		      fault.old_kernel ? ", old kernel" : "", lasting ? "for good" : "once",
		      points);
}

static void nothing_is_lost_wherever_an_allocation_fails(void **state)
{
	struct disk disk = { .shadow = malloc(DISK), .buf = malloc(DISK) };

	for (size_t i = 0; i < CONFIGS; i++) {
		config = configs[i];
		if (config.locked && !lockable(64 * MIB))
			continue;
		/* Of those that lock, also as on a kernel that cannot discard what is locked. */
		for (fault.old_kernel = false;; fault.old_kernel = true) {
			fail_in_turn(&disk, false);
			fail_in_turn(&disk, true);
			if (fault.old_kernel || !config.locked)
				break;
		}
		fault.old_kernel = false;
	}
	/* Some of the faults must have been felt, or this tested nothing. */
	assert_true(disk.failures > 0);
	free(disk.shadow);
	free(disk.buf);
}

static void reads_and_whole_page_trims_need_no_memory(void **state)
{
	struct disk disk = { .shadow = malloc(DISK), .buf = malloc(DISK) };
	struct rng rng = { 72 };

	config = configs[0];
	assert_int_equal(store_create(&disk.store, &config), 0);
	data_fill_any(&rng, disk.shadow, DISK);
	must_write(disk.store, disk.shadow, DISK, 0);
	arm(0, true);
	must_agree(&disk);
	for (uint64_t i = 0; i < 600; i += 2) {
		assert_int_equal(store_zero(disk.store, PAGE, i * PAGE), 0);
		memset(disk.shadow + i * PAGE, 0, PAGE);
	}
	must_agree(&disk);
	assert_int_equal(fault.refused, 0);
	fault.armed = false;
	store_done(disk.store);
	free(disk.shadow);
	free(disk.buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creation_fails_cleanly_wherever_memory_runs_out),
		cmocka_unit_test(nothing_is_lost_wherever_an_allocation_fails),
		cmocka_unit_test(reads_and_whole_page_trims_need_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
