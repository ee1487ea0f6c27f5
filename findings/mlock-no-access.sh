#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Linux 7.2 (User-Mode Linux 7.2um1, Debian forky): mlock fails, and the memory is locked.
#
# Guessed: a call that fails leaves things as they were.
# Seen: mlock of 16 MiB without access rights (PROT_NONE, as allocators and stacks reserve
# addresses) fails with ENOMEM, and all of it counts as locked.  The next mprotect makes 16 MiB
# resident at once.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 kmod util-linux mount mawk grep gcc libc6-dev

program try <<'END'
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static long field(const char *name)
{
	char line[256];
	long value = -1;
	FILE *file = fopen("/proc/self/status", "r");

	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			sscanf(line + strlen(name), ": %ld", &value);
	fclose(file);
	return value;
}

int main(void)
{
	size_t size = 16 << 20;
	void *area = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long before = field("VmRSS");
	int err = mlock(area, size) ? errno : 0;

	printf("mlock: %s, %ld kB locked\n", err == ENOMEM ? "ENOMEM" : "?", field("VmLck"));
	mprotect(area, size, PROT_READ | PROT_WRITE);
	printf("mprotect: %s\n", field("VmRSS") - before >= 16384 ? "all resident" : "nothing resident");
	return 0;
}
END
got=$(echo try | kernel 128)
expect "16 MiB without access" "mlock: ENOMEM, 16384 kB locked
mprotect: all resident" "$got"
verdict
