#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# libnbd 1.24.4 and nbdkit 1.48.1 (Debian forky): small requests stop at the client, large
# ones at the server.
#
# Guessed: libnbd, told a server's block sizes, holds both ends or neither: it refuses or
# splits what is larger than the largest as it refuses what is smaller than the smallest.
# Seen: a read below the minimum, or not aligned to it, is refused before it is sent.  A read
# above the maximum is sent, and is an error of the server's.  Zeroing and trims above the
# maximum are sent and work: the maximum bounds what carries data only.
. "$(dirname "$0")/unpack"
unpack forky nbdkit=1.48.1-1 python3-libnbd=1.24.4-1

cat >"$root/tmp/use" <<'END'
import nbd, sys
h = nbd.NBD()
h.connect_unix(sys.argv[1])
for name, call in (("read of 512", lambda: h.pread(512, 0)),
                   ("read at 100", lambda: h.pread(4096, 100)),
                   ("read of the maximum", lambda: h.pread(131072, 0)),
                   ("read above it", lambda: h.pread(262144, 0)),
                   ("zero above it", lambda: h.zero(1 << 20, 0)),
                   ("trim above it", lambda: h.trim(1 << 20, 0))):
    before = h.stats_chunks_sent()
    try:
        call()
        how = "works"
    except nbd.Error as error:
        how = error.errno
    print(f"{name}: {how}, {'sent' if h.stats_chunks_sent() > before else 'not sent'}")
END
got=$(inside nbdkit -U - --filter=blocksize-policy memory 64M blocksize-minimum=4096 \
	blocksize-preferred=64k blocksize-maximum=128k blocksize-error-policy=error \
	--run 'python3 /tmp/use "$unixsocket"' 2>/dev/null)
expect "what is sent" "read of 512: EINVAL, not sent
read at 100: EINVAL, not sent
read of the maximum: works, sent
read above it: EINVAL, sent
zero above it: works, sent
trim above it: works, sent" "$got"
verdict
