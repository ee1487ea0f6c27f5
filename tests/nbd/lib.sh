# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# For the tests that are scripts: real servers on private sockets, and TAP.
#
# A test is a function whose name starts with test_ and says what is promised.  Each
# runs in a shell of its own with set -e and a directory of its own ($dir); what it
# prints is shown if it fails.  It ends with 77 where it cannot be run here, and the
# last line printed says why.
#
# From the environment: RAMZSWAP_PLUGIN, RZSCONTROL, and RAMZSWAP_PRELOAD, the runtime
# of the sanitizer that the plugin was built with.

: "${RAMZSWAP_PLUGIN:?does not name the plugin}"
: "${RZSCONTROL:?does not name rzscontrol}"

export LC_ALL=C

# A build with a sanitizer is slower and larger: what measures has no sense there.
sanitized() {
	[ -n "${RAMZSWAP_PRELOAD-}" ]
}

# A thread sanitizer leaves a process too few addresses for a disk of a TiB.
must_have_addresses() {
	[[ ${RAMZSWAP_PRELOAD-} != *libtsan* ]] || skip "too few addresses under ThreadSanitizer"
}

skip() {
	echo "$*"
	exit 77
}

# Ends the test with what was expected and what was seen.
fail() {
	echo "FAILED: $*"
	exit 1
}

# equal WHAT SEEN WANTED
equal() {
	[ "$2" = "$3" ] || fail "$1 is '$2', not '$3'"
}

# within WHAT SEEN LOW HIGH
within() {
	[ "$2" -ge "$3" ] && [ "$2" -le "$4" ] || fail "$1 is $2, not within $3 and $4"
}

nbdkit_plugin() {
	env ${RAMZSWAP_PRELOAD:+LD_PRELOAD="$RAMZSWAP_PRELOAD"} nbdkit "$@"
}

# How long whatever is sure to happen may take, on a machine with much else to do.
patience=120

# soon COMMAND...: waits until it succeeds; fails if it does not within $patience seconds
soon() {
	local end=$((SECONDS + patience))
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# listens PATH: whether a server listens on this socket; nobody speaks to it
listens() {
	# The flag is __SO_ACCEPTCON: a socket has its path before it takes connections.
	grep -q "^[^ ]* [^ ]* [^ ]* 00010000 .* $1\$" /proc/net/unix
}

# launch_server [PARAMETER...]: sets server_pid, socket, uri, log
launch_server() {
	socket=$dir/nbd
	uri="nbd+unix:///?socket=$socket"
	log=$dir/log
	env ${RAMZSWAP_PRELOAD:+LD_PRELOAD="$RAMZSWAP_PRELOAD"} \
		nbdkit -f --exit-with-parent -U "$socket" "$RAMZSWAP_PLUGIN" "$@" >"$log" 2>&1 &
	server_pid=$!
}

# until_ready COMMAND...: waits until the server launched is as far that COMMAND succeeds
until_ready() {
	local end=$((SECONDS + patience))
	while [ "$SECONDS" -lt "$end" ]; do
		if "$@" >/dev/null 2>&1; then
			return 0
		fi
		kill -0 "$server_pid" 2>/dev/null || break
		sleep 0.01
	done
	cat "$log"
	fail "nbdkit did not start"
}

# start_server [PARAMETER...]: as launch_server, and clients may come when it returns
start_server() {
	launch_server "$@"
	until_ready nbdinfo --size "$uri"
}

# Stops the server as an administrator does; it must end well and complain of nothing.
stop_server() {
	local status=0
	kill "$server_pid"
	( sleep "$patience"; kill -9 "$server_pid" ) >/dev/null 2>&1 &
	local watchdog=$!
	wait "$server_pid" || status=$?
	kill "$watchdog" 2>/dev/null || true
	server_pid=
	if [ "$status" -ne 0 ] || grep -qE 'Sanitizer|runtime error:|Assertion' "$log"; then
		cat "$log"
		fail "nbdkit ended with status $status"
	fi
	rm -f "$socket"
}

# stat NAME: one of the statistics by its JSON name, of the server behind $control
stat() {
	"$RZSCONTROL" -c "${control:?}" stats --json | jq -er ".$1"
}

# Resident memory of the server in bytes.
resident() {
	echo $(($(awk '$1 == "VmRSS:" { print $2 }' "/proc/$server_pid/status") * 1024))
}

# What it has for itself.  How much of a library is mapped depends on what the machine has in its
# cache: a megabyte more or less, shared with everybody else.
own_resident() {
	echo $(($(awk '$1 == "RssAnon:" { print $2 }' "/proc/$server_pid/status") * 1024))
}

# Says which command ended a test: one that a signal ends may say nothing itself.
command_failed() {
	echo "status $1 of: $2 (line $3)" >&2
}

# A script may define what else is to be done at the end of each test.
clean_up() {
	:
}

end_test() {
	local status=$?
	# A child that a signal ends before it is another program has this trap too.
	[ "$BASHPID" = "$test_pid" ] || exit "$status"
	# Cleaning up is done to its end, whatever part of it fails.
	trap - ERR
	set +e
	clean_up 2>/dev/null
	if [ -n "${server_pid-}" ]; then
		kill -9 "$server_pid" 2>/dev/null
		wait "$server_pid" 2>/dev/null
		if [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; then
			sed 's/^/nbdkit: /' "$log"
		fi
	fi
	rm -rf "$dir"
	exit "$status"
}

# refused WORDS PARAMETER...: nbdkit does not start; its one line has the words.
# A script may add parameters to all.
refused_parameters=()
refused() {
	local words=$1 status=0 swap=swap=off
	shift
	[[ " $*" != *" swap="* ]] || swap=
	timeout "$patience" env ${RAMZSWAP_PRELOAD:+LD_PRELOAD="$RAMZSWAP_PRELOAD"} \
		nbdkit -f -U "$dir/refused" "$RAMZSWAP_PLUGIN" $swap \
		${refused_parameters[@]+"${refused_parameters[@]}"} "$@" \
		>"$dir/out" 2>"$dir/err" || status=$?
	cat "$dir/out" "$dir/err"
	[ "$status" -ne 124 ] || fail "accepted: $*"
	equal "status of $*" "$status" 1
	equal "lines for $*" "$(cat "$dir/out" "$dir/err" | wc -l)" 1
	grep -qF -- "$words" "$dir/err" || fail "the line for $* does not say: $words"
}

# Runs every function whose name starts with test_, in alphabetical order.
run_tests() {
	local number=0 failed=0 name output status
	# In memory where that can be: a test that finds the disk full could not say so there.
	output=$(mktemp -p /dev/shm 2>/dev/null || mktemp)
	for name in $(declare -F | awk '$3 ~ /^test_/ { print $3 }'); do
		number=$((number + 1))
		(
			set -eEu
			dir=$(mktemp -d /tmp/ramzswap-test-XXXXXX)
			server_pid='' test_pid=$BASHPID
			trap end_test EXIT
			trap 'command_failed $? "$BASH_COMMAND" $LINENO' ERR
			"$name"
		) >"$output" 2>&1 </dev/null
		status=$?
		case $status in
		0) echo "ok $number - ${name#test_}" ;;
		77) echo "ok $number - ${name#test_} # SKIP $(tail -n 1 "$output")" ;;
		*)
			echo "not ok $number - ${name#test_}"
			echo "# status $status; $(df -k --output=avail /tmp | tail -n 1) KB free in /tmp"
			tail -n 40 "$output" | sed 's/^/# /'
			failed=1
			;;
		esac
	done
	rm -f "$output"
	echo "1..$number"
	return "$failed"
}
