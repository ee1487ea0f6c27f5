/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "own_files.h"

static char dir[] = "/tmp/ramzswap-test-XXXXXX";

void cannot(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(77);
}

void say(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

void own_files_begin(void)
{
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		cannot("a mount namespace");
	if (!mkdtemp(dir))
		cannot("a directory");
}

void own_path(char path[OWN_PATH_MAX], const char *name)
{
	snprintf(path, OWN_PATH_MAX, "%s/%s", dir, name);
}

void own_files_put(const char *path, const char *in_the_place_of)
{
	char what[128];

	if (mount(path, in_the_place_of, NULL, MS_BIND, NULL) == 0)
		return;
	snprintf(what, sizeof(what), "a file in the place of %s", in_the_place_of);
	cannot(what);
}

void own_files_end(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command) != 0)
		fprintf(stderr, "%s stays\n", dir);
}
