#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nbd-client 3.27.1 (Debian forky): with -nonetlink no device looks like one.
#
# Guessed: -nonetlink only chooses how the kernel is told; what else stands on the line means
# the same with it and without.
# Seen: with it each line without a -name is refused, since its "argument didn't look like an
# nbd device", which it is.  An empty name will do, and is the export that is meant without
# one.  3.26.1 (Debian 13) takes all of these lines.
. "$(dirname "$0")/unpack"

# try ARGUMENT...: what it says first; there is no server to talk to
try()
{
	inside nbd-client -unix /tmp/nobody /dev/nbd9 "$@" 2>&1 |
		grep -m 1 -oE "didn't look like an nbd device|oldstyle protocol is no longer supported"
}
# suite NAME PACKAGE WITHOUT-NAME
suite()
{
	rm -rf "$root"
	unpack "$1" "$2" grep
	expect "$2: plain" "oldstyle protocol is no longer supported" "$(try -b 4096)"
	expect "$2: -nonetlink" "$3" "$(try -b 4096 -nonetlink)"
	expect "$2: -nonetlink -name ''" "oldstyle protocol is no longer supported" \
		"$(try -b 4096 -nonetlink -name '')"
}
suite forky nbd-client=1:3.27.1-4 "didn't look like an nbd device"
suite trixie nbd-client=1:3.26.1-6.1 "oldstyle protocol is no longer supported"
verdict
