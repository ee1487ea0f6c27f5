/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory of the system's: mapped, locked, made resident, given back.  See span.h. */
#include "span_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* Linux 5.18 */
#endif

static atomic_int_least64_t fail_countdown = -1;

void span_fail_after(int64_t requests)
{
	atomic_store(&fail_countdown, requests);
}

bool span_refuses_for_test(void)
{
	if (__builtin_expect(atomic_load_explicit(&fail_countdown, memory_order_relaxed) < 0, 1))
		return false;
	return atomic_fetch_sub(&fail_countdown, 1) == 0;
}

size_t span_page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static void *map_zeroed(size_t bytes, int protection)
{
	void *address;

	if (!bytes || bytes > SIZE_MAX / 2 || span_refuses_for_test())
		return NULL;
	address = mmap(NULL, span_round_up(bytes, span_page_size()), protection,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (address == MAP_FAILED)
		return NULL;
	/* A huge page would make 2 MiB resident for the first byte written. */
	madvise(address, span_round_up(bytes, span_page_size()), MADV_NOHUGEPAGE);
	/* Buffers for pages, and tables: in no core dump, if one is made at all. */
	madvise(address, span_round_up(bytes, span_page_size()), MADV_DONTDUMP);
	return address;
}

void *span_map_zeroed(size_t bytes)
{
	return map_zeroed(bytes, PROT_READ | PROT_WRITE);
}

/* What may not be touched yet is not populated, whatever mlockall said. */
void *span_map_locked(size_t bytes)
{
	void *address = map_zeroed(bytes, PROT_NONE);

	bytes = span_round_up(bytes, span_page_size());
	if (address && (mlock2(address, bytes, MLOCK_ONFAULT) ||
			mprotect(address, bytes, PROT_READ | PROT_WRITE))) {
		munmap(address, bytes);
		return NULL;
	}
	return address;
}

void span_unmap(void *address, size_t bytes)
{
	if (address)
		munmap(address, span_round_up(bytes, span_page_size()));
}

int span_lock(void *address, size_t bytes)
{
	return mlock2(address, bytes, MLOCK_ONFAULT) ? -errno : 0;
}

/* Old kernels have no advice for locked pages: there the range is unlocked for a moment. */
int span_discard(void *address, size_t bytes)
{
	if (!madvise(address, bytes, MADV_DONTNEED_LOCKED))
		return 0;
	if (!madvise(address, bytes, MADV_DONTNEED))
		return 0;
	if (munlock(address, bytes) || madvise(address, bytes, MADV_DONTNEED))
		return -errno;
	mlock2(address, bytes, MLOCK_ONFAULT);
	return 0;
}

void span_drop_zeroed(void *address, size_t bytes)
{
	size_t page = span_page_size();
	uintptr_t start = span_round_up((uintptr_t)address, page);
	uintptr_t end = ((uintptr_t)address + bytes) & ~(page - 1);

	if (start >= end)
		return;
	if (span_discard((void *)start, end - start))
		memset((void *)start, 0, end - start);
}

/* Kernels without the advice (Linux 5.14) get pages one by one, where a page is not all there. */
int span_populate(void *address, size_t bytes)
{
	size_t page = span_page_size();
	uintptr_t start = (uintptr_t)address & ~(page - 1);
	uintptr_t end = span_round_up((uintptr_t)address + bytes, page);

	if (!madvise((void *)start, end - start, MADV_POPULATE_WRITE))
		return 0;
	if (errno != EINVAL)
		return -ENOMEM;
	for (uintptr_t at = start; at < end; at += page) {
		uint32_t zero = 0;

		__atomic_compare_exchange_n((uint32_t *)at, &zero, 0, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
	}
	return 0;
}
