#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nbd-client 3.27.1 and Linux 7.2 (Debian forky): a server's block sizes do not reach the
# kernel.
#
# Guessed: a server that says "at least 4 KiB, at most 64 KiB a request" gets a device with
# blocks of 4 KiB and max_sectors_kb of 64.
# Seen: the device has blocks of 512 bytes, and a first read of one is an I/O error; with
# -b 4096 given by hand small reads work.  The largest request is the kernel's own, 4 MiB,
# whatever the server says: a read of 1 MiB is an I/O error.  Who attaches has to give
# the block size and to set queue/max_sectors_kb.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 nbdkit=1.48.1-1 nbd-client=1:3.27.1-4 kmod util-linux mount

got=$(kernel 256 <<'END'
module nbd
nbdkit -U /tmp/socket --filter=blocksize-policy memory 64M blocksize-minimum=4096 \
	blocksize-preferred=4096 blocksize-maximum=64k blocksize-error-policy=error
sleep 1
queue=/sys/block/nbd0/queue
read_of() { dd if=/dev/nbd0 of=/dev/null bs=$1 count=1 iflag=direct 2>/dev/null && echo works || echo fails; }
nbd-client -unix /tmp/socket /dev/nbd0 >/dev/null 2>&1
echo "block $(cat $queue/logical_block_size), at most $(cat $queue/max_sectors_kb) KiB, 512 bytes: $(read_of 512)"
nbd-client -d /dev/nbd0 >/dev/null 2>&1
sleep 1
nbd-client -unix /tmp/socket /dev/nbd0 -b 4096 >/dev/null 2>&1
echo "block $(cat $queue/logical_block_size), at most $(cat $queue/max_sectors_kb) KiB, 4 KiB: $(read_of 4096), 1 MiB: $(read_of 1M)"
echo 64 >$queue/max_sectors_kb
echo "set to $(cat $queue/max_sectors_kb) KiB, 1 MiB: $(read_of 1M)"
END
)
expect "nbd device" "block 512, at most 4096 KiB, 512 bytes: fails
block 4096, at most 4096 KiB, 4 KiB: works, 1 MiB: fails
set to 64 KiB, 1 MiB: works" "$got"
verdict
