#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nbd-client 3.27.1 and Linux 7.2 (Debian forky): a device whose server is gone counts as
# connected.
#
# Guessed: when the server has ended and its socket is closed, `nbd-client -c` says that the
# device is not connected, the device has size 0, and a new server can be attached to it.
# Seen: the check says connected, with status 0, also after a read has failed; size and
# pid in /sys stay; a second nbd-client is told that the device is in use.  Only
# `nbd-client -d` frees it.  To know that a device works one must read from it.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 nbdkit=1.48.1-1 nbd-client=1:3.27.1-4 kmod util-linux mount

got=$(kernel 256 <<'END'
module nbd
nbdkit -U /tmp/socket -P /tmp/pid memory 1M
sleep 1
look() { nbd-client -c /dev/nbd0 >/dev/null 2>&1; echo "$1: status of the check $?, size $(blockdev --getsize64 /dev/nbd0), pid $([ -s /sys/block/nbd0/pid ] && echo there || echo none)"; }
nbd-client -unix /tmp/socket /dev/nbd0 -b 4096 >/dev/null 2>&1
look attached
kill -9 "$(cat /tmp/pid)"
sleep 1
look "server gone"
dd if=/dev/nbd0 of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null || echo "read fails"
look "after it"
nbdkit -U /tmp/other memory 1M
sleep 1
nbd-client -unix /tmp/other /dev/nbd0 -b 4096 >/tmp/answer 2>&1 && echo attached || echo "refused"
nbd-client -d /dev/nbd0 >/dev/null 2>&1
sleep 1
look "disconnected"
END
)
expect "nbd device" "attached: status of the check 0, size 1048576, pid there
server gone: status of the check 0, size 1048576, pid there
read fails
after it: status of the check 0, size 1048576, pid there
refused
disconnected: status of the check 1, size 0, pid none" "$got"
verdict
