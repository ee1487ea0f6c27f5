#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nbd-server 3.26.1 (Debian 13): zeroing a sparse disk fills it.
#
# Guessed: NBD_CMD_WRITE_ZEROES without the flag that asks for no hole punches one, as
# NBD_CMD_TRIM does with the same file.
# Seen: it allocates every block of the range, those too that were holes.  Zeroing a
# sparse file of 64 MiB makes it take 64 MiB; a trim of it afterwards gives all back.
. "$(dirname "$0")/unpack"
unpack trixie nbd-server=1:3.26.1-6.1 python3-libnbd=1.22.2-1+b1

cat >"$root/tmp/config" <<'END'
[generic]
	unixsock = /tmp/socket
	listenaddr = 127.0.0.1
	port = 10899
[disk]
	exportname = /tmp/disk
	trim = true
END
truncate -s 64M "$root/tmp/disk"
cat >"$root/tmp/use" <<'END'
import nbd, os
h = nbd.NBD()
h.connect_uri("nbd+unix:///disk?socket=/tmp/socket")
size = h.get_size()
taken = lambda: os.stat("/tmp/disk").st_blocks * 512 >> 20
print(taken())
for offset in range(0, size, 16 << 20):
    h.zero(16 << 20, offset)
print(taken())
h.trim(size, 0)
print(taken())
END
got=$(inside sh -c 'nbd-server -C /tmp/config -p /tmp/pid && sleep 1
	python3 /tmp/use; kill "$(cat /tmp/pid)"' 2>/dev/null)
expect "MiB that the file takes at first, zeroed, trimmed" "0 64 0" "$(echo $got)"
verdict
