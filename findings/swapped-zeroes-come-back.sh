#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Linux 7.2 (User-Mode Linux 7.2um1, Debian forky): pages of zeroes cost swap nothing, and memory a page
# each when they come back.
#
# Guessed: the kernel notes a swapped page of zeroes beside its slot and writes nothing.  So it knows
# that it is zero when somebody reads it, and maps the page of zeroes that all share, as for
# memory that was never written.  swapoff of such slots needs no memory, then.
# Seen: 16 MiB that were never written are read without a page of memory.  16 MiB of zeroes that were
# swapped out take 16 MiB when they are read, and so they do when nobody reads them and
# swapoff takes the area away, though nothing of them is there.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 kmod util-linux mount mawk grep gcc libc6-dev

program zeroes <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static long resident(void)
{
	char line[128];
	long kb = 0;
	FILE *file = fopen("/proc/self/status", "r");

	while (fgets(line, sizeof(line), file))
		sscanf(line, "RssAnon: %ld", &kb);
	fclose(file);
	return kb / 1024;
}

/* read or off: what brings 16 MiB of zeroes back; or fresh, for memory that was never written. */
int main(int argc, char **argv)
{
	size_t size = 16 << 20;
	volatile char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long before = resident(), out = 0;
	int status = 0;

	if (strcmp(argv[1], "fresh") != 0) {
		memset((char *)bytes, 0, size);
		madvise((char *)bytes, size, 21 /* MADV_PAGEOUT */);
		sleep(1);
		out = resident() - before;
	}
	if (strcmp(argv[1], "off") == 0)
		status = system("swapoff /dev/loop0");
	else
		for (size_t i = 0; i < size; i += 4096)
			status |= bytes[i];
	printf("%s: %ld MiB while out, then %ld, status %d\n", argv[1], out, resident() - before, status);
	return 0;
}
END
got=$(kernel 320 <<'END'
module loop
area /tmp/area 64
zeroes fresh
swapon /dev/loop0
zeroes read
echo "the area's file takes $(($(stat -c %b /tmp/area) / 2048)) MiB"
zeroes off
END
)
expect "16 MiB of zeroes" "fresh: 0 MiB while out, then 0, status 0
read: 0 MiB while out, then 16, status 0
the area's file takes 0 MiB
off: 0 MiB while out, then 16, status 0" "$got"
verdict
