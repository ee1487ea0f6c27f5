#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# mkfs.btrfs of btrfs-progs 6.14 (Debian 13): --shrink leaves an image of 101 MiB for a file
# of one byte.
#
# Guessed: --rootdir --shrink, "shrink the filesystem to its minimal size", makes an image a
# little larger than what is in it.
# Seen: 105,906,176 bytes for one byte, 131,072,000 for 20 MiB, which is just as large as
# without --shrink.  What is copied twice is metadata, 32 MiB at the least each time; with
# -m single the same are 14,680,064 and 49,741,824 bytes.
. "$(dirname "$0")/unpack"
unpack trixie btrfs-progs=6.14-1

# try SIZE OPTION...: the image's size
try()
{
	inside sh -c 'rm -rf /tmp/tree /tmp/image; mkdir /tmp/tree
		head -c "$0" /dev/urandom >/tmp/tree/file
		mkfs.btrfs -q --rootdir /tmp/tree "$@" /tmp/image >/dev/null 2>&1
		stat -c %s /tmp/image' "$@"
}
expect "1 byte, --shrink" 105906176 "$(try 1 --shrink)"
expect "1 byte, --shrink -m single" 14680064 "$(try 1 --shrink -m single)"
expect "20 MiB" 131072000 "$(try 20971520)"
expect "20 MiB, --shrink" 131072000 "$(try 20971520 --shrink)"
expect "20 MiB, --shrink -m single" 49741824 "$(try 20971520 --shrink -m single)"
verdict
