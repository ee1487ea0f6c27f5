#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A server that nbdkit gives to another user (-u): what protects swap is to last, or to be
# missed aloud.
# shellcheck source=tests/nbd/lib.sh
. "$(dirname "$0")/lib.sh"

# A user without privileges has little of what root has.
small_limits=(prlimit --memlock=65536:65536 --rtprio=0:0)

# What may not be raised.
final=(setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource)

must_be_protected_as_root() {
	[ "$(id -u)" = 0 ] || skip "changes its user: needs root"
	nbdkit_plugin "$RAMZSWAP_PLUGIN" --dump-plugin swap=auto size=1M >"$dir/fields"
	grep -q ramzswap_locked=1 "$dir/fields" && grep -q ramzswap_real_time=1 "$dir/fields" ||
		skip "not even root may lock memory and be of a real-time class here"
}

# start_as_nobody PARAMETER...: sets server_pid, socket, uri, log; in front of nbdkit the words of
# the array privileges
start_as_nobody() {
	socket=$dir/nbd
	uri="nbd+unix:///?socket=$socket"
	log=$dir/log
	"${small_limits[@]}" ${privileges[@]+"${privileges[@]}"} \
		env ${RAMZSWAP_PRELOAD:+LD_PRELOAD="$RAMZSWAP_PRELOAD"} nbdkit -f -u nobody \
		-U "$socket" "$RAMZSWAP_PLUGIN" "$@" >"$log" 2>&1 &
	server_pid=$!
}

test_strict_swap_is_refused_where_another_user_has_no_protection() {
	local status=0
	must_be_protected_as_root
	timeout "$patience" "${small_limits[@]}" "${final[@]}" \
		env LD_PRELOAD="${RAMZSWAP_PRELOAD:+$RAMZSWAP_PRELOAD:}$RAMZSWAP_GRANTED" \
		nbdkit -f -u nobody -U "$dir/nbd" "$RAMZSWAP_PLUGIN" swap=strict 16M \
		>"$dir/out" 2>&1 || status=$?
	cat "$dir/out"
	equal "status" "$status" 1
	equal "lines" "$(wc -l <"$dir/out")" 1
	grep -q "swap=strict: missing: .*real-time class" "$dir/out" || fail "does not say why"
	# A sanitizer makes mlockall do nothing, and well.
	sanitized || grep -q "missing: memory lock" "$dir/out" || fail "does not name the lock"
}

test_what_another_user_does_not_have_is_told() {
	local privileges=("${final[@]}")
	must_be_protected_as_root
	start_as_nobody swap=auto 16M
	until_ready nbdinfo --size "$uri"
	grep "protections were lost" "$log" >"$dir/told" || fail "nothing is told: $(cat "$log")"
	equal "lines" "$(wc -l <"$dir/told")" 1
	grep -q "missing: .*real-time class" "$dir/told" || fail "does not name the class"
	sanitized || grep -q "missing: memory lock" "$dir/told" || fail "does not name the lock"
	stop_server
}

test_another_user_keeps_the_protections_that_root_had() {
	local privileges=() control=$dir/control
	must_be_protected_as_root
	"${small_limits[@]}" sh -c 'ulimit -l unlimited' 2>/dev/null ||
		skip "not even root may raise its limits here"
	start_as_nobody swap=strict 16M control="$control"
	until_ready nbdinfo --size "$uri"
	equal "user" "$(command stat -c %U "/proc/$server_pid")" nobody
	equal "locked" "$(stat locked)" 1
	equal "real_time" "$(stat real_time)" 1
	stop_server
}

# What every thread of the server has, each once.
capabilities() {
	awk '/^(CapEff|CapPrm|CapBnd|NoNewPrivs):/ { print $1, $2 }' "/proc/$server_pid"/task/*/status |
		sort -u
}

test_a_disk_that_is_no_swap_keeps_no_privilege() {
	[ "$(id -u)" = 0 ] || skip "has none to give up: needs root"
	start_server swap=off size=16M control="$dir/control"
	qemu-io -f raw -c "write 0 1M" -c "read 0 1M" "$uri" >/dev/null
	grep -v '^CapBnd' <(capabilities) >"$dir/kept"
	cat "$dir/kept"
	equal "what is kept" "$(tr '\n' ' ' <"$dir/kept")" \
		"CapEff: 0000000000000000 CapPrm: 0000000000000000 NoNewPrivs: 1 "
	# What it made it can still remove.
	stop_server
	[ ! -e "$dir/control" ] || fail "the control socket stayed behind"
}

test_a_disk_that_may_be_swap_keeps_what_it_needs() {
	[ "$(id -u)" = 0 ] || skip "has none: needs root"
	start_server swap=auto size=16M
	capabilities | grep -E '^CapEff: 0*[1-9a-f]' || fail "none is left"
	stop_server
}

run_tests
