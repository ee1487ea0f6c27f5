#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nbdkit before 1.34 may end when a client hangs up: it is told, and what we start avoids it.
# shellcheck source=tests/nbd/lib.sh
. "$(dirname "$0")/lib.sh"

top=$(cd "$(dirname "$0")/../.." && pwd)
words="may end when a client hangs up"

# warns OPTION...: whether the server does at its start
warns() {
	local said=0
	nbdkit_plugin -f -U "$dir/nbd" "$@" "$RAMZSWAP_PLUGIN" size=1M swap=off \
		--run 'nbdinfo --size "$uri"' >"$dir/out" 2>&1 || { cat "$dir/out"; fail "nbdkit"; }
	grep -q "$words" "$dir/out" || said=1
	rm -f "$dir/nbd"
	return "$said"
}

must_be_old() {
	grep -qa raw_send_socket "$(command -v nbdkit)" || skip "this nbdkit has not got the fault"
}

test_an_old_nbdkit_is_warned_of_unless_its_options_are_safe() {
	local options
	must_be_old
	[[ ${RAMZSWAP_PRELOAD-} != *libtsan* ]] || skip "ThreadSanitizer ends the command of --run"
	for options in "" "-t 1" "--no-sr" "-t 2 --no-sr" "-t 16 --no-sr" "--threads=1"; do
		# shellcheck disable=SC2086
		warns $options || fail "no warning with: $options"
	done
	for options in "-t 1 --no-sr" "-t1 --no-sr" "--threads=1 --no-sr" \
		"--no-sr --threads 1"; do
		# shellcheck disable=SC2086
		! warns $options || fail "a warning with: $options"
	done
}

test_a_new_nbdkit_is_not_warned_of() {
	! grep -qa raw_send_socket "$(command -v nbdkit)" || skip "this nbdkit has the fault"
	! warns || fail "a warning"
}

# Each command line of ours by which a server is started for clients that may hang up.
test_what_we_start_or_advise_has_the_safe_options() {
	local line
	grep -q -- '-t "$THREADS" --no-sr' "$top/scripts/ramzswap" ||
		fail "scripts/ramzswap does not set them"
	grep -qE 'THREADS=1( |$)' "$top/scripts/ramzswap" || fail "nor one thread by default"
	grep -hE '^ +(server# )?nbdkit .*ramzswap ' "$top/README.md" "$top/docs/"*.pod |
		grep -vE '^ nbdkit ramzswap \[' >"$dir/recipes"
	[ -s "$dir/recipes" ] || fail "no recipe was found"
	while read -r line; do
		[[ $line == *"-t 1 --no-sr"* ]] || fail "not safe: $line"
	done <"$dir/recipes"
}

run_tests
