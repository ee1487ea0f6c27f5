#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Commands that take long: how far they are is shown, and who gave one can end it.
# shellcheck source=tests/nbd/lib.sh
. "$(dirname "$0")/lib.sh"

rzs() {
	timeout "$patience" "$RZSCONTROL" -c "$control" "$@"
}

# A disk whose pages take a minute to be written back.
start_slow() {
	control=$dir/control
	start_server swap=off size=64M control="$control" backing="$dir/file" backing-rate=1M
	head -c 48M /dev/urandom >"$dir/source"
	nbdcopy "$dir/source" "$uri"
}

is_at() {
	rzs progress | grep -q "^$1"
}

# What was not cancelled would go on for most of the minute.
ended_early() {
	soon is_at "nothing that takes long"
	within "pages written back" "$(stat bd_count)" 1 6000
	equal "what is there" "$(rzs check)" "no errors found"
	nbdcopy "$uri" "$dir/back"
	cmp -n $((48 << 20)) "$dir/source" "$dir/back"
}

test_who_is_ended_ends_the_work_in_the_server() {
	start_slow
	"$RZSCONTROL" -c "$control" writeback all >"$dir/out" 2>"$dir/err" &
	soon is_at "writeback: "
	kill -TERM $!
	wait $! || equal "status of who was ended" $? 143
	ended_early
	equal "what a pipe gets of the progress" "$(cat "$dir/out" "$dir/err")" ""
	stop_server
}

test_cancel_ends_it_from_elsewhere() {
	local status=0
	start_slow
	"$RZSCONTROL" -c "$control" writeback all >"$dir/out" 2>"$dir/err" &
	soon is_at "writeback: "
	equal "cancel" "$(rzs cancel)" "writeback is cancelled"
	equal "progress" "$(rzs progress)" "nothing that takes long is being carried out"
	wait $! || status=$?
	equal "status of what was cancelled" $status 1
	grep -qE '^rzscontrol: cancelled: [1-9][0-9]* kB moved to the backing store until then$' "$dir/err" ||
		fail "says: $(cat "$dir/err")"
	ended_early
	rzs cancel 2>"$dir/err" && fail "there was something to cancel"
	equal "nothing to cancel" "$(cat "$dir/err")" "rzscontrol: there is nothing to cancel"
	stop_server
}

test_watching_fills_a_screen_and_gives_a_pipe_rows() {
	control=$dir/control
	start_server swap=off size=64M control="$control"
	nbdcopy "$RAMZSWAP_PLUGIN" "$uri"
	TERM=xterm timeout "$patience" script -qec "$RZSCONTROL -c $control watch 1 2" /dev/null </dev/null >"$dir/seen"
	equal "screens" "$(grep -c 'Ctrl-C ends it' "$dir/seen")" 2
	equal "looks" "$(grep -c 'stored in .* of memory' "$dir/seen")" 2
	! grep WRITES/s "$dir/seen" || fail "a terminal gets rows"
	rzs watch 1 2 >"$dir/rows"
	equal "rows with their heading" "$(wc -l <"$dir/rows")" 3
	python3 - "$RZSCONTROL" "$control" <<-'END' || fail "Ctrl-C does not end it"
		import os, pty, sys
		child, terminal = pty.fork()
		if child == 0:
		    os.execve(sys.argv[1], [sys.argv[1], "-c", sys.argv[2], "watch"], {**os.environ, "TERM": "xterm"})
		seen = b""
		while b"Ctrl-C ends it" not in seen:
		    seen += os.read(terminal, 4096)
		os.write(terminal, b"\x03")
		sys.exit(os.WTERMSIG(os.waitpid(child, 0)[1]) != 2)
	END
	stop_server
}

# As "echo writeback all | socat" does, which waits for half a second and goes.
test_a_client_that_only_sent_leaves_the_work_behind() {
	start_slow
	python3 - "$control" <<-'END'
		import socket, sys, time
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		s.sendall(b"writeback all\n")
		s.shutdown(socket.SHUT_WR)
		time.sleep(0.5)
		s.close()
	END
	sleep 1
	is_at "writeback: " || fail "it has ended"
	rzs cancel
	stop_server
}

test_a_terminal_sees_how_far_it_is() {
	start_slow
	TERM=xterm timeout 6 script -qec "$RZSCONTROL -c $control writeback all" /dev/null </dev/null >"$dir/seen" || true
	tr '\r' '\n' <"$dir/seen" >"$dir/lines"
	cat "$dir/lines"
	grep -qE '^writeback: [0-9]+%, [0-9]+ s so far' "$dir/lines" || fail "does not say how long it has taken"
	grep -qE '^writeback: [0-9]+%, about ([0-9]+ min )?[0-9]+ s left' "$dir/lines" || fail "does not say how long it will take"
	ended_early
	stop_server
}

run_tests
