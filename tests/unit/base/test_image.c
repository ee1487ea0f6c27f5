/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is taken for unread is nothing that runs or is read. */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/image.h"
#include "mapping.h"

#define CANNOT_LOCK 77

static const char constant[] = "read";

struct found {
	const char *name; /* what its file is called; "" is the program */
	bool there;
	const ElfW(Phdr) * segment; /* the first that is loaded */
	struct image_part parts[IMAGE_PARTS];
};

static int find(struct dl_phdr_info *object, size_t size, void *opaque)
{
	struct found *found = opaque;
	const char *slash = strrchr(object->dlpi_name, '/');
	const char *name = slash ? slash + 1 : object->dlpi_name;

	if (strncmp(name, found->name, strlen(found->name)) || (!*found->name && *name))
		return 0;
	found->there = true;
	for (const ElfW(Phdr) *segment = object->dlpi_phdr; !found->segment; segment++) {
		if (segment->p_type == PT_LOAD)
			found->segment = segment;
	}
	image_unread(object, found->parts);
	return 1;
}

static struct found parts_of(const char *name)
{
	struct found found = { .name = name };

	dl_iterate_phdr(find, &found);
	assert_true(found.there);
	return found;
}

/* As arm64 lays it out: there nothing is found. */
static void skip_without_tables_of_their_own(void)
{
	if (!(parts_of("libc.so").segment->p_flags & PF_X))
		return;
	print_message("the C library has its tables beside its code: nothing to be found\n");
	skip();
}

static size_t kib(const struct image_part *part)
{
	return (part->end - part->start) >> 10;
}

static bool is_in(const struct found *found, const void *address)
{
	for (size_t i = 0; i < IMAGE_PARTS; i++) {
		if ((uintptr_t)address >= found->parts[i].start &&
		    (uintptr_t)address < found->parts[i].end)
			return true;
	}
	return false;
}

static void hundreds_of_kib_of_the_c_library_are_unread(void **state)
{
	struct found library = parts_of("libc.so");

	skip_without_tables_of_their_own();
	print_message("for linking %zu KiB, for unwinding %zu\n", kib(&library.parts[0]),
		      kib(&library.parts[1]));
	assert_in_range(kib(&library.parts[0]), 32, 400);
	assert_in_range(kib(&library.parts[1]), 32, 800);
	for (size_t i = 0; i < IMAGE_PARTS; i++) {
		assert_int_equal(library.parts[i].start % (uintptr_t)sysconf(_SC_PAGESIZE), 0);
		assert_int_equal(library.parts[i].end % (uintptr_t)sysconf(_SC_PAGESIZE), 0);
	}
}

static void code_constants_and_headers_are_read(void **state)
{
	struct found library = parts_of("libc.so"), program = parts_of("");
	void *handle = dlopen(NULL, RTLD_NOW);
	Dl_info info;

	for (int number = 1; number < 100; number++)
		assert_false(is_in(&library, strerror(number)));
	assert_false(is_in(&library, dlsym(handle, "memcpy")));
	assert_false(is_in(&library, dlsym(handle, "vfprintf")));
	assert_false(is_in(&library, dlsym(handle, "environ")));
	assert_int_not_equal(dladdr(dlsym(handle, "vfprintf"), &info), 0);
	assert_false(is_in(&library, info.dli_fbase));
	assert_false(is_in(&program, constant));
	assert_false(is_in(&program, &find));
	dlclose(handle);
}

/* Whether the mapping of an address is locked: 1 or 0, or -1 where nothing is mapped. */
static int is_locked(uintptr_t address)
{
	char flags[512];

	if (!mapping_value(address, "VmFlags:", flags, sizeof(flags)))
		return -1;
	return strstr(flags, " lo") != NULL;
}

static int lock_all_but_unread(void)
{
	struct found library = parts_of("libc.so");

	if (mlockall(MCL_CURRENT) || is_locked((uintptr_t)&is_locked) != 1)
		return CANNOT_LOCK;
	image_unlock_all_unread();
	for (size_t i = 0; i < IMAGE_PARTS; i++) {
		if (is_locked(library.parts[i].start) || is_locked(library.parts[i].end - 1))
			return 1;
	}
	return !(is_locked(library.parts[0].start - 1) == 1 &&
		 is_locked(library.parts[1].start - 1) == 1 &&
		 is_locked((uintptr_t)strerror(ENOMEM)) == 1 && is_locked((uintptr_t)&find) == 1);
}

static void they_are_unlocked_and_the_rest_stays_locked(void **state)
{
	int status;
	pid_t child;

	skip_without_tables_of_their_own();
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(lock_all_but_unread());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CANNOT_LOCK) {
		print_message("may not lock memory (ulimit -l): not tested\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* A symbol of it may be looked up at any time, in any library's tables. */
static void a_library_that_is_linked_late_keeps_the_tables_for_it(void **state)
{
	void *lazy;

	skip_without_tables_of_their_own();
	unsetenv("LD_BIND_NOW");
	lazy = dlopen(getenv("LAZY_LIBRARY"), RTLD_LAZY);
	assert_non_null(lazy);
	assert_int_equal(kib(&parts_of("libc.so").parts[0]), 0);
	assert_int_not_equal(kib(&parts_of("libc.so").parts[1]), 0);
	setenv("LD_BIND_NOW", "1", 1);
	assert_int_not_equal(kib(&parts_of("libc.so").parts[0]), 0);
	dlclose(lazy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hundreds_of_kib_of_the_c_library_are_unread),
		cmocka_unit_test(code_constants_and_headers_are_read),
		cmocka_unit_test(they_are_unlocked_and_the_rest_stays_locked),
		cmocka_unit_test(a_library_that_is_linked_late_keeps_the_tables_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
