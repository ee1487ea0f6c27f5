#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# e2fsprogs 1.47.2, btrfs-progs 6.14, erofs-utils 1.8.6, squashfs-tools 4.6.1 (Debian 13):
# what is taken out of an image without mounting it.
#
# Guessed: each of the four tools that take files out of an image leaves a hole a hole.
# Seen: unsquashfs alone does.  debugfs rdump and btrfs restore write 32 MiB of zeroes for a
# hole of 32 MiB.  fsck.erofs --extract does so of an image that is compressed, and makes
# holes, of zeroes that were stored too, of one that was made with --chunksize.
. "$(dirname "$0")/unpack"
unpack trixie e2fsprogs=1.47.2-3+b12 btrfs-progs=6.14-1 erofs-utils=1.8.6-1 \
	squashfs-tools=1:4.6.1-1

inside sh -c 'mkdir /tmp/tree && truncate -s 32M /tmp/tree/hole &&
	head -c 16777216 /dev/zero >/tmp/tree/zeroes'
# try COMMAND: MiB that what it puts into $out takes, of the hole and of the zeroes
try()
{
	inside sh -c 'cd "$(mktemp -d)" && mkdir out && eval "$0" >/dev/null 2>&1
		for file in hole zeroes; do
			echo "$file $(($(stat -c %b out/$file) / 2048))"
		done; rm -rf "$PWD"' "$1" | paste -s -d ' '
}
expect "debugfs" "hole 32 zeroes 16" \
	"$(try 'truncate -s 256M image; mke2fs -q -t ext4 -b 4096 -d /tmp/tree image; debugfs -R "rdump / out" image')"
expect "btrfs restore" "hole 32 zeroes 16" \
	"$(try 'mkfs.btrfs -q --rootdir /tmp/tree image; btrfs restore image out')"
expect "fsck.erofs, lz4" "hole 32 zeroes 16" \
	"$(try 'rmdir out; mkfs.erofs -zlz4 image /tmp/tree; fsck.erofs --extract=out image')"
expect "fsck.erofs, chunks" "hole 0 zeroes 0" \
	"$(try 'rmdir out; mkfs.erofs --chunksize=4096 image /tmp/tree; fsck.erofs --extract=out image')"
expect "unsquashfs" "hole 0 zeroes 16" \
	"$(try 'rmdir out; mksquashfs /tmp/tree image -quiet -no-progress; unsquashfs -q -n -d out image')"
verdict
