#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# brotli 1.1.0 and lz4 1.10.0 (Debian 13): a level more, and a larger file.
#
# Guessed: from one level to the next a file gets smaller or stays as it is; where a level
# changes the method (brotli at 4 and 5, lz4 at 10), by more than elsewhere.
# Seen: brotli -q 4 makes programs larger than -q 3, by one to three percent; lz4 -10, the first
# of its "optimal" levels, makes them larger than -9.
. "$(dirname "$0")/unpack"
unpack trixie brotli=1.1.0-2+deb13u1 lz4=1.10.0-4 qemu-utils=1:10.0.13+ds-0+deb13u1

for file in /usr/bin/qemu-img /usr/bin/bash; do
	read -r three four nine ten <<<"$(inside sh -c 'for level in 3 4; do brotli -q $level -c "$0" | wc -c; done
		for level in 9 10; do lz4 -q -$level -c "$0" | wc -c; done' "$file" | paste -s -d ' ')"
	echo "$file: brotli -q 3 $three, -q 4 $four; lz4 -9 $nine, -10 $ten"
	expect "$file: brotli -q 4 is at least 1 % larger than -q 3" yes \
		"$([ $((four * 100)) -ge $((three * 101)) ] && echo yes)"
	expect "$file: lz4 -10 is larger than -9" yes "$([ "$ten" -gt "$nine" ] && echo yes)"
done
verdict
