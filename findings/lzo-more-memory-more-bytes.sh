#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# liblzo2 2.10: on pages of 4 KiB a larger table makes larger payloads, and the optimizer
# changes nothing.
#
# Guessed: lzo1x_1_15, with a table of 128 KiB, packs a little better than lzo1x_1 with 64
# KiB, as 12 bits pack better than 11; and lzo1x_optimize, which promises quicker
# decompression, rewrites some bytes of most payloads, those of the fast encoders above all.
# Seen: on the pages of a program lzo1x_1_15 makes more bytes than lzo1x_1 (the kernel's
# lzo is lzo1x_1_15), though 11, 12 and 15 bits are in order among themselves; the optimizer
# leaves every byte of every payload of the fast encoders as it was.
. "$(dirname "$0")/unpack"
unpack bookworm liblzo2-dev=2.10-2 gcc libc6-dev qemu-utils

cat >"$root/tmp/sum.c" <<'END'
#include <lzo/lzo1x.h>
#include <stdio.h>
#include <string.h>

static unsigned char memory[LZO1X_1_15_MEM_COMPRESS];
static unsigned char page[4096], out[8192], was[8192], scratch[4096];
static unsigned long changed;

static lzo_uint pack(lzo_compress_t compress)
{
	lzo_uint length = 0, size = sizeof(page);

	compress(page, sizeof(page), out, &length, memory);
	memcpy(was, out, length);
	lzo1x_optimize(out, length, scratch, &size, NULL);
	changed += memcmp(was, out, length) != 0;
	return length;
}

int main(int argc, char **argv)
{
	static lzo_compress_t *const kinds[] = { lzo1x_1_compress, lzo1x_1_11_compress,
						 lzo1x_1_12_compress, lzo1x_1_15_compress };
	unsigned long sum[4] = { 0 };
	FILE *file = fopen(argv[1], "rb");

	lzo_init();
	while (fread(page, 1, sizeof(page), file) == sizeof(page))
		for (int i = 0; i < 4; i++)
			sum[i] += pack(kinds[i]);
	printf("%lu %lu %lu %lu %lu\n", sum[0], sum[1], sum[2], sum[3], changed);
	return 0;
}
END
for program in gcc-12 qemu-img dpkg perl; do
	[ -f "$root/usr/bin/$program" ] || continue
	read -r sum_1 sum_11 sum_12 sum_15 changed <<<"$(inside sh -c \
		'gcc -w -O1 /tmp/sum.c -o /tmp/sum -llzo2 && /tmp/sum "/usr/bin/$1"' sh $program)"
	echo "$program: bytes by lzo1x_1 $sum_1, 11 bits $sum_11, 12 $sum_12, 15 $sum_15"
	expect "$program: 11 bits > 12 bits > 15 bits" "yes yes" \
		"$([ $sum_11 -gt $sum_12 ] && echo yes) $([ $sum_12 -gt $sum_15 ] && echo yes)"
	expect "$program: 15 bits > lzo1x_1" yes "$([ $sum_15 -gt $sum_1 ] && echo yes)"
	expect "$program: payloads that the optimizer changed" 0 "$changed"
done
verdict
