/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "fake_root.h"

char fake_root[] = "/tmp/ramzswap-root.XXXXXX";

int fake_root_make(void **state)
{
	strcpy(fake_root + strlen(fake_root) - 6, "XXXXXX");
	return mkdtemp(fake_root) ? 0 : -1;
}

int fake_root_remove(void **state)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -rf '%s'", fake_root);
	return system(command);
}

const char *fake_root_place(const char *path)
{
	static char whole[PATH_MAX];

	snprintf(whole, sizeof(whole), "%s%s", fake_root, path);
	for (char *at = whole + strlen(fake_root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		(void)mkdir(whole, 0700);
		*at = '/';
	}
	return whole;
}

void fake_root_put(const char *path, const char *text)
{
	FILE *file = fopen(fake_root_place(path), "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}
