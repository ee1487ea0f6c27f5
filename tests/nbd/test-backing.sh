#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A disk with a backing store: a file, an NBD server, and what cannot be one.
# shellcheck source=tests/nbd/lib.sh
. "$(dirname "$0")/lib.sh"

# A medium that is not reached is given up only after a while.
refused_seconds=60
refused_parameters=(size=16M)

# random_file NAME MEBIBYTES
random_file() {
	head -c "$2M" /dev/urandom >"$dir/$1"
}

# start_peer: an NBD server whose data is in the file peer.img, which stays
start_peer() {
	rm -f "$dir/peer"
	nbdkit -f -U "$dir/peer" file "$dir/peer.img" >"$dir/peer.log" 2>&1 &
	peer_pid=$!
	for _ in $(seq 500); do
		nbdinfo --size "nbd+unix:///?socket=$dir/peer" >/dev/null 2>&1 && return
		sleep 0.02
	done
	fail "the peer did not start"
}

stop_peer() {
	kill -9 "$peer_pid"
	wait "$peer_pid" || true
}

# copy_and_compare: what is copied to the disk is what comes back
copy_and_compare() {
	random_file source "$1"
	nbdcopy "$dir/source" "$uri"
	nbdcopy "$uri" "$dir/back"
	cmp -n "$(stat_size "$dir/source")" "$dir/source" "$dir/back"
}

stat_size() {
	wc -c <"$1"
}

test_a_file_holds_what_memory_does_not() {
	control=$dir/control
	start_server swap=off size=64M memlimit=8M control="$control" backing="$dir/file"
	copy_and_compare 64
	within "memory at most" "$(stat mem_used_max)" 0 $((8 << 20))
	within "bytes behind the pool" "$(stat bd_bytes)" $((50 << 20)) $((64 << 20))
	equal "failed writes" "$(stat failed_writes)" 0
	"$RZSCONTROL" -c "$control" check
	"$RZSCONTROL" -c "$control" backing
	# Nothing of it can be read in the file.
	[ "$(head -c 4096 "$dir/source" | od -An -tx1 -N16)" != "$(od -An -tx1 -j65536 -N16 "$dir/file")" ]
	nbdinfo --size "$uri" >/dev/null
	stop_server
}

test_commands_move_pages_and_change_limits() {
	control=$dir/control
	start_server swap=off size=64M control="$control" backing="$dir/file" backing-budget=20M
	random_file source 8
	nbdcopy "$dir/source" "$uri"
	"$RZSCONTROL" -c "$control" writeback huge
	equal "pages behind the pool" "$(stat bd_count)" 2048
	"$RZSCONTROL" -c "$control" writeback idle 0
	"$RZSCONTROL" -c "$control" writeback
	equal "budget" "$(stat bd_budget)" $((20 << 20))
	"$RZSCONTROL" -c "$control" backing budget 1G
	"$RZSCONTROL" -c "$control" backing rate 50M
	equal "budget" "$(stat bd_budget)" $((1 << 30))
	"$RZSCONTROL" -c "$control" backing budget none
	equal "budget" "$(stat bd_budget)" 0
	! "$RZSCONTROL" -c "$control" writeback cold || fail "cold is no kind of page"
	! "$RZSCONTROL" -c "$control" backing speed 5M || fail "there is no speed"
	stop_server
}

test_without_a_backing_store_the_commands_say_so() {
	control=$dir/control
	start_server swap=off size=16M control="$control"
	"$RZSCONTROL" -c "$control" backing | grep -q "no backing store"
	! "$RZSCONTROL" -c "$control" writeback all 2>"$dir/err" || fail "moved to nowhere"
	grep -q "no backing store" "$dir/err"
	stop_server
}

test_a_budget_that_is_used_up_is_said() {
	control=$dir/control
	start_server swap=off size=64M control="$control" backing="$dir/file" backing-budget=4M
	random_file source 16
	nbdcopy "$dir/source" "$uri"
	! "$RZSCONTROL" -c "$control" writeback all 2>"$dir/err" || fail "over the budget"
	grep -q "budget" "$dir/err"
	within "bytes written" "$(stat bd_written_bytes)" $((3 << 20)) $((6 << 20))
	stop_server
}

test_an_nbd_server_holds_what_memory_does_not() {
	control=$dir/control
	truncate -s 128M "$dir/peer.img"
	start_peer
	start_server swap=off size=64M memlimit=8M control="$control" \
		backing="nbd+unix:///?socket=$dir/peer"
	copy_and_compare 64
	"$RZSCONTROL" -c "$control" check
	equal "failed reads" "$(stat failed_reads)" 0
	stop_server
	stop_peer
}

test_another_ramzswap_is_a_backing_store() {
	control=$dir/control
	nbdkit_plugin -f -U "$dir/peer" "$RAMZSWAP_PLUGIN" swap=off size=128M >"$dir/peer.log" 2>&1 &
	peer_pid=$!
	for _ in $(seq 500); do
		nbdinfo --size "nbd+unix:///?socket=$dir/peer" >/dev/null 2>&1 && break
		sleep 0.02
	done
	start_server swap=off size=64M memlimit=8M control="$control" \
		backing="nbd+unix:///?socket=$dir/peer"
	copy_and_compare 64
	"$RZSCONTROL" -c "$control" check
	stop_server
	stop_peer
}

test_a_lost_peer_is_found_again_and_memory_is_served_meanwhile() {
	control=$dir/control
	truncate -s 128M "$dir/peer.img"
	start_peer
	start_server swap=off size=64M control="$control" backing-timeout=3 \
		backing="nbd+unix:///?socket=$dir/peer"
	# 16 MiB behind the pool; another 4 MiB in memory.
	random_file source 16
	nbdcopy "$dir/source" "$uri"
	"$RZSCONTROL" -c "$control" writeback all
	equal "pages behind the pool" "$(stat bd_count)" 4096
	random_file near 4
	qemu-io -f raw -c "write -q -s $dir/near 32M 4M" "$uri"
	stop_peer
	for _ in 1 2 3; do
		qemu-io -r -f raw -c "read 32M 4M" "$uri" | grep -q "read 4194304/4194304"
	done
	# Pages there fail after the time that was given, and only those.
	! qemu-io -r -f raw -c "read 4k 4k" "$uri" | grep -q "read 4096/4096" || fail "read from nowhere"
	start_peer
	for _ in $(seq 100); do
		qemu-io -r -f raw -c "read 4k 4k" "$uri" 2>&1 | grep -q "read 4096/4096" && break
		sleep 0.1
	done
	nbdcopy "$uri" "$dir/back"
	cmp -n $((16 << 20)) "$dir/source" "$dir/back"
	"$RZSCONTROL" -c "$control" check
	within "failed reads there" "$(stat bd_failed_reads)" 1 200
	stop_server
	stop_peer
}

test_what_cannot_be_a_backing_store_is_refused() {
	refused "is a directory" backing="$dir"
	refused "is a character device" backing=/dev/null
	refused "does not exist" backing=/dev/no-such-device
	refused "cannot be made" backing="$dir/no/file"
	refused "no URI of an NBD server" backing=http://localhost/disk
	refused "cannot be reached" backing="nbd+unix:///?socket=$dir/nobody"
	refused "is empty" backing=
	refused "too small" backing="$dir/small" backing-size=64k
	refused "no room for" backing="$dir/huge" backing-size=10T
	[ ! -e "$dir/small" ] || fail "a file that is too small was left"
	[ ! -e "$dir/huge" ] || fail "a file that did not fit was left"
	echo "my thesis" >"$dir/thesis"
	refused "backing-force=on" backing="$dir/thesis"
	equal "the thesis" "$(cat "$dir/thesis")" "my thesis"
	refused "neither on nor off" backing="$dir/x" backing-encrypt=yes
	refused "backing-timeout" backing="$dir/x" backing-timeout=0
	refused "backing-rate" backing="$dir/x" backing-rate=fast
	refused "no parameter 'backing-speed'" backing-speed=5
}

test_a_second_user_is_refused() {
	start_server swap=off size=16M backing="$dir/file"
	refused "used by another process" backing="$dir/file"
	stop_server
}

test_a_read_only_export_is_refused() {
	truncate -s 64M "$dir/peer.img"
	nbdkit -r -f -U "$dir/peer" file "$dir/peer.img" >/dev/null 2>&1 &
	peer_pid=$!
	for _ in $(seq 500); do
		nbdinfo --size "nbd+unix:///?socket=$dir/peer" >/dev/null 2>&1 && break
		sleep 0.02
	done
	refused "is read-only" backing="nbd+unix:///?socket=$dir/peer"
	stop_peer
}

run_tests
