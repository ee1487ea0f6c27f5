#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Linux 7.2 (User-Mode Linux 7.2um1, Debian forky), md: a RAID 5 takes trims and sends none.
#
# Guessed: as up to Linux 6.12, RAID 5 says that it cannot trim (discard_max_bytes of 0, and fstrim
# fails), unless raid456 is told by devices_handle_discard_safely=Y that its disks read as zeroes
# what was trimmed.
# Seen: it says that it can, and fstrim tells how much it trimmed.  The memory of the zrams beneath
# stays taken: nothing reached them.  With the parameter all of it is given back.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 mdadm=4.6-3 e2fsprogs=1.47.4-1+b2 kmod util-linux mount mawk grep

got=$(deadline=200 kernel 384 <<'END'
for each in zsmalloc zram md-mod xor raid6_pq async_tx async_memcpy async_xor async_pq async_raid6_recov raid456; do
	module $each
done
mkdir /tmp/mount
for each in 1 2; do cat /sys/class/zram-control/hot_add; done >/dev/null
held()
{
	awk '{ sum += $3 } END { print int(sum / 1048576 + 0.5) " MiB held" }' /sys/block/zram*/mm_stat
}
for safe in N Y; do
	echo $safe >/sys/module/raid456/parameters/devices_handle_discard_safely
	for disk in 0 1 2; do echo 64M >/sys/block/zram$disk/disksize; done
	mdadm -q --create /dev/md9 --level=5 --raid-devices=3 --assume-clean --bitmap=none --run /dev/zram[012]
	mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /dev/md9
	mount /dev/md9 /tmp/mount
	head -c 16M /dev/urandom >/tmp/mount/file
	sync
	rm /tmp/mount/file
	sync
	said=$(fstrim -v /tmp/mount 2>&1)
	sync
	sleep 2
	echo "safely=$safe: trims up to $(cat /sys/block/md9/queue/discard_max_bytes), fstrim" \
		"$([[ $said == *trimmed* ]] && echo tells of trims || echo fails), $(held)"
	umount /tmp/mount
	mdadm -q --stop /dev/md9
	for disk in 0 1 2; do echo 1 >/sys/block/zram$disk/reset; done
done
END
)
expect "after 16 MiB were deleted" "safely=N: trims up to 2199023255040, fstrim tells of trims, 24 MiB held
safely=Y: trims up to 2199023255040, fstrim tells of trims, 0 MiB held" "$got"
verdict
