#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Linux 7.2 (User-Mode Linux 7.2um1, Debian forky): MADV_PAGEOUT that frees no memory.
#
# Guessed: madvise(MADV_PAGEOUT) over a swap area with room reclaims the pages: when VmSwap
# says that all are out, their memory is free, at the latest some seconds later.
# Seen: on a swap area behind a loop device 16 MiB of noise are out (VmSwap), written, and all
# stay in memory, in the swap cache.  On a ram disk, which is done with a request before
# it returns, the cache is empty at once.  16 MiB of zeroes are free at once on both: they
# take their slots of the area, but are not written, and nothing of the area's file is
# allocated for them.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 kmod util-linux mount mawk grep gcc libc6-dev

program out <<'END'
#include "noise.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Pages out 16 MiB, of noise if there is an argument, waits, and runs a command. */
int main(int argc, char **argv)
{
	size_t size = 16 << 20;
	unsigned long *words = mmap(NULL, size, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(words, 0, size);
	if (argc > 2)
		make_noise(words, size / sizeof(*words));
	if (madvise(words, size, 21 /* MADV_PAGEOUT */) != 0)
		return 1;
	sleep(3);
	return system(argv[1]) != 0;
}
END
got=$(kernel 320 <<'END'
module loop
module brd rd_size=65536 rd_nr=1
truncate -s 64M /tmp/area
losetup /dev/loop0 /tmp/area
cat >/tmp/tell <<'TELL'
#!/bin/bash
echo "out $(awk '$1 == "VmSwap:" { print $2 }' /proc/$PPID/status) kB, in the swap cache $(awk \
	'$1 == "SwapCached:" { print $2 }' /proc/meminfo) kB, slots $(awk 'NR == 2 { print ($4 >= 16384 ? "16 MiB" : $4) }' /proc/swaps)"
TELL
chmod +x /tmp/tell
for device in /dev/loop0 /dev/ram0; do
	mkswap "$device" >/dev/null 2>&1
	for what in zeroes noise; do
		swapon "$device"
		echo "${device##*/} $what: $([ $what = noise ] && out 'exec /tmp/tell' noise || out 'exec /tmp/tell')"
		[ $device = /dev/ram0 ] || echo "the area's file takes $(($(stat -c %b /tmp/area) / 2048)) MiB"
		swapoff "$device"
	done
done
END
)
expect "paged out" "loop0 zeroes: out 16384 kB, in the swap cache 0 kB, slots 16 MiB
the area's file takes 0 MiB
loop0 noise: out 16384 kB, in the swap cache 16384 kB, slots 16 MiB
the area's file takes 16 MiB
ram0 zeroes: out 16384 kB, in the swap cache 0 kB, slots 16 MiB
ram0 noise: out 16384 kB, in the swap cache 0 kB, slots 16 MiB" "$got"
verdict
