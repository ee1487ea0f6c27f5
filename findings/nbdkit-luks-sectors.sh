#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nbdkit 1.42.3 (Debian 13): the luks filter works in requests of one sector.
#
# Guessed: a filter that encrypts splits a request at most where its own buffer ends, or hands
# it on whole; LUKS has sectors of 512 bytes for its counter, not for its requests.
# Seen: a write of 1 MiB becomes 2048 writes of 512 bytes, a read 2048 reads; zeroing 1 MiB,
# which carries no data, 2048 writes; a trim is not passed on at all.
. "$(dirname "$0")/unpack"
unpack trixie nbdkit=1.42.3-1 qemu-utils=1:10.0.13+ds-0+deb13u1 grep

inside qemu-img create -q -f luks --object secret,id=s,data=word -o key-secret=s,iter-time=10 \
	/tmp/disk 16M
# try COMMAND-OF-QEMU-IO: requests of one sector beneath the filter, and trims
try()
{
	inside sh -c 'rm -f /tmp/log
		nbdkit -U - --filter=luks --filter=log file /tmp/disk passphrase=word logfile=/tmp/log \
			--run "qemu-io -f raw -c \"$0\" \$uri"
		for kind in Read Write Zero Trim; do
			echo "$kind $(grep " $kind id" /tmp/log | grep -c "count=0x200 ")"
		done' "$1" 2>/dev/null | awk '$1 ~ /^(Read|Write|Zero|Trim)$/' | paste -s -d ' '
}
expect "a write of 1 MiB" "Read 0 Write 2048 Zero 0 Trim 0" "$(try 'write -P 1 0 1M')"
expect "a read of 1 MiB" "Read 2048 Write 0 Zero 0 Trim 0" "$(try 'read 0 1M')"
expect "zeroing of 1 MiB" "Read 0 Write 2048 Zero 0 Trim 0" "$(try 'write -z 0 1M')"
expect "a trim of 1 MiB" "Read 0 Write 0 Zero 0 Trim 0" "$(try 'discard 0 1M')"
verdict
