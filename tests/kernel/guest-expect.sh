# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is expected of scripts/ramzswap in a guest: a line in RESULTS/failures for each promise that is
# not kept.  Sourced by sh after guest-lib.sh.

RAMZSWAP_RUN=/run/ramzswap RAMZSWAP_DEFAULTS=/run/none
RZSCONTROL=$BUILD/plugin/rzscontrol RAMZSWAP_PLUGIN=$BUILD/plugin/ramzswap.so
RAMZSWAP_GUARD=$BUILD/plugin/ramzswap-guard RAMZSWAP_CTL=$BUILD/plugin/ramzswap-ctl
export RAMZSWAP_RUN RAMZSWAP_DEFAULTS RZSCONTROL RAMZSWAP_PLUGIN RAMZSWAP_GUARD RAMZSWAP_CTL
default_min_free=$(cat /proc/sys/vm/min_free_kbytes)
default_boost=$(cat /proc/sys/vm/watermark_boost_factor)
lists=/proc/sys/vm/percpu_pagelist_high_fraction
default_lists=$(cat $lists)

expect()
{
	what=$1
	shift
	"$@" || echo "$what: $(tail -n 2 /run/answer | tr '\n' ' ')" >>"$RESULTS/failures"
}

# What a lost server took along of a file in tmpfs cannot be written again either (Linux 7.3).
answers()
{
	rm -f /run/answer
	"$tool" "$@" >/run/answer 2>&1
}

refused()
{
	reason=$1
	shift
	answers "$@" && return 1
	grep -q -- "$reason" /run/answer
}

works()
{
	answers "$@"
}

said()
{
	grep -q -- "$1" /run/answer
}

# soon COMMAND...: within half a minute, for the host may have other work
soon()
{
	for try in $(seq 300); do
		"$@" && return
		sleep 0.1
	done
	return 1
}

# has_ended PID: its files are closed, whether it was reaped or not
has_ended()
{
	! grep -q '^State:.[^ZX]' "/proc/$1/status" 2>/dev/null
}

# /etc with what programs need and no more, which can be written.
own_etc()
{
	mkdir -p /run/etc
	for file in passwd group nsswitch.conf ld.so.cache ld.so.conf alternatives; do
		[ ! -e "/etc/$file" ] || cp -a "/etc/$file" /run/etc/
	done
	mount --bind /run/etc /etc
}

# Kills the server at once, and waits for its end.
kill_server()
{
	killed=$(cat /run/ramzswap/pid)
	kill -9 "$killed"
	soon has_ended "$killed"
}

# Of a disk by either door.
nothing_is_left()
{
	[ "$(cat /proc/sys/vm/min_free_kbytes)" = "$default_min_free" ] &&
		[ "$(cat /proc/sys/vm/watermark_boost_factor)" = "$default_boost" ] &&
		[ "$(cat $lists)" = "$default_lists" ] &&
		! pgrep 'nbdkit|ramzswap-g' >/dev/null 2>&1 && [ ! -e /sys/block/nbd0/pid ] &&
		! ls /dev/ublkc* >/dev/null 2>&1 &&
		[ -z "$(sed 1d /proc/swaps)" ] && [ ! -e /run/ramzswap/state ]
}

# Nothing of a start is left: settings, server, device, swap.  What has ended counts until
# init has reaped it, which it looks for now and then.
clean()
{
	soon nothing_is_left
}

# Swap areas whose device was taken away: the kernel keeps them.
orphans()
{
	grep -c '^/dev/ublkb[0-9]*\\040(deleted) ' /proc/swaps
}

# used_of DEVICE: kB that are swapped out there
used_of()
{
	awk -v device="$1" '$1 == device { print $4 }' /proc/swaps
}

statistic()
{
	"$RZSCONTROL" -c /run/ramzswap/control stats --all | sed -n "s/^ *$1: *//p"
}

# begin_load NAME WORD...: goes on until it is in the middle of its work
begin_load()
{
	load_log=$RESULTS/load-$1
	shift
	"$load" touch mem=85% "$@" >"$load_log" 2>&1 &
	load_pid=$!
	until grep -q ^fill_seconds "$load_log" || [ ! -d "/proc/$load_pid" ]; do
		sleep 0.5
	done
}

# wait_for_load NAME: it may have lost a page, and then ends by SIGBUS, or on the way to it
wait_for_load()
{
	wait "$load_pid"
	status=$?
	case $status in
	0 | 3 | 135 | 137 | 139) ;;
	*) echo "load $1 ended with $status" >>"$RESULTS/failures" ;;
	esac
	! grep '^mismatch:' "$RESULTS/load-$1" >>"$RESULTS/failures"
}

swaps()
{
	grep -q "^$1 " /proc/swaps
}

not()
{
	! "$@"
}

# With what keeps an old nbdkit from a warning: a refusal is one line.
serve="nbdkit -f -t 1 --no-sr -U /run/other $RAMZSWAP_PLUGIN 16M swap=off"

# plugin_refuses REASON COMMAND...: it ends with one line, which has the reason
plugin_refuses()
{
	reason=$1
	shift
	rm -f /run/other
	timeout -k 5 20 "$@" >/run/answer 2>&1 && return 1
	[ "$(wc -l </run/answer)" = 1 ] && grep -q -- "$reason" /run/answer
}
