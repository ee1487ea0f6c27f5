#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ramzswap reload: what may change while a disk is in use does, of the rest it is said when it will.
# The server is a real one; that it is a disk of swap is written by hand where a start writes it.
# shellcheck source=tests/nbd/lib.sh
. "$(dirname "$0")/lib.sh"

ramzswap=$(dirname "$0")/../../scripts/ramzswap

# starts_with SETTING...: a server, and what a start by these settings has written
starts_with() {
	[ "$(id -u)" = 0 ] || skip "only root may reload"
	control=$dir/control
	mkdir -p "$dir/run/bin" "$dir/root/etc"
	start_server swap=off size=64M control="$control" "$@"
	echo "control_socket='$control'" >"$dir/run/state"
	printf '%s\n' SIZE=64M PRIORITY=100 THREADS=1 CONNECTIONS=1 DOOR= DEVICE= MIN_FREE_KBYTES=auto \
		PAGE_CLUSTER=keep POLL_US=1000 MAX_SECTORS_KB=auto SCHEDULER=none GUARD=yes NOTICES=auto "$@" \
		>"$dir/run/bin/settings"
}

# reload SETTING...: by files that say so, and no more
reload() {
	printf '%s\n' size=64M "$@" >"$dir/root/etc/ramzswap.conf"
	RAMZSWAP_RUN=$dir/run RAMZSWAP_DEFAULTS=$dir/none RAMZSWAP_SETTINGS_ROOT=$dir/root "$ramzswap" reload 2>&1
}

test_limits_change_at_once() {
	local budget=backing-budget=8M rate=backing-rate=4M
	starts_with backing="$dir/file" $budget $rate memlimit=32M
	equal "what nothing changes" "$(reload backing="$dir/file" $budget $rate memlimit=32M)" \
		"ramzswap: the settings are as they were"
	equal "what is said" "$(reload backing="$dir/file" backing-budget=16M memlimit=40M)" \
		"ramzswap: memlimit is 40M now
ramzswap: backing-budget is 16M now
ramzswap: backing-rate is none now"
	equal memlimit "$(stat memlimit)" $((40 << 20))
	equal "budget a day" "$(stat bd_budget)" $((16 << 20))
	equal "what is said again" "$(reload backing="$dir/file" backing-budget=16M memlimit=40M)" \
		"ramzswap: the settings are as they were"
	stop_server
}

test_a_share_is_of_the_memory_that_there_is() {
	starts_with memlimit=10%
	local share
	share=$(stat memlimit)
	# As if the machine had had less before.
	"$RZSCONTROL" -c "$control" memlimit 20M
	reload memlimit=10%
	equal memlimit "$(stat memlimit)" "$share"
	stop_server
}

test_what_waits_for_the_next_start_is_told() {
	starts_with memlimit=32M
	equal "what is said" "$(reload memlimit=32M threads=2 backing="$dir/file" backing-rate=4M)" \
		"ramzswap: the next start takes THREADS=2
ramzswap: the next start takes backing=$dir/file
ramzswap: the next start takes backing-rate=4M"
	equal "what is said without" "$(reload)" "ramzswap: memlimit is none now"
	stop_server
}

test_a_refused_change_is_an_error_and_the_rest_stays_known() {
	starts_with backing="$dir/file" memlimit=32M
	! reload backing="$dir/file" memlimit=40M backing-rate=0.5 || fail "was taken"
	equal memlimit "$(stat memlimit)" $((40 << 20))
	equal "what is said" "$(reload backing="$dir/file" memlimit=40M)" "ramzswap: the settings are as they were"
	stop_server
}

run_tests
