#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nbd-server 3.26.1 (Debian 13): trims in the upper half of a disk free nothing.
#
# Guessed: what is trimmed piece by piece is freed as what is trimmed at once.
# Seen: a disk of N MiB, written whole and then trimmed in pieces of 1 MiB, keeps its upper
# half, for N of 32, 64, 96 and 256; each trim is answered with success.  One trim of all
# of it frees all.  A kernel that discards in pieces gives half of its memory back.
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
cat >"$root/tmp/use" <<'END'
import nbd, os
h = nbd.NBD()
h.connect_uri("nbd+unix:///disk?socket=/tmp/socket")
size = h.get_size()
piece = 1 << 20

def data():
    file = os.open("/tmp/disk", os.O_RDONLY)
    try:
        return os.lseek(file, 0, os.SEEK_DATA) // piece
    except OSError:
        return "none"

for offset in range(0, size, piece):
    h.pwrite(b"a" * piece, offset)
for offset in range(0, size, piece):
    h.trim(piece, offset)
print(size // piece, data(), end=" ")
h.trim(size, 0)
print(data())
END
for size in 32 64 96 256; do
	truncate -s "${size}M" "$root/tmp/disk"
	got=$(inside sh -c 'rm -f /tmp/socket; nbd-server -C /tmp/config -p /tmp/pid && sleep 1
		python3 /tmp/use; kill "$(cat /tmp/pid)"' 2>/dev/null)
	expect "MiB, first MiB with data after trims in pieces, and after one trim" \
		"$size $((size / 2)) none" "$got"
	rm "$root/tmp/disk"
done
verdict
