#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A server that nbdkit leaves in the background, and the control socket that it was given
# by a path relative to where it was started.
# shellcheck source=tests/nbd/lib.sh
. "$(dirname "$0")/lib.sh"

clean_up() {
	[ -z "${daemon-}" ] || kill -9 "$daemon"
}

has_a_pid() {
	[ -s "$dir/pid" ]
}

# Sets daemon; fails as nbdkit does.
start_daemon() {
	cd "$dir"
	nbdkit_plugin -U "$dir/nbd" -P "$dir/pid" "$RAMZSWAP_PLUGIN" swap=off 64M \
		control=control || return
	# nbdkit returns before the server that it leaves behind has written this.
	soon has_a_pid || fail "no server"
	daemon=$(cat "$dir/pid")
}

# A process that has ended but was not reaped yet has no program any more.
daemon_has_ended() {
	! readlink "/proc/$daemon/exe" >/dev/null
}

# end_daemon SIGNAL
end_daemon() {
	kill "-$1" "$daemon"
	soon daemon_has_ended || fail "the server does not end"
	daemon=
	rm -f "$dir/nbd" "$dir/pid"
}

size_told() {
	"$RZSCONTROL" -c "$dir/control" stats --json | jq .disksize
}

test_the_daemon_serves_a_relative_control_path_and_removes_it() {
	start_daemon
	equal "where the server is" "$(readlink "/proc/$daemon/cwd")" /
	equal "mode of the socket" "$(command stat -c %a "$dir/control")" 600
	equal "disksize" "$(size_told)" $((64 << 20))
	end_daemon TERM
	[ ! -e "$dir/control" ] || fail "the socket is left behind"
}

test_the_socket_of_a_killed_server_is_replaced() {
	start_daemon
	end_daemon KILL
	[ -S "$dir/control" ] || fail "a killed server has removed its socket"
	start_daemon
	equal "disksize" "$(size_told)" $((64 << 20))
	end_daemon TERM
}

test_a_second_server_does_not_take_a_live_ones_socket() {
	local status=0 said
	start_daemon
	said=$(nbdkit_plugin -U "$dir/other" "$RAMZSWAP_PLUGIN" swap=off 32M \
		control="$dir/control" 2>&1) || status=$?
	equal "status" "$status" 1
	[[ $said == *"a server listens on $dir/control already"* ]] || fail "says: $said"
	equal "lines of: $said" "$(wc -l <<<"$said")" 1
	equal "disksize" "$(size_told)" $((64 << 20))
	end_daemon TERM
}

# What is not resident yet is read from its file at its first use: in the middle of a write
# that is to free memory, perhaps.
test_code_that_serves_requests_is_in_memory_from_the_start() {
	sanitized && skip "a sanitizer's code is not ours to keep"
	[ "$(id -u)" = 0 ] || skip "locks memory: needs root"
	start_server swap=auto algorithm=zstd 32M
	awk '/^[0-9a-f]+-[0-9a-f]+ / { code = $2 ~ /^r-/; name = $6; sub(".*/", "", name) }
		code && name ~ /^(nbdkit|ramzswap|libc\.so|libzstd\.so)/ && $1 ~ /^(Size|Rss):/ {
			sum[name " " $1] += $2; seen[name]
		}
		END { for (n in seen) print n, sum[n " Size:"], sum[n " Rss:"] }' \
		"/proc/$server_pid/smaps" >"$dir/code"
	cat "$dir/code"
	equal "programs and libraries" "$(wc -l <"$dir/code")" 4
	awk '$2 != $3' "$dir/code" >"$dir/missing"
	[ ! -s "$dir/missing" ] || fail "not all in memory: $(cat "$dir/missing")"
	stop_server
}

run_tests
