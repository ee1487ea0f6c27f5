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

	if (!*path) /* the program, which the dynamic linker gives no name */
		return true;
	return begins_with_one_of(name, always, sizeof(always) / sizeof(always[0])) ||
	       begins_with_one_of(name, wanted->libraries, wanted->count);
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

/*
 * Only what is mapped from the file and never written: what is written has been, by the
 * linker or when it was made ready, and nbdkit has 192 MiB of buffers that must stay empty.
 */
static int populate_object(struct dl_phdr_info *object, size_t size, void *opaque)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)size;
	if (!is_wanted(object->dlpi_name, opaque))
		return 0;
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		uintptr_t start = object->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD || segment->p_flags & PF_W ||
		    !(segment->p_flags & PF_R))
			continue;
		populate(start & ~(page - 1), start + segment->p_memsz, page);
	}
	image_unlock_unread(object);
	return 0;
}

void protection_populate_code(const struct protection *protection, const char *const *libraries,
			      size_t count)
{
	struct wanted wanted = { .libraries = libraries, .count = count };

	if (protection->locked)
		dl_iterate_phdr(populate_object, &wanted);
}
