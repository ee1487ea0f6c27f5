#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Linux 7.2 (User-Mode Linux 7.2um1, Debian forky): vm.page-cluster above 5 is true of shared memory, and
# not of programs'.
#
# Guessed: vm.page-cluster=8 is taken, so swap is read 256 pages at a time; or it is refused.
# Seen: it is taken, and shared memory is read from a loop device by 256 KiB, twice as much as with 5.
# Of a program's own memory no more than 32 pages are read at a time, as with 5, and nothing says so.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 kmod util-linux mount mawk grep gcc libc6-dev

program out <<'END'
#include "noise.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Pages out 16 MiB of noise, shared if there is an argument, and reads it, between two commands. */
int main(int argc, char **argv)
{
	size_t size = 16 << 20, count = size / sizeof(long);
	volatile unsigned long *words =
		mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_ANONYMOUS | (argc > 1 ? MAP_SHARED : MAP_PRIVATE), -1, 0);
	unsigned long sum = 0;

	make_noise(words, count);
	if (system("before"))
		return 1;
	for (size_t i = 0; i < count; i += 512)
		sum += words[i];
	return system("after") != 0 || sum == 1;
}
END
cat >"$root/usr/bin/before" <<'END'
#!/bin/bash
# What is out already has not to stay in memory.
for try in 1 2 3 4 5 6; do
	echo 32M >/sys/fs/cgroup/group/memory.reclaim 2>/dev/null
	sleep 0.3
done
awk '$3 == "loop0" { print $4, $6 }' /proc/diskstats >/tmp/reads
END
cat >"$root/usr/bin/after" <<'END'
#!/bin/bash
read -r requests sectors </tmp/reads
awk -v requests="$requests" -v sectors="$sectors" '$3 == "loop0" {
	kib = ($6 - sectors) / 2 / ($4 - requests)
	for (size = 4; size * 1.5 < kib; size *= 2)
		;
	print "about " size " KiB at a time"
}' /proc/diskstats
END
chmod +x "$root/usr/bin/before" "$root/usr/bin/after"
got=$(kernel 320 <<'END'
module loop
group
area /tmp/area 64
swapon /dev/loop0
for cluster in 3 5 8; do
	echo $cluster >/proc/sys/vm/page-cluster && echo "page-cluster $(cat /proc/sys/vm/page-cluster)"
	for kind in "" shared; do
		echo "${kind:-private}: $(bash -c 'echo $$ >/sys/fs/cgroup/group/cgroup.procs; exec out '$kind)"
	done
done
END
)
expect "read from swap" "page-cluster 3
private: about 32 KiB at a time
shared: about 32 KiB at a time
page-cluster 5
private: about 128 KiB at a time
shared: about 128 KiB at a time
page-cluster 8
private: about 128 KiB at a time
shared: about 256 KiB at a time" "$got"
verdict
