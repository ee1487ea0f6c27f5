#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nbd-client 3.27.1 and Linux 7.2 (Debian forky): a device that is no whole number of its own
# blocks.
#
# Guessed: an export of 1,000,001 bytes attached with -b 4096 is cut to 244 blocks, 999,424
# bytes; attached with -b 512 to 1,953, or 999,936 bytes.
# Seen: 999,936 bytes with either.  The device with blocks of 4,096 bytes ends in an eighth
# of a block that no direct read and no write reaches; reading to its end is short without
# a word to the reader, and mkswap and mkfs count whole blocks only.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 nbdkit=1.48.1-1 nbd-client=1:3.27.1-4 kmod util-linux mount

got=$(kernel 256 <<'END'
module nbd
nbdkit -U /tmp/socket memory 1000001
sleep 1
for block in 512 4096; do
	nbd-client -unix /tmp/socket /dev/nbd0 -b $block >/dev/null 2>&1
	size=$(blockdev --getsize64 /dev/nbd0)
	dd if=/dev/nbd0 of=/tmp/copy bs=4096 iflag=direct 2>/dev/null
	echo "block $(cat /sys/block/nbd0/queue/logical_block_size): $size bytes, dd ends with $? after $(stat -c %s /tmp/copy)"
	nbd-client -d /dev/nbd0 >/dev/null 2>&1
	sleep 1
done
END
)
expect "an export of 1000001 bytes" "block 512: 999936 bytes, dd ends with 0 after 999936
block 4096: 999936 bytes, dd ends with 0 after 999424" "$got"
verdict
