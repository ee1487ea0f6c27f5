#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Linux 7.2 (User-Mode Linux 7.2um1, Debian forky): swapoff of an area that cannot be read leaves files in
# tmpfs that take no write any more, not even cut to nothing.
#
# Guessed: swapoff ends with what could not be read marked as lost, and to read it is an I/O error.
# Whoever cuts the file to nothing gives that up, and may write it anew.
# Seen: swapoff ends well.  The file, cut to nothing, says that it has no byte, and each write there is an
# I/O error for ever.  Only a new file of the same name takes one.  Without the swapoff the file
# that was cut takes writes again.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 kmod util-linux mount mawk grep coreutils

got=$(kernel 320 <<'END'
module loop
group
area /tmp/area 64
swapon /dev/loop0
mkdir -p /tmp/files
mount -t tmpfs files /tmp/files
bash -c 'echo $$ >/sys/fs/cgroup/group/cgroup.procs; head -c 65536 /dev/zero | tr "\0" x >/tmp/files/file'
for try in 1 2 3 4 5 6; do
	echo 32M >/sys/fs/cgroup/group/memory.reclaim 2>/dev/null
	sleep 0.3
done
[ "$(awk 'NR == 2 { print ($4 > 32) }' /proc/swaps)" = 1 ] && echo "swapped out"
: >/tmp/area
swapoff /dev/loop0 && sed 1d /proc/swaps
cat /tmp/files/file >/dev/null 2>&1 && echo "reads" || echo "does not read"
: >/tmp/files/file && echo "cut to $(stat -c %s /tmp/files/file) bytes"
{ echo new >/tmp/files/file; } 2>/dev/null && echo "takes a write" || echo "takes no write"
rm /tmp/files/file
{ echo new >/tmp/files/file; } 2>/dev/null && echo "a new one takes a write" || echo "nor does a new one"
END
)
expect "the file" "swapped out
does not read
cut to 0 bytes
takes no write
a new one takes a write" "$got"
verdict
