#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# zchunk 1.5.1 (Debian 13): the same chunk is stored as often as it comes.
#
# Guessed: a format that cuts a file by its content and names each chunk by its checksum, so
# that a download leaves out what is there already, stores equal chunks once.
# Seen: 4 MiB of noise once, twice and four times make files of 4, 8 and 16 MiB; the index
# names the same checksum two and four times.
. "$(dirname "$0")/unpack"
unpack trixie zchunk=1.5.1+ds1-1

inside sh -c 'head -c 4194304 /dev/urandom >/tmp/once
	cat /tmp/once /tmp/once >/tmp/2; cat /tmp/2 /tmp/2 >/tmp/4; cp /tmp/once /tmp/1'
for times in 1 2 4; do
	got=$(inside sh -c 'cd /tmp && zck "$0" && stat -c %s "$0.zck"
		zck_read_header -c "$0.zck"' $times 2>/dev/null |
		awk 'NR == 1 { size = int($1 / 1048576) }
			$2 ~ /^[0-9a-f]+$/ && length($2) == 32 && ++seen[$2] > most { most = seen[$2] }
			END { print size " MiB, one checksum comes up to " most " times" }')
	expect "$times times" "$((times * 4)) MiB, one checksum comes up to $times times" "$got"
done
verdict
