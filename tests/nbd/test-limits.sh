#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What clients can make the server take: bounded whatever they do, and given back when they go.
# shellcheck source=tests/nbd/lib.sh
. "$(dirname "$0")/lib.sh"

# Here the server is looked at by whoever runs the test.
export RAMZSWAP_DUMPABLE=1

mib=$((1 << 20))
# As the manual says (MEMORY): what all buffers above 4 MiB take, and a thread's otherwise.
large_total=$((64 * mib))
each=$((4 * mib))
threads=16
# nbdkit itself, and what is measured while it changes.
slack=$((24 * mib))

start_limited() {
	control=$dir/control
	start_server control="$control" size=1G memlimit=64M "$@"
}

# The most that was ever resident, since the last call of forget_peak.
peak() {
	echo $(($(awk '$1 == "VmHWM:" { print $2 }' "/proc/$server_pid/status") * 1024))
}

forget_peak() {
	echo 5 >"/proc/$server_pid/clear_refs"
}

# holder: a client that asks for much and reads nothing, until its standard input ends; then it
# takes its replies, as nbdkit 1.32 may end when a client leaves without.
# usage: holder CONNECTIONS COMMAND COUNT [COMMAND COUNT...], each sent 16 times, write once
holder() {
	python3 -c '
import socket, struct, sys, threading
READ, WRITE = 0, 1
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(sys.argv[1])
    assert s.recv(18, socket.MSG_WAITALL)[:16] == b"NBDMAGICIHAVEOPT"
    s.sendall(struct.pack(">IQII", 3, 0x49484156454F5054, 1, 0))
    s.recv(10, socket.MSG_WAITALL)
    return s
owed = 0
held = [connect() for _ in range(int(sys.argv[2]))]
for s in held:
    for command, count in zip(sys.argv[3::2], sys.argv[4::2]):
        for i in range(16):
            kind = READ if command == "read" else WRITE
            s.sendall(struct.pack(">IHHQQI", 0x25609513, 0, kind, i, 0, int(count)))
            if kind == WRITE:
                owed = int(count)  # its data do not come
                break
print("asked", flush=True)
sys.stdin.read()
def drain(s):
    while s.recv(1 << 20):
        pass
readers = [threading.Thread(target=drain, args=(s,)) for s in held]
for s, reader in zip(held, readers):
    reader.start()
    s.sendall(bytes(owed))
    s.shutdown(socket.SHUT_WR)
    reader.join()
' "$socket" "$@"
}

# The same in the background; let_go ends it.
hold() {
	mkfifo "$dir/hold"
	holder "$@" <"$dir/hold" >"$dir/held" &
	holder_pid=$!
	exec 9>"$dir/hold"
	soon grep -q asked "$dir/held" || fail "the client did not come"
	sleep 1 # for the server to do all that it is going to
}

let_go() {
	exec 9>&-
	wait "$holder_pid"
	rm "$dir/hold"
	soon connections_are 0 || fail "the client is still there"
}

connections_are() {
	[ "$(stat connections)" -eq "$1" ]
}

resident_is_below() {
	[ "$(own_resident)" -lt "$1" ]
}

# what_clients_take CONNECTIONS REQUESTS...: within what the manual says, and back afterwards
what_clients_take() {
	local before
	before=$(own_resident)
	forget_peak
	hold "$@"
	echo "$*: $((before / mib)) MiB before, $(($(peak) / mib)) at most," \
		"requests have $(($(stat request_bytes) / mib))"
	within "resident memory with $*" "$(peak)" 0 \
		$(($(resident) - $(own_resident) + before + large_total + $1 * threads * each + slack))
	within "request_bytes with $*" "$(stat request_bytes)" 1 \
		$((large_total + $1 * threads * each))
	let_go
	equal "request_bytes without clients" "$(stat request_bytes)" 0
	soon resident_is_below $((before + 4 * mib)) ||
		fail "$(($(own_resident) / mib)) MiB stayed, of $((before / mib)) before"
}

limits_hold() {
	! sanitized || skip "a sanitizer has memory of its own"
	start_limited "$@"
	what_clients_take 1 read $((32 * mib))
	what_clients_take 1 read $((4 * mib)) read $((32 * mib))
	what_clients_take 2 read $((4 * mib)) write $((32 * mib))
	what_clients_take 1 read $((64 * mib)) read $((2 * mib))
	stop_server
}

test_clients_that_read_nothing_take_what_the_manual_says_and_no_more() {
	limits_hold swap=off
}

test_nor_do_they_of_a_server_whose_memory_is_locked() {
	limits_hold swap=auto
}

run_tests
