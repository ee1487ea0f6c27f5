#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A disk with a backing store: a file, an NBD server, and what cannot be one.
# shellcheck source=tests/nbd/lib.sh
. "$(dirname "$0")/lib.sh"

refused_parameters=(size=16M)

# What the peer said is shown with what the server did.
clean_up() {
	[ ! -e "$dir/peer.log" ] || sed 's/^/peer: /' "$dir/peer.log"
}

# random_file NAME MEBIBYTES
random_file() {
	head -c "$2M" /dev/urandom >"$dir/$1"
}

# launch_peer ARGUMENT...: an nbdkit, reached at $peer
launch_peer() {
	peer="nbd+unix:///?socket=$dir/peer"
	rm -f "$dir/peer"
	nbdkit -f --exit-with-parent -U "$dir/peer" "$@" >"$dir/peer.log" 2>&1 &
	peer_pid=$!
	soon listens "$dir/peer" || {
		cat "$dir/peer.log"
		fail "the peer did not start"
	}
}

# start_peer [ARGUMENT...]: one whose data is in the file peer.img, which stays
start_peer() {
	launch_peer "$@" file "$dir/peer.img"
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
		backing="nbd+unix:///?socket=$dir/peer" backing-timeout="$patience"
	copy_and_compare 64
	"$RZSCONTROL" -c "$control" check
	equal "failed reads" "$(stat failed_reads)" 0
	stop_server
	stop_peer
}

test_another_ramzswap_is_a_backing_store() {
	control=$dir/control
	env ${RAMZSWAP_PRELOAD:+LD_PRELOAD="$RAMZSWAP_PRELOAD"} nbdkit -f --exit-with-parent \
		-U "$dir/peer" "$RAMZSWAP_PLUGIN" swap=off size=128M >"$dir/peer.log" 2>&1 &
	peer_pid=$!
	soon listens "$dir/peer" || {
		cat "$dir/peer.log"
		fail "the peer did not start"
	}
	start_server swap=off size=64M memlimit=8M control="$control" \
		backing="nbd+unix:///?socket=$dir/peer" backing-timeout="$patience"
	copy_and_compare 64
	"$RZSCONTROL" -c "$control" check
	stop_server
	stop_peer
}

test_a_lost_peer_is_found_again_and_memory_is_served_meanwhile() {
	control=$dir/control
	truncate -s 128M "$dir/peer.img"
	start_peer
	# So long does a page there make its reader wait, and a peer that is slow may take.
	start_server swap=off size=64M control="$control" backing-timeout=10 \
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
	attempts=0
	! reads_from_there || fail "read from nowhere"
	start_peer
	soon reads_from_there || fail "the peer was not found again"
	nbdcopy "$uri" "$dir/back"
	cmp -n $((16 << 20)) "$dir/source" "$dir/back"
	"$RZSCONTROL" -c "$control" check
	within "failed reads there" "$(stat bd_failed_reads)" 1 $((2 * attempts))
	stop_server
	stop_peer
}

reads_from_there() {
	attempts=$((attempts + 1))
	qemu-io -r -f raw -c "read 4k 4k" "$uri" 2>&1 | grep -q "read 4096/4096"
}

test_a_peer_that_is_killed_under_load_is_found_again() {
	control=$dir/control
	truncate -s 128M "$dir/peer.img"
	# 2 MB a second for each of four connections: so that it is killed in the middle.
	local slow=(--filter=rate file "$dir/peer.img" rate=16M)
	launch_peer "${slow[@]}"
	start_server swap=off size=64M memlimit=8M control="$control" backing-timeout="$patience" \
		backing="$peer"
	random_file source 48
	nbdcopy "$dir/source" "$uri" &
	local copy=$!
	soon some_are_there || fail "nothing went to the peer"
	stop_peer
	# Memory has no room for the rest.
	kill -0 "$copy" || fail "there was no load any more"
	for _ in 1 2; do
		launch_peer "${slow[@]}"
		sleep 0.3
		stop_peer
		sleep 0.2
	done
	start_peer
	wait "$copy" || fail "the copy failed"
	nbdcopy "$uri" "$dir/back"
	cmp -n $((48 << 20)) "$dir/source" "$dir/back"
	"$RZSCONTROL" -c "$control" check
	equal "failed writes" "$(stat failed_writes)" 0
	equal "failed reads" "$(stat failed_reads)" 0
	stop_server
	stop_peer
}

some_are_there() {
	[ "$(stat bd_count)" -gt 0 ]
}

all_move() {
	"$RZSCONTROL" -c "$control" writeback all >/dev/null 2>&1
}

test_errors_of_a_peer_are_errors_of_a_page_or_of_none() {
	control=$dir/control
	truncate -s 128M "$dir/peer.img"
	launch_peer --filter=error file "$dir/peer.img" error=EIO \
		error-pread-rate=100% error-pread-file="$dir/no-reads" \
		error-pwrite-rate=100% error-pwrite-file="$dir/no-writes"
	start_server swap=off size=64M control="$control" backing="$peer" \
		backing-timeout="$patience"
	random_file source 16
	nbdcopy "$dir/source" "$uri"
	# What cannot be written stays where it is.
	touch "$dir/no-writes"
	! "$RZSCONTROL" -c "$control" writeback all || fail "written in spite of errors"
	equal "pages behind the pool" "$(stat bd_count)" 0
	within "failed writes there" "$(stat bd_failed_writes)" 1 100
	rm "$dir/no-writes"
	# It is tried again after a while.
	soon all_move || fail "the peer is not written to any more"
	equal "pages behind the pool" "$(stat bd_count)" 4096
	# What cannot be read is an error, and nothing else is.
	touch "$dir/no-reads"
	qemu-io -f raw -c "write -q -s $dir/source 32M 4M" "$uri"
	! qemu-io -r -f raw -c "read 8M 4k" "$uri" | grep -q "read 4096/4096" || fail "read from nowhere"
	qemu-io -r -f raw -c "read 32M 4M" "$uri" | grep -q "read 4194304/4194304"
	rm "$dir/no-reads"
	nbdcopy "$uri" "$dir/back"
	cmp -n $((16 << 20)) "$dir/source" "$dir/back"
	equal "pages that were not read" "$(stat bd_failed_reads)" 1
	stop_server
	stop_peer
}

test_a_peer_is_reached_by_tls() {
	nbdkit --dump-config | grep -q tls=yes || skip "this nbdkit has no TLS"
	truncate -s 128M "$dir/peer.img"
	psktool -u ramzswap -p "$dir/keys.psk" >/dev/null 2>&1 || skip "psktool (gnutls-bin) is missing"
	start_peer --tls=require --tls-psk="$dir/keys.psk"
	# Who does not speak it, or has another key, is not let in.
	refused "cannot be reached" swap=off backing="$peer"
	psktool -u ramzswap -p "$dir/other.psk" >/dev/null 2>&1
	peer="nbds+unix://ramzswap@/?socket=$dir/peer"
	refused "cannot be reached" swap=off backing="$peer&tls-psk-file=$dir/other.psk"
	start_server swap=off size=64M memlimit=8M backing="$peer&tls-psk-file=$dir/keys.psk" \
		backing-timeout="$patience"
	copy_and_compare 32
	stop_server
	stop_peer
}

# certificate NAME TEMPLATE-LINE...: a key and a certificate by the authority in tls/ca-*
certificate() {
	local name=$1
	shift
	printf '%s\n' "$@" >"$dir/template"
	certtool --generate-privkey --key-type=ecdsa --outfile "$dir/tls/$name-key.pem" 2>/dev/null
	certtool --generate-certificate --load-privkey "$dir/tls/$name-key.pem" \
		--load-ca-certificate "$dir/tls/ca-cert.pem" --load-ca-privkey "$dir/tls/ca-key.pem" \
		--template "$dir/template" --outfile "$dir/tls/$name-cert.pem" 2>/dev/null
}

test_a_peer_is_known_by_its_certificate() {
	nbdkit --dump-config | grep -q tls=yes || skip "this nbdkit has no TLS"
	command -v certtool >/dev/null || skip "certtool (gnutls-bin) is missing"
	truncate -s 128M "$dir/peer.img"
	mkdir "$dir/tls" "$dir/strangers"
	printf '%s\n' "cn = authority" ca cert_signing_key >"$dir/template"
	certtool --generate-privkey --key-type=ecdsa --outfile "$dir/tls/ca-key.pem" 2>/dev/null
	certtool --generate-self-signed --load-privkey "$dir/tls/ca-key.pem" \
		--template "$dir/template" --outfile "$dir/tls/ca-cert.pem" 2>/dev/null
	certificate server "cn = localhost" "dns_name = localhost" tls_www_server signing_key
	certificate client "cn = client" tls_www_client signing_key
	start_peer --tls=require --tls-certificates="$dir/tls" --tls-verify-peer
	peer="nbds+unix://localhost/?socket=$dir/peer&tls-certificates"
	# One that trusts another authority turns away.
	certtool --generate-privkey --key-type=ecdsa --outfile "$dir/strangers/key.pem" 2>/dev/null
	printf '%s\n' "cn = stranger" ca cert_signing_key >"$dir/template"
	certtool --generate-self-signed --load-privkey "$dir/strangers/key.pem" \
		--template "$dir/template" --outfile "$dir/strangers/ca-cert.pem" 2>/dev/null
	refused "cannot be reached" swap=off backing="$peer=$dir/strangers"
	start_server swap=off size=64M memlimit=8M backing="$peer=$dir/tls" \
		backing-timeout="$patience"
	copy_and_compare 32
	stop_server
	stop_peer
}

test_a_peer_that_lies_about_its_size_is_refused() {
	launch_peer null size=64M
	refused "lies about its size" swap=off backing="$peer"
	stop_peer
	launch_peer --filter=truncate memory 8M truncate=64M
	refused "fails at byte" swap=off backing="$peer"
	stop_peer
}

test_a_peer_behind_swap_of_this_machine_is_refused_if_that_is_to_be_strict() {
	refused "cannot stand behind swap" swap=strict backing="nbd://localhost/"
	refused "cannot stand behind swap" swap=strict backing="nbds+unix:///?socket=$dir/peer"
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
	refused "no room for" backing="$dir/huge" backing-size=1E
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
	start_peer -r
	refused "is read-only" backing="$peer"
	stop_peer
}

run_tests
