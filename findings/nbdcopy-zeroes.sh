#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nbdcopy of libnbd 1.22.2 (Debian 13): what is sent of a file depends on a hint of the
# server's.
#
# Guessed: zeroes in a file are looked for in steps of a fixed size (--sparse=4096 is the
# default, says the manual), whatever the target is.
# Seen: a file of 4 KiB of data and 4 KiB of zeroes in turns goes to a server whose preferred
# block size is 512 or 4096 as 512 writes and 512 requests to zero; to one that prefers 32
# KiB, or names nothing, as 16 writes, zeroes and all.
. "$(dirname "$0")/unpack"
unpack trixie nbdkit=1.42.3-1 libnbd-bin=1.22.2-1+b1 grep

inside sh -c 'head -c 4096 /dev/zero >/tmp/zeroes; tr "\0" x </tmp/zeroes >/tmp/data
	cat /tmp/data /tmp/zeroes >/tmp/file
	for i in 1 2 3 4 5 6 7 8 9; do cat /tmp/file /tmp/file >/tmp/twice; mv /tmp/twice /tmp/file; done'
# try PREFERRED
try()
{
	inside sh -c 'rm -f /tmp/log
		if [ "$0" = none ]; then
			nbdkit -U - --filter=log memory 4M logfile=/tmp/log --run "nbdcopy /tmp/file \$uri"
		else
			nbdkit -U - --filter=log --filter=blocksize-policy memory 4M logfile=/tmp/log \
				blocksize-minimum=1 blocksize-preferred="$0" blocksize-maximum=32M \
				--run "nbdcopy /tmp/file \$uri"
		fi
		echo "$(grep -c " Write id" /tmp/log) writes, $(grep -c " Zero id" /tmp/log) zeroed"' "$1" 2>/dev/null
}
expect "preferred none" "16 writes, 0 zeroed" "$(try none)"
expect "preferred 512" "512 writes, 512 zeroed" "$(try 512)"
expect "preferred 4096" "512 writes, 512 zeroed" "$(try 4096)"
expect "preferred 32768" "16 writes, 0 zeroed" "$(try 32768)"
verdict
