#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nbdkit 1.42.3 (Debian 13): files that can be trimmed, joined by a plugin that cannot.
#
# Guessed: the split and partitioning plugins, which put local files one behind the other, can
# do what the file plugin can do with one of them: trim, zero, flush.
# Seen: neither can trim, and split cannot even flush: what was written is not known to be
# on the disk, and nobody is told.
. "$(dirname "$0")/unpack"
unpack trixie nbdkit=1.42.3-1 libnbd-bin=1.22.2-1+b1

inside truncate -s 1M /tmp/one /tmp/two
# try PLUGIN...
try()
{
	inside nbdkit -U - "$@" --run 'for what in flush fua trim; do
		nbdinfo --can $what "$uri" && echo "$what"
	done' 2>/dev/null | paste -s -d ' '
}
expect "file can" "flush fua trim" "$(try file /tmp/one)"
expect "split can" "" "$(try split /tmp/one /tmp/two)"
expect "partitioning can" "flush fua" "$(try partitioning /tmp/one /tmp/two)"
verdict
