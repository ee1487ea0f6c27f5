#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A server in a control group whose memory is limited: the group's limit is its machine.
# shellcheck source=tests/nbd/lib.sh
. "$(dirname "$0")/lib.sh"

# make_group MIB: sets group, of whichever version this machine lets us make; in_group enters it
make_group() {
	local top file
	# shellcheck disable=SC2154
	trap '[ -z "$group" ] || rmdir "$group"' EXIT
	for top in /sys/fs/cgroup/memory:memory.limit_in_bytes /sys/fs/cgroup:memory.max; do
		file=${top#*:}
		group=${top%:*}/ramzswap-test.$BASHPID
		if mkdir "$group" 2>/dev/null; then
			# Version 2 has the file where the group above hands the controller down.
			if echo $(($1 << 20)) 2>/dev/null >"$group/$file"; then
				return
			fi
			rmdir "$group"
		fi
		group=
	done
	skip "no control group with a limit of memory can be made here"
}

in_group() {
	sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' sh "$group" "$@"
}

default_size() {
	in_group env ${RAMZSWAP_PRELOAD:+LD_PRELOAD="$RAMZSWAP_PRELOAD"} \
		nbdkit --dump-plugin "$RAMZSWAP_PLUGIN" | sed -n 's/^ramzswap_default_size=//p'
}

test_shares_are_of_what_the_group_leaves() {
	make_group 400
	equal "a quarter of the group" "$(default_size)" $((100 << 20))
}

test_a_group_above_counts_too() {
	make_group 400
	mkdir "$group/inner"
	local outer=$group
	group=$outer/inner
	local size
	size=$(default_size)
	rmdir "$group"
	group=$outer
	equal "a quarter of the group above" "$size" $((100 << 20))
}

test_a_limit_that_the_group_cannot_keep_is_refused() {
	local status=0
	make_group 400
	in_group env ${RAMZSWAP_PRELOAD:+LD_PRELOAD="$RAMZSWAP_PRELOAD"} nbdkit -f -U "$dir/nbd" \
		"$RAMZSWAP_PLUGIN" 1G memlimit=500M swap=off --run true >"$dir/out" 2>&1 || status=$?
	cat "$dir/out"
	[ $status != 0 ] && grep -q "memlimit: .*do not fit" "$dir/out" || fail "was not refused"
}

run_tests
