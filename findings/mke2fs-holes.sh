#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# mke2fs -d, mkfs.btrfs --rootdir and mksquashfs (Debian 13): what becomes of zeroes.
#
# Guessed: a file of 16 MiB of zeroes that are there stays one in a filesystem made of a
# folder, and a hole stays a hole: they are told apart by SEEK_DATA.
# Seen: mke2fs makes holes of zeroes that were written, block by block; mkfs.btrfs makes
# extents of holes, and in its image they are counted as used.
. "$(dirname "$0")/unpack"
unpack trixie e2fsprogs=1.47.2-3+b12 btrfs-progs=6.14-1

inside sh -c 'mkdir /tmp/tree && truncate -s 64M /tmp/tree/hole &&
	head -c 16777216 /dev/zero >/tmp/tree/zeroes &&
	{ head -c 1048576 /dev/zero; echo; head -c 1048576 /dev/zero; } >/tmp/tree/mixed'
inside sh -c 'rm -f /tmp/image; truncate -s 256M /tmp/image
	mke2fs -q -t ext4 -b 4096 -d /tmp/tree /tmp/image' 2>/dev/null
for file in hole zeroes mixed; do
	expect "ext4: sectors of $file" \
		"$([ $file = mixed ] && echo 8 || echo 0)" \
		"$(inside debugfs -R "stat $file" /tmp/image 2>/dev/null | sed -n 's/.*Blockcount: //p')"
done
inside sh -c 'rm -f /tmp/image; mkfs.btrfs -q --rootdir /tmp/tree /tmp/image' 2>/dev/null
expect "btrfs: bytes used of an image of 82 MiB of zeroes" "more than 80 MiB" \
	"$(inside btrfs inspect-internal dump-super /tmp/image | awk '$1 == "bytes_used" {
		print ($2 > 80 * 1048576 ? "more than 80 MiB" : $2) }')"
verdict
