#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# xz 5.8.1 (Debian 13): --extreme makes programs larger.
#
# Guessed: -6e, which takes twice the time, is smaller than -6, or the same; on no more than
# an odd file by chance larger.
# Seen: larger on each file tried, by up to one part in a thousand: programs, a library, a text.
. "$(dirname "$0")/unpack"
unpack trixie xz-utils=5.8.1-1+deb13u2 qemu-utils=1:10.0.13+ds-0+deb13u1 git=1:2.47.3-0+deb13u1 \
	base-files

for file in /usr/bin/qemu-img /usr/bin/bash /usr/bin/git /usr/lib/x86_64-linux-gnu/libc.so.6 \
	/usr/share/common-licenses/GPL-3; do
	read -r plain extreme <<<"$(inside sh -c \
		'echo "$(xz -6 -c "$0" | wc -c) $(xz -6e -c "$0" | wc -c)"' "$file")"
	echo "$file: -6 $plain bytes, -6e $extreme"
	expect "$file: -6e is larger than -6" yes "$([ "$extreme" -gt "$plain" ] && echo yes)"
done
verdict
