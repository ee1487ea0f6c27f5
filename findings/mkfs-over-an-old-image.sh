#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# mkfs of ext4, f2fs, XFS and btrfs (Debian 13) over a file that is full: two of the four
# give its space back.
#
# Guessed: all four discard what they make a filesystem on, unless told not to; they do on
# a device, and a file takes a hole as a device takes a trim.
# Seen: mkfs.ext4 and mkfs.f2fs punch the file out, and 320 MiB become less than 5.
# mkfs.xfs and mkfs.btrfs, which trim devices by default too, leave all of it.
. "$(dirname "$0")/unpack"
unpack trixie e2fsprogs=1.47.2-3+b12 f2fs-tools=1.16.0-1.1+b1 xfsprogs=6.13.0-2+deb13u1 \
	btrfs-progs=6.14-1

# try FILESYSTEM OPTION...: MiB that the file takes afterwards
try()
{
	# In memory, where a hole is one at once.
	inside sh -c 'image=$(mktemp); head -c 335544320 /dev/zero | tr "\0" x >"$image"
		mkfs.$0 -q "$@" "$image" >/dev/null 2>&1 || echo failed
		stat -c %b "$image"; rm "$image"' "$@" | awk '/^[0-9]/ { print ($1 > 10240 ? int($1 / 2048) : "below 5"); next } { print }'
}
expect "ext4, MiB of 320" "below 5" "$(try ext4 -F)"
expect "f2fs, MiB of 320" "below 5" "$(try f2fs -f)"
expect "xfs, MiB of 320" 320 "$(try xfs -f)"
expect "btrfs, MiB of 320" 320 "$(try btrfs -f)"
verdict
