#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Parameters: what they accept, and that a bad one is refused by one clear line.
# shellcheck source=tests/nbd/lib.sh
. "$(dirname "$0")/lib.sh"

# size_is BYTES PARAMETER...
size_is() {
	local bytes=$1
	shift
	start_server swap=off "$@"
	equal "size with '$*'" "$(nbdinfo --size "$uri")" "$bytes"
	stop_server
}

test_sizes_that_are_none_are_refused() {
	refused 'size: "0"' size=0
	refused 'size: "0M"' size=0M
	refused 'size: "-1"' size=-1
	refused 'size: "-5G"' -- -5G 2>/dev/null || refused 'size: "-5G"' size=-5G
	refused 'size: ""' size=
	refused 'size: "1Q"' size=1Q
	refused 'size: "1GG"' size=1GG
	refused 'size: "12 cats"' 'size=12 cats'
	refused 'size: "0x1000"' size=0x1000
	refused 'size: "1.5.5G"' size=1.5.5G
	refused 'size: "%"' size=%
	refused 'size: "0%"' size=0%
	refused 'size: "nan"' size=nan
	refused 'size: "inf"' size=inf
	refused 'size: "1e3M"' size=1e3M
}

test_absurd_sizes_are_refused() {
	refused 'size: "100E"' size=100E
	refused "size: '2000T'" size=2000T
	refused 'size: "99999999999999999999"' size=99999999999999999999
	refused "size: '4E'" size=4E
}

test_a_bad_magic_size_is_refused_by_name() {
	refused 'size: "tiny"' tiny
	refused "disksize: " disksize=0
}

test_unknown_parameters_are_refused() {
	refused "'bogus'" bogus=1
	refused "'Size'" Size=1G
	refused "'mem_limit'" size=1G mem_limit=5M
	refused "'dir'" dir=/tmp
}

test_unknown_codecs_are_refused_with_those_there_are() {
	refused "'gzip'" algorithm=gzip
	refused "lzo" algorithm=gzip
	refused "'LZO'" algorithm=LZO
	refused "algorithm: there is no ''" algorithm=
}

test_memlimits_that_hold_nothing_are_refused() {
	refused 'memlimit: "0"' size=64M memlimit=0
	refused 'memlimit: 1 bytes' size=64M memlimit=1
	refused 'memlimit: 4096 bytes' size=64M memlimit=4096
	refused 'memlimit: "-3M"' size=64M memlimit=-3M
	refused 'memlimit: "some"' size=64M memlimit=some
	refused 'memlimit: ""' size=64M memlimit=
}

test_memlimits_larger_than_memory_are_refused() {
	refused 'memlimit: ' size=64M memlimit=999T
	refused 'memlimit: ' size=64M memlimit=101%
	refused 'memlimit: ' size=64M memlimit=999999P
}

test_other_bad_values_are_refused() {
	refused "swap: 'maybe'" swap=maybe
	refused "recompress: '-1'" recompress=-1
	refused "recompress: 'now'" recompress=now
	refused "recompress-cpu: '0'" recompress-cpu=0
	refused "recompress-cpu: '101'" recompress-cpu=101
	refused 'reserve: "much"' reserve=much
	refused 'reserve: ' size=64M memlimit=16M reserve=16M
}

test_control_paths_that_cannot_be_are_refused() {
	refused "control: the path of the socket is empty" control=
	refused "control: " control="$dir/missing/socket"
	refused "$dir/missing/socket" control="$dir/missing/socket"
	refused "control: " control="$dir/$(printf 'x%.0s' $(seq 120))"
	refused "control: " control=/proc/socket
	refused "control: " control="$dir"
	refused "control: " control=/dev/null/socket
}

test_a_control_path_that_exists_is_refused_and_kept() {
	echo precious >"$dir/file"
	refused "control: " control="$dir/file"
	equal "the file" "$(cat "$dir/file")" precious
	ln -s "$dir/file" "$dir/link"
	refused "control: " control="$dir/link"
	equal "the file" "$(cat "$dir/file")" precious
}

test_a_control_path_in_use_is_refused_and_still_works() {
	control=$dir/control
	start_server swap=off size=1M control="$control"
	refused "control: " size=2M control="$control"
	equal disksize "$(stat disksize)" 1048576
	stop_server
}

test_a_control_path_without_permission_is_refused() {
	[ "$(id -u)" -eq 0 ] || skip "root is needed to become somebody else"
	id nobody >/dev/null 2>&1 || skip "there is no user nobody"
	# Only somebody else than root meets a directory that cannot be written.
	mkdir "$dir/closed" "$dir/open"
	chmod 755 "$dir" "$dir/closed"
	chmod 777 "$dir/open"
	local status=0
	# The build may lie in a home that is closed to others.
	install -m 755 "$RAMZSWAP_PLUGIN" "$dir/open/ramzswap.so"
	timeout "$patience" setpriv --reuid=nobody --regid=nogroup --clear-groups \
		env ${RAMZSWAP_PRELOAD:+LD_PRELOAD="$RAMZSWAP_PRELOAD"} nbdkit -f \
		-U "$dir/open/nbd" "$dir/open/ramzswap.so" swap=off size=1M control="$dir/closed/control" \
		>"$dir/out" 2>&1 || status=$?
	cat "$dir/out"
	if grep -q "cannot open shared object\|Permission denied$" "$dir/out" &&
		! grep -q control: "$dir/out"; then
		skip "what a sanitizer needs is closed to the user nobody"
	fi
	equal status "$status" 1
	equal lines "$(wc -l <"$dir/out")" 1
	grep -q "control: .*Permission denied" "$dir/out" || fail "does not say why"
}

test_strict_swap_without_a_real_time_class_is_refused() {
	[ "$(id -u)" -eq 0 ] || skip "root is needed to give up a privilege"
	nbdkit_plugin "$RAMZSWAP_PLUGIN" --dump-plugin swap=strict >"$dir/out"
	grep -q ramzswap_real_time=1 "$dir/out" ||
		skip "not even root may be of a real-time class here"
	timeout "$patience" setpriv --bounding-set=-sys_nice --inh-caps=-sys_nice \
		env ${RAMZSWAP_PRELOAD:+LD_PRELOAD="$RAMZSWAP_PRELOAD"} nbdkit -f -U "$dir/nbd" \
		"$RAMZSWAP_PLUGIN" swap=strict size=1M >"$dir/out" 2>&1 && fail "was not refused"
	cat "$dir/out"
	grep -qF "real-time class (needs CAP_SYS_NICE, or RLIMIT_RTPRIO of 1: ulimit -r)" \
		"$dir/out" || fail "does not say what is missing"
}

test_size_is_the_magic_key() {
	size_is 3145728 3M
}

test_disksize_means_the_same() {
	size_is 3145728 disksize=3M
}

test_sizes_are_taken_as_people_write_them() {
	size_is 1610612736 1.5G
	size_is 524288000 size=500M
	size_is 1000 size=1000B
	size_is 65536 size=64K
	size_is 65536 size=64k
}

test_sizes_of_a_tib_are_taken() {
	must_have_addresses
	size_is 1099511627776 1T
	size_is 4398046511104 size=4T
}

ram() {
	echo $(($(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo) * 1024))
}

test_sizes_can_be_shares_of_memory() {
	local ram
	ram=$(ram)
	start_server swap=off 50%
	within "50 % of $ram" "$(nbdinfo --size "$uri")" $((ram / 2 - 4096)) $((ram / 2 + 4096))
	stop_server
}

test_a_quarter_of_memory_is_the_default_size() {
	local ram
	ram=$(ram)
	start_server swap=off
	within "25 % of $ram" "$(nbdinfo --size "$uri")" $((ram / 4 - 4096)) $((ram / 4 + 4096))
	stop_server
}

test_memlimit_none_and_share_are_accepted() {
	control=$dir/control
	start_server swap=off size=64M memlimit=none control="$control"
	equal memlimit "$(stat memlimit)" 0
	stop_server
	start_server swap=off size=64M memlimit=10% control="$control"
	within memlimit "$(stat memlimit)" $(($(ram) / 10 - 4096)) $(($(ram) / 10 + 4096))
	stop_server
}

# What compresses and what does not.
mixed_data() {
	head -c 3145728 /usr/bin/perl
	head -c 1048576 /dev/urandom
}

test_every_codec_listed_serves_a_disk() {
	local codec codecs
	codecs=$(nbdkit_plugin "$RAMZSWAP_PLUGIN" --dump-plugin |
		sed -n 's/^ramzswap_algorithms=//p')
	[[ " $codecs " == *" lzo "* ]] || fail "no lzo among '$codecs'"
	mixed_data >"$dir/data"
	for codec in $codecs; do
		start_server swap=off size=4M algorithm="$codec"
		nbdcopy "$dir/data" "$uri"
		nbdcopy "$uri" "$dir/back"
		cmp -n "$(command stat -c %s "$dir/data")" "$dir/data" "$dir/back"
		stop_server
		rm "$dir/back"
	done
}

run_tests
