#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# mkfs.erofs of erofs-utils 1.8.6 (Debian 13): an image of nothing takes 80 MiB, or 2.6 MiB of
# deflate, or 4 KiB.
#
# Guessed: a filesystem that is made once and only read keeps holes as holes, as squashfs
# does; and where it compresses, zeroes come out at about the same small size by every codec.
# Seen: a hole of 64 MiB and 16 MiB of zeroes are stored byte by byte: 83,890,176 bytes, and
# none of them is a hole of the image.  By lz4 they take 397,312, by deflate 2,691,072,
# by zstd and lzma 110,592.  With --chunksize=4096, which compresses nothing, 4,096.
. "$(dirname "$0")/unpack"
unpack trixie erofs-utils=1.8.6-1

inside sh -c 'mkdir /tmp/tree && truncate -s 64M /tmp/tree/hole &&
	head -c 16777216 /dev/zero >/tmp/tree/zeroes'
# try OPTION...: the image's size, and what it takes
try()
{
	inside sh -c 'rm -f /tmp/image; mkfs.erofs -T 1 "$@" /tmp/image /tmp/tree >/dev/null 2>&1
		stat -c "%s %b" /tmp/image' sh "$@" | awk '{ print $1, ($2 * 512 >= $1 ? "all of it taken" : "with holes") }'
}
expect "as it comes" "83890176 all of it taken" "$(try)"
expect "lz4" "397312 all of it taken" "$(try -zlz4)"
expect "deflate" "2691072 all of it taken" "$(try -zdeflate)"
expect "zstd" "110592 all of it taken" "$(try -zzstd)"
expect "lzma" "110592 all of it taken" "$(try -zlzma)"
expect "chunks of 4096" "4096 all of it taken" "$(try --chunksize=4096)"
verdict
