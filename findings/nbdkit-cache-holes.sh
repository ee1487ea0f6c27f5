#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nbdkit 1.42.3 (Debian 13): behind the cache filter block status calls data a hole.
#
# Guessed: a filter that holds writes back answers for them in all it is asked: reads,
# and block status too, or says that it does not know.
# Seen: what was written and not flushed reads as it was written, while block status says
# hole and zero of it; after a flush both agree.  nbdcopy copies zeroes.  With
# cache=writethrough the same comes from a trim: block status says hole, and reads go on
# giving what was there.
. "$(dirname "$0")/unpack"
unpack trixie nbdkit=1.42.3-1 libnbd-bin=1.22.2-1+b1 python3-libnbd=1.22.2-1+b1

cat >"$root/tmp/use" <<'END'
import nbd, subprocess, sys
h = nbd.NBD()
h.add_meta_context(nbd.CONTEXT_BASE_ALLOCATION)
h.connect_uri(sys.argv[1])
SIZE = 64 << 10
def state(what):
    seen = []
    h.block_status(SIZE, 0, lambda context, offset, extents, error: seen.extend(extents))
    flags = {0: "data", 2: "zero", 3: "hole,zero"}[seen[1]]
    read = "data" if any(h.pread(SIZE, 0)) else "zeroes"
    subprocess.run(["nbdcopy", sys.argv[1], "/tmp/copy"], check=True)
    copied = "data" if any(open("/tmp/copy", "rb").read(SIZE)) else "zeroes"
    print(f"{what}: block status {flags}, reads {read}, nbdcopy copies {copied}")
h.pwrite(b"a" * SIZE, 0)
state("written")
h.flush()
state("flushed")
h.trim(SIZE, 0)
state("trimmed")
END
try()
{
	inside nbdkit -U - --filter=cache memory 1M "$@" --run 'python3 /tmp/use "$uri"' 2>/dev/null
}
expect "cache=writeback" "written: block status hole,zero, reads data, nbdcopy copies zeroes
flushed: block status data, reads data, nbdcopy copies data
trimmed: block status hole,zero, reads data, nbdcopy copies zeroes" "$(try)"
expect "cache=writethrough" "written: block status data, reads data, nbdcopy copies data
flushed: block status data, reads data, nbdcopy copies data
trimmed: block status hole,zero, reads data, nbdcopy copies zeroes" "$(try cache=writethrough)"
verdict
