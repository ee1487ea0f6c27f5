#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Forty mistakes that people make, and for each the line that tells the remedy: what is said needs
# no manual.
# shellcheck source=tests/nbd/lib.sh
. "$(dirname "$0")/lib.sh"

ramzswap=$(dirname "$0")/../../scripts/ramzswap
mistakes=0 failures=0

# So that one run shows all that is not as it should be.
wrong() {
	echo "WRONG: $*"
	failures=$((failures + 1))
}

# told REMEDY COMMAND...: fails, and the first of the one or two lines that it says holds the remedy;
# the second may only name the help text.
told() {
	local remedy=$1 status=0
	shift
	mistakes=$((mistakes + 1))
	timeout "$patience" "$@" >"$dir/out" 2>"$dir/err" </dev/null || status=$?
	cat "$dir/out" "$dir/err"
	[ "$status" -ne 0 ] && [ "$status" -ne 124 ] || wrong "was taken for right: $*"
	[ ! -s "$dir/out" ] || wrong "wrote to stdout: $*"
	[ "$(sed '2{/--help. shows what it takes$/d}' "$dir/err" | wc -l)" -eq 1 ] || wrong "not one line for: $*"
	sed -n 1p "$dir/err" | grep -qF -- "$remedy" || wrong "does not say '$remedy': $*"
}

disk() {
	local remedy=$1
	shift
	told "$remedy" env ${RAMZSWAP_PRELOAD:+LD_PRELOAD="$RAMZSWAP_PRELOAD"} \
		nbdkit -f -U "$dir/mistake" "$RAMZSWAP_PLUGIN" swap=off "$@"
}

control() {
	local remedy=$1
	shift
	told "$remedy" "$RZSCONTROL" -c "$dir/control" "$@"
}

swap() {
	local remedy=$1
	shift
	told "$remedy" env RAMZSWAP_RUN="$dir/run" RAMZSWAP_DEFAULTS="$dir/none" \
		RAMZSWAP_SETTINGS_ROOT="$dir" "$ramzswap" "$@"
}

mistakes_of_a_disk() {
	disk 'give 50M for megabytes, or 50B if bytes are meant' size=50
	disk 'give 512M for megabytes' 512
	disk 'use a number with K, M, G or T' size=5Q
	disk 'a size is more than 0' size=-1G
	disk 'or a share of RAM such as 25%' size=half
	disk 'a disk ends at 1024T' size=2000T
	disk 'did you mean memlimit=?' 64M mem_limit=32M
	disk 'did you mean algorithm=?' 64M algoritm=lzo
	disk 'or more (512M for megabytes)' 64M memlimit=4
	disk 'give less, or none' 64M memlimit=999T
	disk 'give less, or leave it out' 64M memlimit=16M reserve=15M
	disk 'there is lzo' 64M algorithm=gzip
	disk 'is not one of auto, strict, off' 64M swap=on
	disk 'say where with backing=, or leave it out' 64M backing-rate=5M
	disk 'say where with backing=, or leave it out' 64M backing-size=1G
	disk 'recompress' 64M recompress=often
	disk 'such as 25%' 64M recompress-cpu=0
	disk 'not both size=64M and size=1G' 64M size=1G
	disk 'not both size=64M and disksize=64M' 64M disksize=64M
	disk 'not both swap=off and swap=auto' 64M swap=auto
	disk 'not both memlimit=8M and memlimit=none' 64M memlimit=8M memlimit=none
	disk 'give 0 for none' 64M reserve=none
	disk 'give none for no limit' 64M memlimit=unlimited
	disk 'zstd:1 to zstd:12' 64M algorithm=zstd:99
	disk 'give nbd://localhost:10809 for a server' 64M backing=localhost:10809
	disk 'give megabytes, such as 512M' 64M backing=file backing-size=2K
	disk 'No such file or directory' 64M control="$dir/missing/control"
}

mistakes_with_rzscontrol() {
	control 'did you mean stats?' stat
	control 'did you mean memlimit?' mem-limit 5M
	control 'use status, list' explode
	control 'see rzscontrol --help' --xml
	control 'a blank stands before what is set' memlimit=1G
	control 'a socket is named with -c /run/ramzswap/control' /run/ramzswap/control
	control 'one command at a time' --stats --reset
	control 'memlimit needs a size such as 512M, or none' memlimit
	control 'use a number with K, M, G or T' memlimit big
	control '(512M for megabytes), or none' memlimit 50
	control '--json is for stats and list' compact --json
	control 'choose one of' stats --json --prometheus
	control 'use NAME, DISKSIZE' list -o SIZE
	control 'start with backing=' writeback
	control 'start with backing=' backing rate 5M
	control 'a whole number from 1' watch 0.5
	control 'with commas between' list -o NAME -o SOCKET
	control 'or one file, not both' metrics -o "$dir/a" -o "$dir/b"
	control 'use NAME, DISKSIZE' list --output=
	control 'stats does not take "stats"' stats stats
	control "'ramzswap stop' does that" stop
	control 'did you mean --version?' version
	control "by 'ramzswap start --size SIZE'" resize 2G
	control "a socket is named with -c $dir/control" stats "$dir/control"
	control 'a size is one word, such as 512M' memlimit 1 G
	control 'give none for no limit' memlimit unlimited
	control 'as recompress=600:zstd' recompress 600
	control 'leave the second out' metrics "$dir/control" "$dir/control"
	told 'it has 1 to 107' "$RZSCONTROL" --control= stats
	told 'one socket, not both' "$RZSCONTROL" -c "$dir/control" -c "$dir/other" stats
	control '1 client is connected and would lose its data: disconnect it first' reset
	told 'or name its socket with -c' "$RZSCONTROL" -c "$dir/nowhere" stats
	told 'is no' "$RZSCONTROL" -c "$dir/other" stats
}

settings_are() {
	mkdir -p "$dir/etc"
	echo "$1" >"$dir/etc/ramzswap.conf"
}

mistakes_with_ramzswap() {
	swap 'give 50M for megabytes, or 50% of the memory' start --size 50
	swap 'give 512M for megabytes' start 512
	swap 'must be a size such as 512M' start --size big
	swap 'needs a value' start --size
	swap 'must be 0 to 32767' start --priority high
	swap 'must be /dev/nbdN or /dev/ublkbN' start --device /dev/sda
	swap 'must be nbd or ublk' start --door window
	swap 'neither an option nor PARAMETER=VALUE' start --fast
	swap 'is restart=VALUE meant?' start restart
	swap 'is none of start, stop' begin
	swap 'systemctl restart ramzswap.service' restart
	swap 'systemctl enable ramzswap@cold.service' enable --disk cold
	swap "'ramzswap start' does that" on
	swap "'ramzswap stop' does that" off
	swap 'is memlimit=VALUE meant?' start --memlimit 1G
	swap 'is size=VALUE meant?' start size 1G
	swap 'one word, such as 1G' start 1 G
	swap 'a name begins with a letter' status --disk 5
	swap 'a name begins with a letter' start --disk
	swap "'ramzswap set size=50%' changes one" settings size=50%
	swap 'without blanks, such as size=50%' set size 50%
	swap 'not running' status
	swap 'not both 50% and 60%' start --size 50% --size 60%
	swap 'not both 1G and 2G' start 1G size=2G
	swap 'not both 1 and 2' start --threads 1 --threads=2
	swap 'not both 1 and 2' start --connections 1 --connections 2
	swap 'not both 5 and 6' start --priority 5 --priority 6
	swap 'not both nbd and ublk' start --door nbd --door ublk
	swap 'not both /dev/nbd0 and /dev/nbd1' start --device /dev/nbd0 --device /dev/nbd1
	swap 'not both memlimit=1G and memlimit=2G' start memlimit=1G memlimit=2G
	swap 'not both cold and warm' start --disk cold --disk=warm
	swap '--size needs a value' start --size=
	swap '--device needs a value' start --device ''
	swap 'memlimit needs a value' start memlimit=
	swap 'is set twice' set size=1G SIZE=2G
	swap 'shows the disk that --disk names' settings show cold
	swap 'settings check takes no arguments' settings check cold
	swap 'settings list takes no arguments' settings list cold
	swap '--force and --if-on only' stop --now
	swap 'such as: ramzswap start --size 50%' --size 50%
	swap "'rzscontrol stats' does that" stats
	swap 'did you mean --version?' version
	swap 'must be more than 0' start --size 0
	swap 'a size is one word, such as 50%' start --size 50 %
	swap 'is --device /dev/nbd1 meant?' start /dev/nbd1
	swap 'is size=50% meant?' start size:50%
	swap 'give 50M for megabytes, or 50% of the memory' set size=50
	settings_are 'size = 50'
	swap 'give 50M for megabytes, or 50% of the memory' settings check
	settings_are 'memlimit = 2 GB'
	swap 'a size is one word' settings check
	settings_are 'size = 50%  # half'
	swap 'one has a line of its own' settings check
	settings_are 'size = min(ram/2, 4G'
	swap '"the end" is where a ) is due' settings check
	rm -r "$dir/etc"
}

beside=${RAMZSWAP_PLUGIN%/*}

mistakes_with_the_programs_beside() {
	told "'ramzswap-guard --help' shows what it takes" "$beside/ramzswap-guard"
	told "'ramzswap-guard --help' shows what it takes" "$beside/ramzswap-guard" --status
	told 'is the number of a process, not nbdkit' "$beside/ramzswap-guard" /dev/nbd0 "$dir/control" nbdkit
	told 'no process has this number' "$beside/ramzswap-guard" /dev/nbd0 "$dir/control" 2147483647
	told 'takes stop, status, sleep or wake' "$beside/ramzswap-ctl" start
	told 'is not the number of a process' "$beside/ramzswap-estimate" firefox
	told 'is named twice' "$beside/ramzswap-estimate" $$ $$
	told 'such as --bury /dev/ublkb0' "$beside/ramzswap-guard" --bury
	told 'such as --bury /dev/ublkb0' "$beside/ramzswap-guard" --bury /dev/ublkb0 /dev/ublkb1
	told 'takes check, list, show, set or shell' "$beside/ramzswap-settings" begin
	told 'takes check, list, show, set or shell' "$beside/ramzswap-settings"
	told 'check takes no arguments' "$beside/ramzswap-settings" check cold
	told 'show takes one disk' "$beside/ramzswap-settings" show cold warm
	[ -x "$beside/ramzswap-freed" ] || return 0
	told "'ramzswap-freed --help' shows what it takes" "$beside/ramzswap-freed" --all
	told 'needs CONTROL-SOCKET and DEVICE' "$beside/ramzswap-freed" /dev/nbd0
}

connections_are() {
	[ "$(stat connections)" -eq "$1" ]
}

test_forty_mistakes_are_told_with_their_remedy() {
	control=$dir/control
	start_server size=64M swap=off control="$control"
	mkfifo "$dir/hold"
	timeout "$patience" qemu-io -f raw "$uri" <"$dir/hold" >/dev/null &
	local client=$!
	exec 9>"$dir/hold"
	soon connections_are 1 || fail "no client came"
	# What listens there is no ramzswap.
	timeout "$patience" nbdkit -f --exit-with-parent -U "$dir/other" null 1M 2>/dev/null &
	local other=$!
	soon listens "$dir/other" || fail "the other server did not start"
	mistakes_of_a_disk
	mistakes_with_rzscontrol
	mistakes_with_ramzswap
	mistakes_with_the_programs_beside
	[ "$mistakes" -ge 40 ] || fail "only $mistakes mistakes were made"
	equal "failures" "$failures" 0
	kill "$other"
	exec 9>&-
	wait "$client" "$other" || true
	soon connections_are 0 || fail "the client is still there"
	stop_server
}

test_a_limit_that_will_surprise_is_taken_and_told() {
	control=$dir/control
	start_server size=64M swap=off control="$control"
	head -c 16777216 /dev/urandom >"$dir/random"
	timeout "$patience" qemu-io -f raw -c "write -s $dir/random 0 16M" "$uri" >/dev/null
	equal "what is said" "$("$RZSCONTROL" -c "$control" memlimit 8M | cut -d, -f2)" \
		" more than that: writes that need more memory fail until enough is freed"
	equal memlimit "$(stat memlimit)" $((8 << 20))
	"$RZSCONTROL" -c "$control" memlimit 900T | grep -q "it ends before that limit does"
	equal "what is said" "$("$RZSCONTROL" -c "$control" memlimit none)" ""
	stop_server
}

# tells COMMAND...: the version and what it takes, in both forms
tells() {
	"$@" --version >"$dir/version"
	grep -qE '^(rzscontrol|ramzswap[a-z-]*) [0-9]+\.[0-9]+' "$dir/version" || fail "$1 says: $(cat "$dir/version")"
	equal "version of $1 in short" "$("$@" -V)" "$(cat "$dir/version")"
	"$@" --help >"$dir/help"
	grep -qi '^usage: ' "$dir/help" || fail "$1 says: $(cat "$dir/help")"
	equal "help of $1 in short" "$("$@" -h)" "$(cat "$dir/help")"
}

test_every_program_tells_its_version_and_its_help() {
	local program
	for program in rzscontrol ramzswap-ctl ramzswap-guard ramzswap-estimate ramzswap-settings ramzswap-freed; do
		[ -x "$beside/$program" ] || { [ $program = ramzswap-freed ] && continue; }
		tells "$beside/$program"
	done
	export RAMZSWAP_CTL=$beside/ramzswap-ctl
	tells "$ramzswap"
	equal "help behind a command" "$("$ramzswap" stop --force --help)" "$(cat "$dir/help")"
	nbdkit_plugin "$RAMZSWAP_PLUGIN" --version | grep -qE '^ramzswap [0-9]'
}

run_tests
