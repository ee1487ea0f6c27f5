#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Linux 7.2 (User-Mode Linux 7.2um1, Debian forky): memory that came back from swap and was then
# written to keeps its old copy there.
#
# Guessed: a page that was read back may stay on the area too, for it need not be written
# again; as soon as the program changes it, what lies there is of no use and its slot is free.
# Seen: 16 MiB that are back in memory and all written to go on taking 16 MiB of the area.
# Only on an area that is more than half full slots go, and only until it is half full: of
# 16 MiB on 24, 4 come free when they are read, none when they are written to.
. "$(dirname "$0")/unpack"
unpack forky user-mode-linux=7.2um1 kmod util-linux mount mawk grep gcc libc6-dev

program out <<'END'
#include "noise.h"
#include <stdlib.h>

/* Pages out 16 MiB of noise, reads and then writes all of it, and runs a command after each. */
int main(int argc, char **argv)
{
	size_t size = 16 << 20, count = size / sizeof(long);
	volatile unsigned long *words = noise_paged_out(size);
	unsigned long sum = 0;

	if (system("tell out"))
		return 1;
	for (size_t i = 0; i < count; i += 512)
		sum += words[i];
	if (system("tell read"))
		return 1;
	for (size_t i = 0; i < count; i += 512)
		words[i] = sum;
	return system("tell written") != 0;
}
END
cat >"$root/usr/bin/tell" <<'END'
#!/bin/bash
# Of what is out already nothing has to stay in memory.
for try in 1 2 3 4 5; do
	[ "$1" = out ] || break
	sleep 0.3
	echo 32M >/sys/fs/cgroup/group/memory.reclaim 2>/dev/null
done
echo "$1: $(awk 'NR == 2 { print int(($4 + 512) / 1024) }' /proc/swaps) MiB of the area"
END
chmod +x "$root/usr/bin/tell"
got=$(kernel 320 <<'END'
module loop
group
for size in 64 24; do
	area /tmp/area$size $size
	swapon /dev/loop0
	echo "an area of $size MiB"
	bash -c 'echo $$ >/sys/fs/cgroup/group/cgroup.procs; exec out'
	swapoff /dev/loop0
	losetup -d /dev/loop0
done
END
)
expect "taken" "an area of 64 MiB
out: 16 MiB of the area
read: 16 MiB of the area
written: 16 MiB of the area
an area of 24 MiB
out: 16 MiB of the area
read: 12 MiB of the area
written: 12 MiB of the area" "$got"
verdict
