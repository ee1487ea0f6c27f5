#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# systemd-zram-generator 1.2.1 (Debian forky) on Linux 7.2: a unit behind a size multiplies
# megabytes.
#
# Guessed: zram-size = 64M means 64 MiB, or is an error; 1k means nothing useful.
# Seen: sizes are expressions in MiB in which k, M and G are factors of a thousand, a million
# and a thousand millions: 1k makes a device of 1,000 MiB in a guest of 256, and 64M asks for
# 64 million MiB, which the kernel refuses for want of memory.  The generator itself takes
# both without a word; only the service fails, at boot.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 systemd-zram-generator=1.2.1-2+b2 kmod util-linux mount sed

got=$(kernel 256 <<'END'
module zram
mount -t tmpfs settings /etc/systemd
generator=/usr/lib/systemd/system-generators/zram-generator
for size in 64 1k 1.5k 64M "7 / 2"; do
	printf '[zram0]\nzram-size = %s\n' "$size" >/etc/systemd/zram-generator.conf
	rm -rf /tmp/units
	mkdir -p /tmp/units/{a,b,c}
	$generator /tmp/units/{a,b,c} >/dev/null 2>&1
	generated=$?
	$generator --setup-device zram0 >/tmp/answer 2>&1
	echo "$size: generator $generated, device of $(($(cat /sys/block/zram0/disksize) >> 10)) KiB$(sed -n 's/.*(os error \(.*\)).*/, errno \1/p' /tmp/answer)"
	echo 1 >/sys/block/zram0/reset
done
END
)
expect "zram-size" "64: generator 0, device of 65536 KiB
1k: generator 0, device of 1024000 KiB
1.5k: generator 0, device of 1536000 KiB
64M: generator 0, device of 0 KiB, errno 12
7 / 2: generator 0, device of 3584 KiB" "$got"
verdict
