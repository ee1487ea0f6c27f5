/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All code that a request may come to is in memory before the first one. */
#include <dlfcn.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "survival/protection.h"

static char folder[] = "/tmp/ramzswap-code-XXXXXX", path[64];

/* A library that nobody has touched: a copy of one. */
static void *load_copy(void)
{
	Dl_info info;
	struct stat status;
	void *library;
	int from, to;

	assert_int_not_equal(dladdr((void *)(uintptr_t)_cmocka_run_group_tests, &info), 0);
	from = open(info.dli_fname, O_RDONLY | O_CLOEXEC);
	to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	assert_true(from >= 0 && to >= 0);
	assert_int_equal(fstat(from, &status), 0);
	assert_int_equal(sendfile(to, from, NULL, (size_t)status.st_size), status.st_size);
	close(from);
	close(to);
	library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	assert_non_null(library);
	return library;
}

/* Of what is mapped from the copy and never written: kilobytes, and how many are not resident. */
static unsigned long missing_kb(unsigned long *size_kb)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	unsigned long size = 0, resident = 0, value;
	bool counts = false;
	char line[600];

	assert_non_null(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		char permissions[5];

		if (sscanf(line, "%*x-%*x %4s", permissions) == 1)
			counts = strstr(line, path) && permissions[0] == 'r' &&
				 permissions[1] == '-';
		else if (counts && sscanf(line, "Size: %lu kB", &value) == 1)
			size += value;
		else if (counts && sscanf(line, "Rss: %lu kB", &value) == 1)
			resident += value;
	}
	fclose(smaps);
	*size_kb = size;
	return size - resident;
}

static void code_that_is_named_is_resident_where_memory_is_locked(void **state)
{
	static const char *const libraries[] = { "nothing", "copied.so" };
	struct protection protection = { .locked = false };
	void *library = load_copy();
	unsigned long before, size;

	before = missing_kb(&size);
	if (before <= 4) {
		print_message("the whole library came at once: nothing to be seen\n");
		skip();
	}
	protection_populate_code(&protection, libraries, 2);
	assert_int_equal(missing_kb(&size), before);
	protection.locked = true;
	protection_populate_code(&protection, libraries, 1);
	assert_int_equal(missing_kb(&size), before);
	protection_populate_library(&protection, "nothing");
	assert_int_equal(missing_kb(&size), before);
	protection_populate_library(&protection, libraries[1]);
	/* But for what the linker wrote to and then closed: it is resident as something else. */
	assert_in_range(missing_kb(&size), 0, 4);
	dlclose(library);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_that_is_named_is_resident_where_memory_is_locked),
	};
	int failed;

	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/copied.so.1", folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
