#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Linux 7.2 (User-Mode Linux 7.2um1, Debian forky): zswap keeps pages that do not compress,
# at their full size.
#
# Guessed: a page that does not compress is refused by zswap and written to the swap area,
# as it used to be; and a group that may not write back (memory.zswap.writeback=0) has it
# kept instead.
# Seen: the other way round.  Where writing back is allowed, 16 MiB of random pages that
# are paged out lie in zswap, 16 MiB large, and nothing is written: paging out frees no
# memory.  Where it is not allowed, zswap holds none of them, and they stay in the swap
# cache.  Either way the process counts them as swapped out.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 kmod util-linux mount mawk grep gcc libc6-dev

program out <<'END'
#include "noise.h"
#include <stdlib.h>

/* Pages out 16 MiB of noise and runs a command meanwhile. */
int main(int argc, char **argv)
{
	noise_paged_out(16 << 20);
	return system(argv[1]) != 0;
}
END
got=$(kernel 256 <<'END'
module brd rd_size=65536
mkswap /dev/ram0 >/dev/null
swapon /dev/ram0
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
echo Y >/sys/module/zswap/parameters/enabled
for writeback in 1 0; do
	mkdir /sys/fs/cgroup/$writeback
	echo $writeback >/sys/fs/cgroup/$writeback/memory.zswap.writeback
	written=$(awk '$3 == "ram0" { print $10 }' /proc/diskstats)
	export group=/sys/fs/cgroup/$writeback
	bash -c 'echo $$ >$group/cgroup.procs
		exec out "grep -E \"^zswap(ped|_incomp)? \" \$group/memory.stat | tr \"\\n\" \" \"
		awk \"/^VmSwap/ { print \\\$2 }\" /proc/\$PPID/status"' |
		awk -v w=$writeback '{ print "writeback " w ": zswap " $2 / 1024 " kB of " $4 / 1024 " kB, incompressible " $6 / 1024 " kB; swapped out " $7 " kB" }'
	echo "sectors written: $(($(awk '$3 == "ram0" { print $10 }' /proc/diskstats) - written))"
done
END
)
expect "zswap" "writeback 1: zswap 16384 kB of 16384 kB, incompressible 16384 kB; swapped out 16384 kB
sectors written: 0
writeback 0: zswap 0 kB of 0 kB, incompressible 0 kB; swapped out 16384 kB
sectors written: 0" "$got"
verdict
