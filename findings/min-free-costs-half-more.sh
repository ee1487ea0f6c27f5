#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Linux 7.2 (User-Mode Linux 7.2um1, Debian forky): each MiB of vm.min_free_kbytes takes a MiB and a half
# of MemAvailable, and MemAvailable is nearly 0 where a third of what is free could still be had.
#
# Guessed: what is free above vm.min_free_kbytes can be had, and MemAvailable is that, with what the
# caches would give.
# Seen: it is what is free above the high watermark, one and a half times the minimum.  With
# 16 MiB more of it MemAvailable falls by 24, though MemFree stays.  With all but 24 MiB of
# memory taken and a minimum of 16 MiB it is 4 or less, of caches, and a program that needs 6 MiB
# more gets them without reclaiming a page itself.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 kmod util-linux mount mawk grep gcc libc6-dev

program take <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static long kb_of(const char *path, const char *name)
{
	char line[128];
	long kb = 0, got;
	size_t length = strlen(name);
	FILE *file = fopen(path, "r");

	while (fgets(line, sizeof(line), file))
		if (strncmp(line, name, length) == 0 && sscanf(line + length, "%ld", &got) == 1)
			kb = got;
	fclose(file);
	return kb;
}

static void take(long kb)
{
	char *bytes = mmap(NULL, (size_t)kb << 10, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (bytes == MAP_FAILED)
		exit(1);
}

/* Until so many kB are free; then what of that is available, and what 6 MiB more cost. */
int main(int argc, char **argv)
{
	long left = atol(argv[1]);
	long free_now, stolen;

	take(kb_of("/proc/meminfo", "MemFree:") - left);
	free_now = kb_of("/proc/meminfo", "MemFree:");
	printf("22 MiB free or more: %d, of them available 4 or less: %d\n", free_now >= 22 << 10,
	       kb_of("/proc/meminfo", "MemAvailable:") <= 4 << 10);
	stolen = kb_of("/proc/vmstat", "pgsteal_direct ");
	take(6 << 10);
	printf("6 more: 16 MiB free or more: %d, pages reclaimed by who wants them: %ld\n",
	       kb_of("/proc/meminfo", "MemFree:") >= 16 << 10,
	       kb_of("/proc/vmstat", "pgsteal_direct ") - stolen);
	return 0;
}
END
got=$(kernel 320 <<'END'
available()
{
	awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo
}
echo 8192 >/proc/sys/vm/min_free_kbytes
before=$(available)
echo 24576 >/proc/sys/vm/min_free_kbytes
echo "16 MiB more take $(((before - $(available) + 512) / 1024))"
echo 16384 >/proc/sys/vm/min_free_kbytes
echo 3 >/proc/sys/vm/drop_caches
take 24576
END
)
expect "a minimum, and what is available" "16 MiB more take 24
22 MiB free or more: 1, of them available 4 or less: 1
6 more: 16 MiB free or more: 1, pages reclaimed by who wants them: 0" "$got"
verdict
