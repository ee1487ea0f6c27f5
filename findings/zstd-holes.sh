#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# zstd 1.5.7 (Debian 13): makes holes only in a file that was there before.
#
# Guessed: "sparse mode, enabled by default when the output is a file" holds for any file,
# and lz4, which has the same words in its manual, does the same.
# Seen: 64 MiB of hole, packed and unpacked into a new file, take 64 MiB, with or without
# -f.  If the file is there already (touch is enough) they take one block.  --sparse always
# works.  lz4 makes the hole each time.
. "$(dirname "$0")/unpack"
unpack trixie zstd=1.5.7+dfsg-1 lz4=1.10.0-4

# try COMMAND: KiB that the unpacked file takes
try()
{
	inside sh -c 'cd "$(mktemp -d)" && truncate -s 64M file && printf x >>file &&
		zstd -q file && lz4 -q file file.lz4 && rm file && eval "$0" &&
		echo $(($(stat -c %b file) / 2)); rm -rf "$PWD"' "$1"
}
expect "zstd -d, KiB" 65540 "$(try 'zstd -q -d file.zst')"
expect "zstd -d -f, KiB" 65540 "$(try 'zstd -q -d -f file.zst')"
expect "zstd -d -f over an empty file, KiB" 4 "$(try 'touch file; zstd -q -d -f file.zst')"
expect "zstd -d --sparse, KiB" 4 "$(try 'zstd -q -d --sparse file.zst')"
expect "lz4 -d, KiB" 4 "$(try 'lz4 -q -d file.lz4 file')"
verdict
