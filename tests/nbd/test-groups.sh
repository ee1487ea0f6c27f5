#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A server in a control group whose memory is limited: the group's limit is its machine.
# shellcheck source=tests/nbd/lib.sh
. "$(dirname "$0")/lib.sh"

group='' other=''

# The group can only go when nobody is in it.
clean_up() {
	# shellcheck disable=SC2154 # the library sets it
	[ -z "$server_pid" ] || { kill -9 "$server_pid"; wait "$server_pid"; }
	[ -z "$other" ] || { kill -9 "$other"; wait "$other"; }
	[ -z "$group" ] || rmdir "$group/inner" "$group"
}

# make_group MIB: sets group, of whichever version this machine lets us make; in_group enters it
make_group() {
	local top file
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

# As in_group, in the place of this shell: of one in the background its number is the command's.
become_in_group() {
	exec sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' sh "$group" "$@"
}

# start_in_group [PARAMETER...]: as start_server
start_in_group() {
	socket=$dir/nbd uri="nbd+unix:///?socket=$dir/nbd" log=$dir/log control=$dir/control
	become_in_group env ${RAMZSWAP_PRELOAD:+LD_PRELOAD="$RAMZSWAP_PRELOAD"} nbdkit -f \
		--exit-with-parent -t 1 --no-sr -U "$socket" "$RAMZSWAP_PLUGIN" swap=off control="$control" "$@" >"$log" 2>&1 &
	server_pid=$!
	until_ready nbdinfo --size "$uri"
}

set_limit() {
	local file=memory.max
	[ -e "$group/$file" ] || file=memory.limit_in_bytes
	echo $(($1 << 20)) >"$group/$file"
}

memlimit_is_between() {
	local now
	now=$(stat memlimit)
	[ "$now" -ge $(($1 << 20)) ] && [ "$now" -le $(($2 << 20)) ]
}

# fill MIB: writes pages that do not compress until one is refused or so many are there, and reads all
# that was written back: prints how many MiB that is
fill() {
	python3 -c '
import random, socket, struct, sys
MIB = 1 << 20
s = socket.socket(socket.AF_UNIX)
s.settimeout(120)
s.connect(sys.argv[1])
def get(n):
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        assert part, "the server is gone"
        data += part
    return data
assert get(18)[:16] == b"NBDMAGICIHAVEOPT"
s.sendall(struct.pack(">IQII", 3, 0x49484156454F5054, 1, 0))
get(10)
def request(kind, at, length, data=b""):
    s.sendall(struct.pack(">IHHQQI", 0x25609513, 0, kind, 7, at, length) + data)
    magic, error, handle = struct.unpack(">IIQ", get(16))
    assert (magic, handle) == (0x67446698, 7)
    return error
def block(i):
    return random.Random(i).randbytes(MIB)
count = 0
while count < int(sys.argv[2]):
    error = request(1, count * MIB, MIB, block(count))
    if error:
        assert error == 28, error
        break
    count += 1
for i in range(count):
    assert request(0, i * MIB, MIB) == 0 and get(MIB) == block(i), i
print(count)
' "$socket" "$1"
}

test_a_disk_that_the_group_cannot_hold_is_full_and_lives() {
	local stored
	! sanitized || skip "a sanitizer takes memory of its own"
	make_group 200
	start_in_group size=1G
	grep "control group of this server, limited to 200 MiB, leaves the disk" "$log"
	stored=$(fill 400)
	echo "$stored MiB stored"
	[ "$stored" -ge 120 ] || fail "the group has room for more"
	[ "$stored" -lt 200 ] || fail "more than the group has"
	[ "$(stat failed_writes)" -ge 1 ]
	equal "the limit that it tells" "$(stat group_limit)" $((200 << 20))
	"$RZSCONTROL" -c "$control" check
	stop_server
}

test_the_limit_of_the_disk_follows_that_of_the_group() {
	make_group 400
	start_in_group size=1G
	soon memlimit_is_between 320 400
	set_limit 200
	soon memlimit_is_between 120 200
	soon grep "limited to 200 MiB" "$log"
	set_limit 300
	soon memlimit_is_between 220 300
	stop_server
}

test_a_group_above_is_watched_too() {
	make_group 200
	local outer=$group
	mkdir "$group/inner"
	group=$outer/inner
	start_in_group size=1G
	group=$outer
	soon memlimit_is_between 120 200
	set_limit 150
	soon memlimit_is_between 80 150
	stop_server
	rmdir "$outer/inner"
}

# others_take MIB: somebody else in the group has so much, until it is killed; sets other
others_take() {
	become_in_group python3 -c 'import sys, time
held = b"x" * (int(sys.argv[1]) << 20)
open(sys.argv[2], "w").close()
time.sleep(600)' "$1" "$dir/has" &
	other=$!
	soon [ -e "$dir/has" ]
}

test_what_others_in_the_group_take_is_not_the_disks() {
	make_group 400
	start_in_group size=1G
	soon memlimit_is_between 320 400
	others_take 80
	soon memlimit_is_between 200 320
	kill "$other"
	wait "$other" || true
	soon memlimit_is_between 320 400
	stop_server
}

test_a_limit_that_does_not_fit_beside_the_server_is_warned_of() {
	make_group 200
	start_in_group size=1G memlimit=199M
	grep "leaves the disk" "$log"
	soon memlimit_is_between 120 198
	local answer
	answer=$("$RZSCONTROL" -c "$control" memlimit 300M 2>&1) && fail "300M were taken: $answer"
	grep "do not fit into the $((200 << 20)) that the control group" <<<"$answer"
	"$RZSCONTROL" -c "$control" memlimit 64M
	equal "the limit" "$(stat memlimit)" $((64 << 20))
	stop_server
}

test_a_group_too_small_for_the_disk_is_refused() {
	local status=0
	make_group 100
	others_take 70
	in_group env ${RAMZSWAP_PRELOAD:+LD_PRELOAD="$RAMZSWAP_PRELOAD"} nbdkit -f -U "$dir/nbd" \
		"$RAMZSWAP_PLUGIN" 1G swap=off reserve=30M --run true >"$dir/out" 2>&1 || status=$?
	cat "$dir/out"
	kill "$other"
	wait "$other" || true
	[ $status != 0 ] || fail "was not refused"
	grep "the control group of this server, limited to 100 MiB, leaves .* raise the limit" "$dir/out"
}

run_tests
