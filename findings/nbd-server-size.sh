#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nbd-server 3.26.1 (Debian 13): an export asked about by NBD_OPT_INFO has no bytes.
#
# Guessed: NBD_OPT_INFO and NBD_OPT_GO say the same of an export; the protocol has one
# reply for both.
# Seen: INFO says 0 bytes, GO says the size of the file.  So nbdinfo prints
# "export-size: 0" of a disk that works, and a script that sizes a device by it makes
# nothing of it.  To know a size, connect.
. "$(dirname "$0")/unpack"
unpack trixie nbd-server=1:3.26.1-6.1 python3-libnbd=1.22.2-1+b1 libnbd-bin=1.22.2-1+b1

cat >"$root/tmp/config" <<'END'
[generic]
	unixsock = /tmp/socket
	listenaddr = 127.0.0.1
	port = 10899
[disk]
	exportname = /tmp/disk
END
truncate -s 64M "$root/tmp/disk"
cat >"$root/tmp/ask" <<'END'
import nbd
h = nbd.NBD()
h.set_opt_mode(True)
h.connect_uri("nbd+unix:///disk?socket=/tmp/socket")
h.opt_info()
info = h.get_size()
h.opt_go()
print(info, h.get_size())
END
got=$(inside sh -c 'nbd-server -C /tmp/config -p /tmp/pid && sleep 1
	python3 /tmp/ask
	nbdinfo "nbd+unix:///disk?socket=/tmp/socket" | sed -n "s/.*export-size: *//p"
	kill "$(cat /tmp/pid)"' 2>/dev/null)
expect "bytes by NBD_OPT_INFO and by NBD_OPT_GO" "0 67108864" "$(echo "$got" | sed -n 1p)"
expect "what nbdinfo calls the size" "0" "$(echo "$got" | sed -n 2p)"
verdict
