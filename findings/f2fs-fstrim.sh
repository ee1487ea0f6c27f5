#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Linux 7.2 (User-Mode Linux 7.2um1, Debian forky): fstrim of an f2fs trims nothing.
#
# Guessed: after a file is deleted and sync, fstrim sends at least the trims of its 16 MiB,
# whether the filesystem trims by itself, later, or not.
# Seen: mounted as it comes, with discard, fstrim says 0 bytes, again and again, and the
# memory of the zram beneath stays taken; a minute later it is free, without anybody having
# asked.  ext4 on the same device trims at the first fstrim.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 f2fs-tools=1.16.0-2+b2 e2fsprogs=1.47.4-1+b2 kmod util-linux mount mawk grep

got=$(deadline=200 kernel 320 <<'END'
module zsmalloc
module zram
module f2fs
echo 192M >/sys/block/zram0/disksize
mkdir /tmp/mount
held()
{
	awk '{ print int($3 / 1048576) " MiB held" }' /sys/block/zram0/mm_stat
}
for what in f2fs ext4; do
	blkdiscard -f /dev/zram0 2>/dev/null
	mkfs.$what -q /dev/zram0
	mount -t $what /dev/zram0 /tmp/mount
	head -c 16M /dev/urandom >/tmp/mount/file
	sync
	rm /tmp/mount/file
	sync
	for try in 1 2; do
		trimmed=$(fstrim -v /tmp/mount)
		sync
		echo "$what, fstrim $try: $([[ $trimmed == *": 0 B"* ]] && echo nothing || echo trims), $(held)"
		[ $what = f2fs ] || break
	done
	if [ $what = f2fs ]; then
		sleep 75
		echo "$what, later: $(held)"
	fi
	umount /tmp/mount
done
END
)
expect "after 16 MiB were deleted" "f2fs, fstrim 1: nothing, 16 MiB held
f2fs, fstrim 2: nothing, 16 MiB held
f2fs, later: 0 MiB held
ext4, fstrim 1: trims, 0 MiB held" "$got"
verdict
