#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Linux 7.2 (User-Mode Linux 7.2um1, Debian forky): zeroing a loop device on tmpfs takes all
# the memory that discarding it gives back.
#
# Guessed: a loop device on tmpfs can discard (holes are punched in the file), so zeroing it
# punches holes, too.
# Seen: blkdiscard frees everything; blkdiscard --zeroout of the same device allocates every
# page of the file, 32 MiB where 16 had been written.  The device claims to be able to zero;
# tmpfs then refuses, and the kernel writes pages of zeroes instead, and says success.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 kmod util-linux mount

got=$(kernel 256 <<'END'
module loop
truncate -s 32M /tmp/file
losetup /dev/loop0 /tmp/file
[ "$(cat /sys/block/loop0/queue/write_zeroes_max_bytes)" -gt 0 ] && echo "can zero"
fill() { head -c 16M /dev/urandom >/dev/loop0; sync; }
taken() { echo "$1 $(($(stat -c %b /tmp/file) / 2048)) MiB"; }
fill
taken written
blkdiscard /dev/loop0
taken discarded
fill
blkdiscard --zeroout /dev/loop0 && echo success
taken zeroed
END
)
expect "a loop device on tmpfs" "can zero
written 16 MiB
discarded 0 MiB
success
zeroed 32 MiB" "$got"
verdict
