#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# qemu-nbd of QEMU 10.0.13 (Debian 13): trims that free nothing, holes that take space.
#
# Guessed: a server that was not told to discard does not offer trims; and what block
# status calls a hole takes no space.
# Seen: without --discard=unmap it offers trims, answers them with success and frees
# nothing.  Zeroing a hole of the file allocates it, and block status goes on calling it
# a hole.  With --discard=unmap trims and zeroes free; but a range that was zeroed with
# the flag that asks for no hole is called a hole, too, while it takes its space.
. "$(dirname "$0")/unpack"
unpack trixie qemu-utils=1:10.0.13+ds-0+deb13u1 python3-libnbd=1.22.2-1+b1

cat >"$root/tmp/use" <<'END'
import nbd, os
h = nbd.NBD()
h.add_meta_context(nbd.CONTEXT_BASE_ALLOCATION)
h.connect_uri("nbd+unix:///?socket=/tmp/socket")
MIB = 1 << 20
def taken():
    return os.stat("/tmp/disk").st_blocks * 512 // MIB
def state(offset):
    seen = []
    h.block_status(MIB, offset, lambda context, o, extents, error: seen.extend(extents))
    return {0: "data", 1: "hole", 2: "zero", 3: "hole,zero"}[seen[1]]
print("can trim", h.can_trim(), "takes", taken())
h.trim(MIB, 0)
print("trimmed: takes", taken(), state(0))
h.zero(MIB, MIB, nbd.CMD_FLAG_NO_HOLE)
print("zeroed, no hole wanted: takes", taken(), state(MIB))
h.zero(MIB, 32 * MIB)
print("a hole zeroed: takes", taken(), state(32 * MIB))
END
try()
{
	rm -f "$root/tmp/disk" "$root/tmp/socket"
	head -c 4M /dev/urandom >"$root/tmp/disk"
	truncate -s 64M "$root/tmp/disk"
	sync "$root/tmp/disk"
	inside sh -c 'qemu-nbd --fork -f raw -k /tmp/socket "$@" /tmp/disk && python3 /tmp/use' \
		sh "$@" 2>/dev/null
}
expect "without --discard" "can trim True takes 4
trimmed: takes 4 data
zeroed, no hole wanted: takes 4 hole,zero
a hole zeroed: takes 5 hole,zero" "$(try)"
expect "with --discard=unmap" "can trim True takes 4
trimmed: takes 3 hole,zero
zeroed, no hole wanted: takes 3 hole,zero
a hole zeroed: takes 3 hole,zero" "$(try --discard=unmap)"
verdict
