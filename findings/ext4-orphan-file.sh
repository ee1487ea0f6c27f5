#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# e2fsprogs 1.47.4 and Linux 7.2 (User-Mode Linux 7.2um1, Debian forky): an ext4 that the
# kernel of the same release does not mount.
#
# Guessed: what mkfs.ext4 makes, with blocks of any size, a kernel of the same release mounts.
# Seen: with blocks of 1 KiB on 1 GiB mkfs makes an orphan file of 1 MiB; the kernel says
# "orphan file too big: 1048576" and refuses.  256 MiB, with the same options or none, and
# 1 GiB with blocks of 4 KiB mount.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 e2fsprogs=1.47.4-1+b2 kmod util-linux mount mawk grep coreutils

got=$(kernel 256 <<'END'
module loop
# try SIZE OPTION...
try()
{
	size=$1
	shift
	rm -f /tmp/image
	truncate -s "$size" /tmp/image
	mkfs.ext4 -q "$@" /tmp/image
	mkdir -p /tmp/mount
	losetup /dev/loop0 /tmp/image
	if mount -t ext4 /dev/loop0 /tmp/mount 2>/dev/null; then
		echo "$size $*: mounts"
		umount /tmp/mount
	else
		echo "$size $*: $(dmesg | grep -o 'orphan file too big: [0-9]*' | tail -n 1)"
	fi
	losetup -d /dev/loop0
}
try 1G -b 1024
try 1G -b 1024 -O ^orphan_file
try 1G
try 256M -b 1024
END
)
expect "mkfs.ext4" "1G -b 1024: orphan file too big: 1048576
1G -b 1024 -O ^orphan_file: mounts
1G : mounts
256M -b 1024: mounts" "$got"
verdict
