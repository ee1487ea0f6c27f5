# SPDX-License-Identifier: GPL-2.0-or-later
#
# Reads what tests/kernel/guest-swap found.  Sourced by bash.

# value RESULTS KEY: the last one, or nothing
value()
{
	sed -n "s/^$2=//p" "$1/result" "$1/init" 2>/dev/null | tail -n 1
}

# number RESULTS KEY: the same to count with: 0 where a guest did not come to it
number()
{
	local found
	found=$(value "$1" "$2")
	echo "${found:-0}"
}

# all_values RESULTS KEY
all_values()
{
	sed -n "s/^$2=//p" "$1/result" 2>/dev/null
}

# nth_value RESULTS KEY N: of the keys that each load has, that of the load N
nth_value()
{
	all_values "$1" "$2" | sed -n "$3p"
}

megabytes()
{
	echo "$((${1:-0} >> 20)) MB"
}

# A test that an error of its own ends early would end with 0: it has to come to finish.  Sets
# scratch, a directory that is gone at the end.
begin()
{
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/ramzswap-test.XXXXXX") || exit 1
	trap 'end_of_test $?' EXIT
}

end_of_test()
{
	rm -rf "$scratch"
	[ "$1" != 0 ] || [ -n "$finished" ] || { echo "FAILED: the test broke off" >&2; exit 1; }
}

finished=
finish()
{
	finished=1
	exit $((failures > 0))
}

# guest_ended RESULTS STATUS-OF-THE-RIG: skips where there is no such guest, and fails where one
# did not run to the end; what it found is judged by others
guest_ended()
{
	[ "$2" != 77 ] || exit 77
	expect "the guest lives to the end" "$2" = 0
	expect "init of the guest says so" "$(value "$1" alive)" = 1
	[ -e "$1/init" ] || tail -n 20 "$1/console" >&2
}

# expectations_ended RESULTS STATUS-OF-THE-RIG: the same of a guest whose script says end=ok, and in
# RESULTS/failures what it expected in vain (guest-expect.sh)
expectations_ended()
{
	guest_ended "$1" "$2"
	expect "the script ends" "$(value "$1" end)" = ok
	if [ -s "$1/failures" ]; then
		sed 's/^/FAILED: /' "$1/failures" >&2
		failures=$((failures + 1))
	fi
	[ $failures = 0 ] || tail -n 40 "$1/console" >&2
}

# expect WHAT FOUND OPERATOR RIGHT: counts in failures what is not as it has to be
failures=0
expect()
{
	[ "$2" "$3" "$4" ] && return
	echo "FAILED: $1: found '$2'" >&2
	failures=$((failures + 1))
}

# must RESULTS KEY RIGHT [N]: adds to wrong what is not RIGHT, an extended regular expression, of
# the load N where each has one.  A script that was late may not have come as far as KEY.
must()
{
	local found
	if [ $# -gt 3 ]; then
		found=$(nth_value "$1" "$2" "$4")
	else
		found=$(value "$1" "$2")
	fi
	[[ $found =~ ^($3)$ ]] && return
	[ -z "$found" ] && [ "$(value "$1" late)" = 1 ] && return
	wrong="$wrong${wrong:+ }$2=${found// /_}"
}

# outcome RESULTS LOAD SWAP ROUND: of the load ROUND of a guest of scripts/torture: right, or what is
# not as it has to be where our disk is; - for another one
outcome()
{
	local results=$1 load=$2 round=$4 wrong=
	[[ $3 =~ ^(ramzswap|ublk)$ ]] || { echo -; return; }
	case $load in
	off-short)
		# One that the OOM killer ended before leaves room for all, and nothing to refuse.
		[ "$(nth_value "$results" load_status "$round")$(nth_value "$results" load_before_stop \
			"$round")" = 137ended ] || must "$results" event refused "$round"
		[ "$(nth_value "$results" event "$round")" != refused ] ||
			must "$results" swap_after_refusal '[1-9][0-9]*' "$round" ;;
	off-fits) must "$results" event stopped "$round" ;;
	freeze) must "$results" event frozen "$round" ;;
	kill)
		must "$results" event killed "$round"
		must "$results" swap_after_kill 0 "$round"
		must "$results" stop_after_kill 0 "$round" ;;
	esac
	case $load in
	# Of a page that is lost with its server it can die, by the signal or on the way to it.
	kill) must "$results" load_status '0|3|135|137|139' "$round" ;;
	*) must "$results" load_status '0|137' "$round" ;;
	esac
	# A child may have been the OOM killer's choice.
	[ "$(value "$results" oom_kills)" != 0 ] || must "$results" children_failed '0?' "$round"
	must "$results" stop_failed ''
	must "$results" settings_left ''
	must "$results" server_left 0
	must "$results" still_swapping 0
	must "$results" end ok
	echo "${wrong:-right}"
}

row()
{
	printf '  %-34s %s\n' "$1" "$2"
}

# The table that a person reads: report RESULTS.  What a guest did not come to is 0.
report()
{
	local load original payload memory kilobytes bad=0 n
	load=$(sed -n 's/^pages=//p' "$1/load1" 2>/dev/null)
	original=$(value "$1" orig_data_size)
	payload=$(value "$1" compr_data_size)
	memory=$(value "$1" mem_used_total)
	kilobytes=$(value "$1" memory_kb)
	for n in $(all_values "$1" mismatches); do
		bad=$((bad + n))
	done
	echo
	row "memory of the machine" "$((${kilobytes:-0} / 1024)) MB"
	row "load" "$((${load:-0} / 256)) MB"
	row "pages swapped out" "$(value "$1" pages_out)"
	row "pages swapped in" "$(value "$1" pages_in)"
	row "pages touched per second" "$(value "$1" touches_per_second)"
	row "bytes stored at the fullest" "$(megabytes "$original")"
	row "compressed to" "$(megabytes "$payload")"
	row "memory that they take, all in all" "$(megabytes "$memory")"
	row "ratio" "$(awk -v o="${original:-0}" -v m="${memory:-1}" 'BEGIN { printf "%.2f", o / m }')"
	row "mismatches" "$bad"
	echo
}
