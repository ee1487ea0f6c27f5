#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the plugin says of itself, and how a disk of 16 TiB starts.
# shellcheck source=tests/nbd/lib.sh
. "$(dirname "$0")/lib.sh"

# What is a thread's own is there when the thread is: else malloc makes it in the first request.
test_the_first_request_of_a_thread_allocates_no_variables() {
	nm -D --undefined-only "$RAMZSWAP_PLUGIN" >"$dir/symbols"
	grep -q nbdkit_ "$dir/symbols" || fail "nm names no symbol of nbdkit"
	! grep -w __tls_get_addr "$dir/symbols" || fail "variables of threads are allocated late"
}

test_dump_plugin_tells_what_it_is() {
	nbdkit_plugin "$RAMZSWAP_PLUGIN" --dump-plugin >"$dir/dump"
	cat "$dir/dump"
	grep -qx 'name=ramzswap' "$dir/dump"
	grep -qx 'max_thread_model=parallel' "$dir/dump"
	grep -qx 'thread_model=parallel' "$dir/dump"
	grep -qx 'magic_config_key=size' "$dir/dump"
	grep -qE '^ramzswap_default_size=[1-9][0-9]*$' "$dir/dump"
	grep -qE '^ramzswap_algorithms=lzo' "$dir/dump"
	local callback
	for callback in pread pwrite flush trim zero extents cache can_multi_conn can_fua \
		can_fast_zero can_extents can_cache is_rotational block_size \
		export_description config_help; do
		grep -qx "has_$callback=1" "$dir/dump" || fail "no $callback"
	done
}

# Asking what a plugin is must neither take memory nor leave a socket behind.
test_dump_plugin_with_parameters_does_nothing() {
	nbdkit_plugin "$RAMZSWAP_PLUGIN" size=1T control="$dir/control" --dump-plugin >"$dir/dump"
	grep -qx 'name=ramzswap' "$dir/dump"
	[ ! -e "$dir/control" ]
}

test_help_names_every_parameter() {
	local name
	nbdkit_plugin "$RAMZSWAP_PLUGIN" --help >"$dir/help"
	cat "$dir/help"
	for name in size disksize memlimit reserve algorithm recompress swap control; do
		grep -q "$name" "$dir/help" || fail "no $name"
	done
}

test_nbdinfo_shows_a_complete_disk() {
	start_server swap=off size=1000000
	nbdinfo --json "$uri" >"$dir/info"
	cat "$dir/info"
	jq -e '.exports[0] | ."export-size" == 1000000 and .is_read_only == false
		and .is_rotational == false and .can_multi_conn and .can_flush and .can_fua
		and .can_trim and .can_zero and .can_fast_zero and .can_cache and .can_df
		and .block_size_minimum == 1 and .block_size_preferred == 4096
		and (.contexts | index("base:allocation") != null)
		and (.description | test("ramzswap|ompressed"))' "$dir/info" >/dev/null ||
		fail "a capability is missing"
	stop_server
}

test_maps_tell_data_from_holes() {
	start_server swap=off size=64G
	nbdinfo --map "$uri" >"$dir/map"
	cat "$dir/map"
	equal "a fresh disk" "$(awk '{ print $1, $2, $3 }' "$dir/map")" "0 68719476736 3"
	# Data at the front, alone in the middle, and in the last page.
	head -c 40960 /dev/urandom >"$dir/data"
	qemu-io -f raw -c "write -P 7 32G 4k" -c "write -P 8 68719472640 4k" \
		-c "write -s $dir/data 0 40960" -c "discard 8192 16384" \
		-c "write -z 32768 4096" "$uri"
	nbdinfo --map "$uri" >"$dir/map"
	cat "$dir/map"
	cat >"$dir/wanted" <<-END
		0 8192 0
		8192 16384 3
		24576 8192 0
		32768 4096 3
		36864 4096 0
		40960 34359697408 3
		34359738368 4096 0
		34359742464 34359730176 3
		68719472640 4096 0
	END
	awk '{ print $1, $2, $3 }' "$dir/map" | diff - "$dir/wanted"
	stop_server
}

# time_start [PARAMETER...]: starts a server of 16 TiB and sets started_ms
time_start() {
	local start
	start=$(date +%s%N)
	launch_server 16T "$@"
	until_ready listens "$socket"
	started_ms=$((($(date +%s%N) - start) / 1000000))
}

# Started with these parameters, a disk of 16 TiB must be there in a second and small.  A
# machine with much else to do may let one start wait, but hardly ten.
starts_at_once_and_small() {
	local started_ms
	time_start "$@"
	for _ in 1 2 3 4 5 6 7 8 9; do
		[ "$started_ms" -gt 999 ] || break
		stop_server
		time_start "$@"
	done
	sleep 0.5
	cat "$log"
	echo "$*: started in $started_ms ms, $(resident) bytes resident, $(own_resident) its own"
	within "time to start in ms" "$started_ms" 0 999
	within "resident memory of its own" "$(own_resident)" 1 $((4 << 20))
	equal size "$(nbdinfo --size "$uri")" $((16 << 40))
	stop_server
}

test_a_disk_of_16_tib_starts_at_once_and_small() {
	! sanitized || skip "a sanitizer takes memory and time of its own"
	starts_at_once_and_small swap=off
}

# Locking must not make resident what is only reserved.
test_a_disk_of_16_tib_starts_at_once_and_small_with_every_protection() {
	! sanitized || skip "a sanitizer takes memory and time of its own"
	starts_at_once_and_small control="$dir/control"
	starts_at_once_and_small reserve=0
}

test_the_map_of_an_empty_16_tib_disk_is_quick_and_costs_nothing() {
	must_have_addresses
	start_server swap=off size=16T
	local before
	before=$(resident)
	timeout 20 nbdinfo --map "$uri" >"$dir/map"
	equal map "$(awk '{ print $1, $2, $3 }' "$dir/map")" "0 17592186044416 3"
	sanitized || within "growth of resident memory" $(($(resident) - before)) -1000000 4000000
	stop_server
}

answers_or_has_ended() {
	! kill -0 "$server_pid" 2>/dev/null || nbdinfo --size "$uri" >/dev/null 2>&1
}

# start_tcp_server [PARAMETER...]: on a port that nobody has
start_tcp_server() {
	local port
	log=$dir/log
	socket=$dir/none
	for port in $(shuf -i 20000-60000 -n 20); do
		env ${RAMZSWAP_PRELOAD:+LD_PRELOAD="$RAMZSWAP_PRELOAD"} nbdkit -f --exit-with-parent \
			-i 127.0.0.1 -p "$port" "$RAMZSWAP_PLUGIN" "$@" >"$log" 2>&1 &
		server_pid=$!
		uri=nbd://127.0.0.1:$port
		soon answers_or_has_ended || break
		# One that has no port ends, whoever has it.
		! kill -0 "$server_pid" 2>/dev/null || return 0
	done
	cat "$log"
	fail "no server on any port"
}

# in_force NAME: whether a protection is, in the words of the log
in_force() {
	case $(stat "$1") in
	1) echo yes ;;
	*) echo no ;;
	esac
}

test_the_log_says_what_protects_swap() {
	local control=$dir/control words
	start_server 16M reserve=3M control="$control"
	words="swap=auto: memory lock $(in_force locked), IO flusher $(in_force io_flusher)"
	words+=", OOM score $(in_force oom_protected), real-time class $(in_force real_time)"
	words+="; reserve 3072 kB"
	cat "$log"
	equal "lines with '$words'" "$(grep -cF "$words" "$log")" 1
	stop_server
}

test_a_disk_for_others_has_nothing_to_say_of_swap() {
	start_server 16M swap=off
	equal "lines" "$(grep -cE 'swap=|memory lock' "$log")" 0
	stop_server
}

test_clients_over_TCP_are_warned_of_once() {
	start_tcp_server 16M
	nbdinfo --size "$uri" >/dev/null
	nbdinfo --size "$uri" >/dev/null
	equal "the number of warnings" "$(grep -c 'client over TCP' "$log")" 1
	stop_server
}

test_a_disk_for_others_may_be_had_over_TCP() {
	start_tcp_server 16M swap=off
	nbdinfo --size "$uri" >/dev/null
	equal "the number of warnings" "$(grep -c 'client over TCP' "$log")" 0
	stop_server
}

test_clients_on_a_Unix_socket_are_not_warned_of() {
	start_server 16M
	nbdinfo --size "$uri" >/dev/null
	equal "the number of warnings" "$(grep -c 'client over T' "$log")" 0
	stop_server
}

test_clients_over_TLS_are_warned_of_once() {
	[ "$(nbdkit --dump-config | sed -n 's/^tls=//p')" = yes ] || skip "nbdkit has no TLS"
	# A key of 16 bytes, as psktool(1) makes them.
	echo "user:$(head -c 16 /dev/urandom | od -An -v -tx1 | tr -d ' \n')" >"$dir/keys"
	launch_server --tls=require --tls-psk="$dir/keys" 16M
	uri="nbds+unix://user@/?socket=$socket&tls-psk-file=$dir/keys"
	until_ready nbdinfo --size "$uri"
	nbdinfo --size "$uri" >/dev/null
	cat "$log"
	equal "the number of warnings" "$(grep -c 'client over TLS' "$log")" 1
	stop_server
}

run_tests
