#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Linux 7.2 (User-Mode Linux 7.2um1, Debian forky): of a file's mapping that is locked as it is touched
# (MLOCK_ONFAULT), the first byte that is read locks 64 KiB.
#
# Guessed: the page that was touched is locked, 4 KiB; so a program pays for what it used of its libraries.
# Seen: a read fault maps the pages around it that are cached, 16 of them as they are aligned, and
# all are locked.  A page that is written to by the first touch is locked alone, in memory of one's own, too.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 kmod util-linux mount mawk grep gcc libc6-dev

program touch-one <<'END'
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE (1 << 20)

static long locked_kb(void)
{
	char line[128];
	long kb = 0, got;
	FILE *file = fopen("/proc/meminfo", "r");

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Mlocked: %ld", &got) == 1)
			kb = got;
	fclose(file);
	return kb;
}

static void try(const char *what, int fd, int flags, int write_it)
{
	char *bytes = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | flags, fd, 0);
	long before;

	if (bytes == MAP_FAILED || mlock2(bytes, SIZE, MLOCK_ONFAULT) != 0)
		exit(1);
	before = locked_kb();
	if (write_it)
		*(volatile char *)(bytes + SIZE / 2) = 1;
	else
		(void)*(volatile char *)(bytes + SIZE / 2);
	printf("%s: %ld kB locked\n", what, locked_kb() - before);
	munmap(bytes, SIZE);
}

int main(void)
{
	static char block[SIZE];
	int fd = open("/tmp/file", O_RDWR | O_CREAT, 0600);

	memset(block, 7, SIZE);
	if (fd < 0 || write(fd, block, SIZE) != SIZE)
		return 1;
	locked_kb();
	try("a byte read of a file", fd, 0, 0);
	try("a byte written there", fd, 0, 1);
	try("a byte written of one's own memory", -1, MAP_ANONYMOUS, 1);
	return 0;
}
END
got=$(kernel 128 <<'END'
touch-one
END
)
expect "what one touch locks" "a byte read of a file: 64 kB locked
a byte written there: 4 kB locked
a byte written of one's own memory: 4 kB locked" "$got"
verdict
