#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# resize2fs of e2fsprogs 1.47.2 (Debian 13): the minimum gets smaller each time.
#
# Guessed: resize2fs -M makes a filesystem as small as it can be, within some blocks; and how
# large it was before does not matter, only what is in it.
# Seen: of 1 GiB with a file of 20 MiB it makes 71 MiB, and, run again, 55.  The same
# file in 64 GiB makes a minimum of 982 MiB, and, run again, 960.
. "$(dirname "$0")/unpack"
unpack trixie e2fsprogs=1.47.2-3+b12

# try SIZE: MiB after each of three runs
try()
{
	inside sh -c 'rm -rf /tmp/tree /tmp/image; mkdir /tmp/tree
		head -c 20971520 /dev/urandom >/tmp/tree/file; truncate -s "$0" /tmp/image
		mke2fs -q -t ext4 -d /tmp/tree /tmp/image
		for run in 1 2 3; do
			e2fsck -fy /tmp/image >/dev/null 2>&1
			resize2fs -M /tmp/image >/dev/null 2>&1
			echo $(($(stat -c %s /tmp/image) >> 20))
		done' "$1" | paste -s -d ' '
}
expect "20 MiB in 1 GiB" "71 54 54" "$(try 1G)"
expect "20 MiB in 64 GiB" "981 960 960" "$(try 64G)"
verdict
