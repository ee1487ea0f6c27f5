# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the scripts that run in a guest have in common: results, swap on and off.
# Sourced by sh, after RESULTS/params; guest-swap says what the variables mean.

server=
: "${DISKS:=1}" "${FLAGS:=}" "${SETTINGS:=}" "${ZRAM_LIMIT:=}" "${GROUP_LIMIT:=}" \
	"${DISK:=}" "${EVENT:=none}"
result=$RESULTS/result
load=$BUILD/tests/kernel/load
tool=$TOP/scripts/ramzswap

put()
{
	echo "$1" >>"$result"
}

failed()
{
	put "failed=$*"
	exit 1
}

vmstat_of()
{
	awk -v name="$1" '$1 == name { print $2 }' /proc/vmstat
}

# Of all processors, in ticks: busy, idle.  Idle is what a sleep in reclaim costs.
processors()
{
	awk '$1 == "cpu" { print $2 + $3 + $4 + $7 + $8, $5 + $6 }' /proc/stat
}

# Minor and major faults of the server, all its threads together.
faults_of()
{
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '{ print $8, $10 }'
}

# insert 'MODULE [PARAMETER...]'...: with what they need; those that the kernel has or lacks change nothing
insert()
{
	mkdir -p /run/kernel/usr/lib
	[ -e /run/kernel/lib ] || ln -s usr/lib /run/kernel/lib
	[ -e /run/kernel/lib/modules ] || ln -s "$MODULES" /run/kernel/lib/modules
	for module; do
		# shellcheck disable=SC2086 # its parameters are words
		modprobe -d /run/kernel $module 2>/dev/null
	done
}

run_of()
{
	echo "/run/ramzswap$1"
}

# start_ramzswap NUMBER: with the environment that makes nbdkit serve what SWAP asks for
start_ramzswap()
{
	echo "$SETTINGS" | tr ';' '\n' >/run/defaults
	RAMZSWAP_DEFAULTS=/run/defaults
	RAMZSWAP_RUN=$(run_of "$1")
	RZSCONTROL=$BUILD/plugin/rzscontrol
	RAMZSWAP_PLUGIN=$BUILD/plugin/ramzswap.so
	RAMZSWAP_GUARD=$BUILD/plugin/ramzswap-guard
	RAMZSWAP_CTL=$BUILD/plugin/ramzswap-ctl
	export RAMZSWAP_DEFAULTS RAMZSWAP_RUN RZSCONTROL RAMZSWAP_PLUGIN RAMZSWAP_GUARD RAMZSWAP_CTL
	preload= drop=
	case $SWAP in
	no-lock)
		# Without the second one it could raise its limit.
		drop=ipc_lock,-sys_resource
		ulimit -l 64 ;;
	no-protection)
		FLAGS="swap=off $FLAGS" ;;
	no-flusher)
		drop=sys_resource ;;
	no-real-time)
		drop=sys_nice ;;
	memory)
		RAMZSWAP_PLUGIN=memory
		preload=$BUILD/tests/kernel/protect.so ;;
	bare)
		RAMZSWAP_PLUGIN=memory ;;
	esac
	case $EVENT in
	break*)
		preload=$BUILD/tests/kernel/break-disk.so ;;
	esac
	start_flags=$FLAGS
	[ "$SWAP" != bare ] || start_flags="allocator=zstd $FLAGS"
	# Not what the kernel may have besides.
	case $FLAGS in
	*--door* | *--device*) ;;
	*) start_flags="--door nbd $start_flags" ;;
	esac
	# shellcheck disable=SC2086
	LD_PRELOAD=$preload ${drop:+setpriv --bounding-set=-$drop --inh-caps=-$drop} \
		"$tool" start --size "$((SIZE / DISKS))M" $start_flags \
		>>"$RESULTS/start" 2>&1 || failed "start: $(tail -n 1 "$RESULTS/start")"
	# Of the two that need this privilege, only the IO flusher is to be missing.
	[ "$SWAP" != no-flusher ] || echo -1000 >"/proc/$(cat "$RAMZSWAP_RUN/pid")/oom_score_adj"
}

# choose_zram_codec [:CODEC]: and says which it is then
choose_zram_codec()
{
	codecs=/sys/block/zram0/comp_algorithm
	[ -e $codecs ] || failed "zram: this kernel has none"
	if [ -n "$1" ]; then
		echo "${1#:}" >$codecs 2>/dev/null
		grep -qF "[${1#:}]" $codecs ||
			failed "zram: this kernel has no ${1#:}, only: $(cat $codecs)"
	fi
	put "zram_codec=$(sed 's/.*\[\(.*\)\].*/\1/' $codecs)"
}

start_swap()
{
	case $SWAP in
	ramzswap | no-* | memory | bare)
		insert nbd
		case $FLAGS in
		*ublk*) insert ublk_drv ;;
		esac
		for disk in $(seq 1 "$DISKS"); do
			start_ramzswap "$disk"
		done
		server=$(cat "$(run_of 1)/pid") ;;
	zram | zram:*)
		insert zsmalloc zram
		choose_zram_codec "${SWAP#zram}"
		echo "${SIZE}M" >/sys/block/zram0/disksize
		[ -z "$ZRAM_LIMIT" ] || echo "$ZRAM_LIMIT" >/sys/block/zram0/mem_limit
		mkswap /dev/zram0 >/dev/null && swapon --discard /dev/zram0 ||
			failed "zram" ;;
	disk)
		mkswap "$DISK" >/dev/null && swapon "$DISK" || failed "disk" ;;
	esac
	sed 1d /proc/swaps >>"$RESULTS/start"
}

stop_swap()
{
	case $SWAP in
	ramzswap | no-* | memory | bare)
		for disk in $(seq 1 "$DISKS"); do
			RAMZSWAP_RUN=$(run_of "$disk")
			[ -e "$RAMZSWAP_RUN/state" ] || continue
			"$tool" stop >>"$RESULTS/stop" 2>&1 ||
				put "stop_failed=$(tail -n 1 "$RESULTS/stop")"
		done ;;
	disk)
		swapoff "$DISK" || put "stop_failed=swapoff" ;;
	zram*)
		# It may be gone already, by an event.
		! grep -q '^/dev/zram0 ' /proc/swaps || swapoff /dev/zram0 ||
			put "stop_failed=swapoff"
		echo 1 >/sys/block/zram0/reset ;;
	esac
}

# Mounts control groups if the load is to be limited by one.
prepare_group()
{
	[ -n "$GROUP_LIMIT" ] || return 0
	mount -t cgroup2 none /sys/fs/cgroup &&
		echo +memory >/sys/fs/cgroup/cgroup.subtree_control ||
		failed "no memory control groups in this kernel"
}

in_group()
{
	if [ -n "$GROUP_LIMIT" ]; then
		mkdir -p /sys/fs/cgroup/load
		echo "$GROUP_LIMIT" >/sys/fs/cgroup/load/memory.max
		exec sh -c 'echo $$ >/sys/fs/cgroup/load/cgroup.procs; exec "$@"' sh "$@"
	fi
	exec "$@"
}

# What crossed to and from DISK since disk_before: requests and kilobytes.
count_disk()
{
	[ -e "/sys/block/${DISK#/dev/}/stat" ] || return 0 # unplugged
	# shellcheck disable=SC2046,SC2086
	set -- $disk_before $(cat "/sys/block/${DISK#/dev/}/stat")
	each=$(($# / 2))
	put "disk_reads=$(($(field "$((each + 1))" "$@") - $1))"
	put "disk_read_kb=$((($(field "$((each + 3))" "$@") - $3) / 2))"
	put "disk_writes=$(($(field "$((each + 5))" "$@") - $5))"
	put "disk_written_kb=$((($(field "$((each + 7))" "$@") - $7) / 2))"
}

# field NUMBER WORD...
field()
{
	shift "$1"
	echo "$1"
}

keep_statistics()
{
	"$BUILD/plugin/rzscontrol" -c "$(run_of 1)/control" stats --all >"$RESULTS/stats" 2>&1
	"$BUILD/plugin/rzscontrol" -c "$(run_of 1)/control" backing >"$RESULTS/backing" 2>&1
}
