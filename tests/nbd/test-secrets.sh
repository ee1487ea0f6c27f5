#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What was stored stays between the disk and its clients: not in a core dump, not for another
# process of the same user, and with wipe=on nowhere once it is freed.
# shellcheck source=tests/nbd/lib.sh
. "$(dirname "$0")/lib.sh"

marks=$(cd "$(dirname "$0")" && pwd)/marks
pages=2000

# die_of_a_fault PARAMETER...: fills a disk and ends its server as a bug would; sets dumped
die_of_a_fault() {
	control=$dir/control
	# In a directory where a core may be left, and as large as it comes.
	launch_server control="$control" size=32M swap=off "$@"
	prlimit --pid "$server_pid" --core=unlimited 2>/dev/null || skip "no limit on cores may be raised"
	until_ready nbdinfo --size "$uri"
	"$marks" make "$pages" "$dir/pages"
	timeout "$patience" qemu-io -f raw -c "write -s $dir/pages 0 $((pages * 4))k" "$uri" >/dev/null
	equal "pages stored" "$(stat pages_stored)" "$pages"
	kill -SEGV "$server_pid"
	wait "$server_pid" 2>"$dir/said" || true
	server_pid=
	core=$(find "$dir" -name 'core*' | head -n 1)
}

# A core is left only where the kernel writes one to the directory of the process.
cores_are_files() {
	case $(cat /proc/sys/kernel/core_pattern) in
	'|'* | */*) return 1 ;;
	esac
}

test_a_fault_leaves_no_core() {
	! sanitized || skip "a sanitizer ends a process itself"
	cores_are_files || skip "cores go elsewhere here"
	cd "$dir"
	RAMZSWAP_DUMPABLE=1 die_of_a_fault
	[ -n "$core" ] || skip "no core is dumped here, whatever is asked for"
	# For a debugger: what its threads had in hand, but not the disk.
	within "marks in a core that was asked for" "$("$marks" count "$core")" 0 $((pages / 4))
	rm -f "$core" "$control" "$socket"
	die_of_a_fault
	equal "core" "$core" ""
}

test_another_process_of_the_user_does_not_look_in() {
	[ "$(id -u)" = 0 ] || skip "becomes another user: needs root"
	! sanitized || skip "a sanitizer traces the process itself"
	local how seen
	chmod 755 "$dir"
	# The build may lie in a home that only its owner may read.
	install -m 755 "$RAMZSWAP_PLUGIN" "$dir/ramzswap.so"
	install -m 755 "$marks" "$dir/marks"
	"$marks" make "$pages" "$dir/pages"
	for how in 1 0; do
		mkdir -m 777 "$dir/$how"
		socket=$dir/$how/nbd uri="nbd+unix:///?socket=$dir/$how/nbd" log=$dir/log
		# In the same session as who looks, so that no other rule keeps him out.
		RAMZSWAP_DUMPABLE=$how setpriv --reuid=65534 --regid=65534 --clear-groups \
			--bounding-set=-all --inh-caps=-all \
			nbdkit -f -U "$socket" "$dir/ramzswap.so" size=32M swap=off >"$log" 2>&1 &
		server_pid=$!
		until_ready nbdinfo --size "$uri"
		timeout "$patience" qemu-io -f raw -c "write -s $dir/pages 0 $((pages * 4))k" "$uri" \
			>/dev/null
		seen=$(setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all \
			--inh-caps=-all "$dir/marks" count "$server_pid" 2>"$dir/refused") || seen=none
		stop_server
		case $how in
		1) [ "$seen" != none ] || skip "no process may look into another here"
			within "what was seen" "$seen" $((pages * 9 / 10)) "$pages" ;;
		0) equal "what was seen" "$seen" none ;;
		esac
	done
	grep -q "Permission denied" "$dir/refused" || fail "not refused: $(cat "$dir/refused")"
}

# found: how many marks are in the server's memory
found() {
	"$marks" count "$server_pid" || skip "the server cannot be looked into here"
}

io() {
	local command words=()
	for command in "$@"; do
		words+=(-c "$command")
	done
	timeout "$patience" qemu-io -f raw "${words[@]}" "$uri" >"$dir/io"
	soon nobody_is_connected || fail "the client is still there"
}

nobody_is_connected() {
	[ "$(stat connections)" -eq 0 ]
}

# Fills a disk of pages with marks.
start_marked() {
	! sanitized || skip "a sanitizer's shadow memory is terabytes to look through"
	control=$dir/control
	export RAMZSWAP_DUMPABLE=1
	start_server control="$control" size=64M swap=off "$@"
	"$marks" make "$pages" "$dir/pages"
	io "write -s $dir/pages 0 $((pages * 4))k"
	within "marks of the pages stored" "$(found)" $((pages * 9 / 10)) "$pages"
}

# The background may still have an object to free that it has just moved.
nothing_is_left() {
	soon found_nothing || fail "$(found) marks are left $*"
}

found_nothing() {
	[ "$(found)" -eq 0 ]
}

# What is stored no more is in memory no more, whatever way it went.
wiped_by() {
	# zstd's work memory keeps parts of pages, as the manual says.
	start_marked wipe=on recompress=2000000:lzo
	"$@"
	nothing_is_left "after: $*"
	stop_server
}

test_without_wipe_they_would_be_seen() {
	start_marked
	io "discard 0 64M"
	# As much as has not gone back to the system.
	[ "$(found)" -gt 0 ] || skip "nothing of it is left, by chance"
	stop_server
}

test_wipe_forgets_what_was_trimmed() {
	wiped_by io "discard 0 64M"
}

test_wipe_forgets_what_was_zeroed_in_parts() {
	wiped_by io "write -z 100 $((pages * 4096 - 100))" "discard 0 4k"
}

test_wipe_forgets_what_was_overwritten() {
	wiped_by io "write -P 7 0 $((pages * 4))k"
}

test_wipe_forgets_what_was_reset() {
	wiped_by "$RZSCONTROL" -c "$dir/control" reset
}

# Copies of a page: read in part, written in part, moved, compressed again, checked.
copied_about() {
	io "read 5000 100000" "write -P 1 4100 9000" "read 0 $((pages * 4))k"
	python3 - "$socket" "$pages" <<-'END'
		import socket, struct, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		s.recv(18, socket.MSG_WAITALL)
		s.sendall(struct.pack(">IQII", 3, 0x49484156454F5054, 1, 0))
		s.recv(10, socket.MSG_WAITALL)
		for page in range(0, int(sys.argv[2]), 2):
		    s.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 4, page, page * 4096, 4096))
		    assert s.recv(16, socket.MSG_WAITALL)[4:8] == bytes(4)
		s.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 2, 0, 0, 0))
	END
	"$RZSCONTROL" -c "$control" compact
	"$RZSCONTROL" -c "$control" recompress
	"$RZSCONTROL" -c "$control" check
	[ "$(stat pages_compacted)" -gt 0 ] && [ "$(stat pages_recompressed)" -gt 0 ] ||
		fail "nothing was moved"
	soon nobody_is_connected || fail "the client is still there"
	within "marks of the pages left" "$(found)" $((pages / 3)) $((pages / 2))
	io "discard 0 64M"
}

test_wipe_forgets_copies_that_were_worked_on() {
	wiped_by copied_about
}

test_wipe_forgets_what_came_back_from_behind() {
	wiped_from_behind() {
		"$RZSCONTROL" -c "$control" writeback all
		nothing_is_left "of what is in the backing store"
		io "read 0 $((pages * 4))k" "write -P 1 4100 9000"
		io "discard 0 64M"
	}
	start_marked wipe=on backing="$dir/behind"
	wiped_from_behind
	nothing_is_left afterwards
	stop_server
}

run_tests
