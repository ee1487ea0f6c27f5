#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Linux 7.2 (User-Mode Linux 7.2um1, Debian forky): swapoff leaves all that was on the area, also on one
# that trims.
#
# Guessed: on an area of swapon --discard a cluster is trimmed once all its slots are free, whoever
# frees them: the end of a program, or swapoff, which brings every page back.
# Seen: when a program ends that had 16 MiB there, the file behind the area is empty.  After swapoff
# of the same 16 MiB all of them stay allocated, for good: it frees the slots of an area that takes
# no more trims.  The next swapon --discard trims what the last swapoff left.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 kmod util-linux mount mawk grep gcc libc6-dev

program out <<'END'
#include "noise.h"

/* Pages out 16 MiB of noise, and stays. */
int main(void)
{
	noise_paged_out(16 << 20);
	return pause();
}
END
got=$(kernel 320 <<'END'
module loop
area /tmp/area 64
tell()
{
	sync
	sleep 2
	echo "$1: $(($(stat -c %b /tmp/area) / 2048)) MiB"
}
swapon --discard /dev/loop0
for end in kill swapoff; do
	out &
	program=$!
	until [ "$(awk 'NR == 2 { print ($4 >= 16384) }' /proc/swaps)" = 1 ]; do sleep 0.2; done
	tell out
	[ $end = kill ] || { swapoff /dev/loop0 && tell "off"; }
	kill $program
	wait $program
	tell "ended"
done
swapon --discard /dev/loop0
tell "on again"
swapoff /dev/loop0
END
)
expect "the area's file" "out: 16 MiB
ended: 0 MiB
out: 16 MiB
off: 16 MiB
ended: 16 MiB
on again: 0 MiB" "$got"
verdict
