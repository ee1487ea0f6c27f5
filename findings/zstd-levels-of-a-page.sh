#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# libzstd 1.5.7 (Debian 13): on pages of 4 KiB levels 9 and 10 make larger payloads than 7.
#
# Guessed: a higher level is never larger over many pages, and each step from 1 to 19 buys
# something.
# Seen: on the pages of four programs 9 and 10 are larger than 7 in sum, by some bytes in
# ten thousand; 5 to 11 lie within one percent of one another; 12 is the only large
# step after 4; 17 to 22 lie within three bytes in ten thousand.
. "$(dirname "$0")/unpack"
unpack trixie libzstd-dev=1.5.7+dfsg-1 gcc libc6-dev qemu-utils=1:10.0.13+ds-0+deb13u1 git

cat >"$root/tmp/sum.c" <<'END'
#include <stdio.h>
#include <zstd.h>

int main(int argc, char **argv)
{
	static unsigned long sum[23];
	unsigned char page[4096], out[8192];
	ZSTD_CCtx *context = ZSTD_createCCtx();
	FILE *file = fopen(argv[1], "rb");

	for (int n = 0; n < 600 && fread(page, 1, sizeof(page), file) == sizeof(page); n++)
		for (int level = 1; level <= 22; level++)
			sum[level] += ZSTD_compressCCtx(context, out, sizeof(out), page,
							sizeof(page), level);
	for (int level = 1; level <= 22; level++)
		printf("%lu ", sum[level]);
	printf("\n");
	return 0;
}
END
inside gcc -w -O1 /tmp/sum.c -o /tmp/sum -lzstd || skip "the program does not build"
for program in qemu-img perl bash git; do
	[ -f "$root/usr/bin/$program" ] || continue
	read -ra sum <<<"0 $(inside /tmp/sum /usr/bin/$program)"
	echo "$program: bytes by level 1 to 22: ${sum[*]:1}"
	expect "$program: 9 > 7, 10 > 7" "yes yes" \
		"$([ "${sum[9]}" -gt "${sum[7]}" ] && echo yes) $([ "${sum[10]}" -gt "${sum[7]}" ] && echo yes)"
	expect "$program: 5 is at most 1 % larger than 11" yes \
		"$([ $((sum[5] * 100)) -le $((sum[11] * 101)) ] && echo yes)"
	expect "$program: 12 is at least 2 % smaller than 11" yes \
		"$([ $((sum[12] * 100)) -le $((sum[11] * 98)) ] && echo yes)"
	expect "$program: 17 is at most 3 in 10,000 larger than 22" yes \
		"$([ $((sum[17] * 10000)) -le $((sum[22] * 10003)) ] && echo yes)"
done
verdict
