#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The recipes of the manual for virtual machines, CI jobs and services, as far as they need no other
# program than these: run as they stand there, and again, also after a crash of the server.
# shellcheck source=tests/nbd/lib.sh
. "$(dirname "$0")/lib.sh"

disk=(-t 1 --no-sr "$RAMZSWAP_PLUGIN" 64M swap=off)

# writes_and_reads SOCKET: by whatever is before it
writes_and_reads() {
	"$@" qemu-io -f raw -c 'write -P 7 0 1M' -c 'read -P 7 0 1M' "nbd+unix:///?socket=$dir/disk/nbd"
}

test_a_job_has_a_disk_for_as_long_as_it_runs() {
	local status=0 try
	[[ ${RAMZSWAP_PRELOAD-} != *libtsan* ]] || skip "ThreadSanitizer ends the command of --run"
	for try in 1 2; do
		# shellcheck disable=SC2016
		timeout "$patience" env ${RAMZSWAP_PRELOAD:+LD_PRELOAD="$RAMZSWAP_PRELOAD"} nbdkit -U - "${disk[@]}" --run '
			qemu-io -f raw -c "read -P 0 0 1M" -c "write -P 7 0 1M" -c "read -P 7 0 1M" "$uri"'
	done
	nbdkit_plugin -U - "${disk[@]}" --run 'exit 5' || status=$?
	equal "status of the job" $status 5
}

test_a_disk_is_for_a_group() {
	[ "$(id -u)" = 0 ] || skip "only root gives a socket to a group"
	command -v setpriv >/dev/null || skip "setpriv is missing (package util-linux)"
	local -a other=(setpriv --reuid=65534 --regid=65534) try
	chmod 711 "$dir"
	for try in 1 2; do
		rm -f "$dir/disk/nbd" "$dir/pid"
		install -d -m 750 -g 100 "$dir/disk"
		nbdkit_plugin -U "$dir/disk/nbd" -P "$dir/pid" "${disk[@]}"
		# nbdkit may be in the background before it has written that.
		soon test -s "$dir/pid" || fail "no number of a process"
		server_pid=$(cat "$dir/pid") log=/dev/null
		chgrp 100 "$dir/disk/nbd"
		chmod 660 "$dir/disk/nbd"
		writes_and_reads "${other[@]}" --groups 100
		! writes_and_reads "${other[@]}" --clear-groups || fail "another user has it, too"
		# The socket stays, whichever way the server ends.
		kill -9 "$server_pid"
		soon gone "$server_pid"
		server_pid=
	done
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

test_a_disk_comes_when_it_is_asked_for() {
	command -v systemd-socket-activate >/dev/null || skip "systemd-socket-activate is missing (package systemd)"
	[ -z "${RAMZSWAP_PRELOAD-}" ] || skip "systemd-socket-activate passes no LD_PRELOAD on"
	local try
	mkdir "$dir/disk"
	for try in 1 2; do
		systemd-socket-activate -l "$dir/disk/nbd" nbdkit -f --exit-with-parent "${disk[@]}" >"$dir/log" 2>&1 &
		server_pid=$! log=$dir/log
		soon listens "$dir/disk/nbd" || fail "nobody listens"
		grep -Eq "Exec(ut)?ing" "$log" && fail "the server was started before somebody came"
		writes_and_reads
		grep -Eq "Exec(ut)?ing" "$log" || fail "the server was there already"
		kill -9 "$server_pid"
		wait "$server_pid" || true
		server_pid=
	done
}

run_tests
