/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/image.h"
#include "survival/protection.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

/* What every request may come to; a library's name ends where its version begins. */
static const char *const always[] = { "ramzswap", "libc.so" };

struct wanted {
	const char *const *libraries;
	size_t count;
	bool more; /* the others are there already */
};

static bool begins_with_one_of(const char *name, const char *const *beginnings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!strncmp(name, beginnings[i], strlen(beginnings[i])))
			return true;
	}
	return false;
}

static bool is_wanted(const char *path, const struct wanted *wanted)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (begins_with_one_of(name, wanted->libraries, wanted->count))
		return true;
	/* The program has no name for the dynamic linker. */
	return !wanted->more &&
	       (!*path || begins_with_one_of(name, always, sizeof(always) / sizeof(always[0])));
}

/*
 * Older kernels have no such call, and some refuse it for the odd mapping: a page
 * that has been read is resident too.
 */
static void populate(uintptr_t start, uintptr_t end, uintptr_t page)
{
	if (madvise((void *)start, end - start, MADV_POPULATE_READ) == 0)
		return;
	for (uintptr_t at = start; at < end; at += page)
		(void)*(const volatile char *)at;
}

/* All but what nobody reads, which lies in one of the segments or in none. */
static void populate_read(uintptr_t start, uintptr_t end, const struct image_part *parts,
			  uintptr_t page)
{
	for (size_t i = 0; i < IMAGE_PARTS; i++) {
		if (parts[i].start >= parts[i].end || parts[i].start < start || parts[i].end > end)
			continue;
		populate(start, parts[i].start, page);
		start = parts[i].end;
	}
	if (start < end)
		populate(start, end, page);
}

/*
 * Only what is mapped from the file and never written: what is written has been, by the
 * linker or when it was made ready, and nbdkit has 192 MiB of buffers that must stay empty.
 */
static int populate_object(struct dl_phdr_info *object, size_t size, void *opaque)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	struct image_part parts[IMAGE_PARTS];

	(void)size;
	if (!is_wanted(object->dlpi_name, opaque))
		return 0;
	image_unread(object, parts);
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		uintptr_t start = object->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD || segment->p_flags & PF_W ||
		    !(segment->p_flags & PF_R))
			continue;
		populate_read(start & ~(page - 1),
			      (start + segment->p_memsz + page - 1) & ~(page - 1), parts, page);
	}
	image_unlock(parts);
	return 0;
}

void protection_populate_code(const struct protection *protection, const char *const *libraries,
			      size_t count)
{
	struct wanted wanted = { .libraries = libraries, .count = count };

	if (protection->locked)
		dl_iterate_phdr(populate_object, &wanted);
}

void protection_populate_library(const struct protection *protection, const char *library)
{
	struct wanted wanted = { .libraries = &library, .count = 1, .more = true };

	if (protection->locked)
		dl_iterate_phdr(populate_object, &wanted);
}
