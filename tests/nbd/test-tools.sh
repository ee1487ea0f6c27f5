#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The programs that people use with such a disk: fio, nbdcopy, qemu-img, a file system.
# shellcheck source=tests/nbd/lib.sh
. "$(dirname "$0")/lib.sh"

# Bytes as programs have them, compressible and not, with holes: deterministic.
make_image() {
	local image=$1 size=$2
	cat /usr/bin/bash /usr/lib/x86_64-linux-gnu/libc.so.6 /usr/bin/perl 2>/dev/null |
		head -c $((size / 4)) >"$image"
	truncate -s $((size / 2)) "$image"
	head -c $((size / 8)) /dev/urandom >>"$image"
	yes "a line of text that comes again and again" | head -c $((size / 8)) >>"$image" || true
	truncate -s "$size" "$image"
}

fio_nbd() {
	(cd "$dir" && timeout "$patience" fio --ioengine=nbd --uri="$uri" --group_reporting \
		--output="$dir/fio" "$@") || { cat "$dir/fio"; fail "fio $*"; }
	grep -E 'verify|err=|READ:|WRITE:' "$dir/fio"
	! grep -qE 'verify: bad|err= *[1-9]' "$dir/fio" || fail "fio saw errors"
}

has_fio_nbd() {
	fio --enghelp 2>/dev/null | grep -qw nbd || skip "this fio has no nbd engine"
}

test_fio_verifies_random_writes() {
	has_fio_nbd
	start_server swap=off size=64M
	fio_nbd --name=random --rw=randwrite --bs=4k --size=64M --iodepth=16 \
		--verify=crc32c --do_verify=1 --verify_fatal=1 --buffer_compress_percentage=50 \
		--refill_buffers
	stop_server
}

test_fio_verifies_mixed_sizes_and_several_jobs() {
	has_fio_nbd
	start_server swap=off size=64M
	fio_nbd --name=mixed --rw=randrw --bsrange=512-64k --blockalign=512 --numjobs=4 \
		--size=16M --offset_increment=16M --iodepth=8 --verify=xxhash --verify_fatal=1 \
		--verify_backlog=64 --buffer_compress_percentage=70
	stop_server
}

test_fio_verifies_while_it_trims() {
	has_fio_nbd
	start_server swap=off size=32M
	fio_nbd --name=trims --rw=randtrimwrite --bs=4k --size=32M --iodepth=8 --io_size=64M
	fio_nbd --name=after --rw=write --bs=128k --size=32M --iodepth=4 --verify=crc32c \
		--verify_fatal=1
	stop_server
}

test_nbdcopy_there_and_back_is_identical() {
	start_server swap=off size=100000000
	make_image "$dir/image" 100000000
	timeout "$patience" nbdcopy --connections=4 --requests=32 "$dir/image" "$uri"
	timeout "$patience" nbdcopy --connections=4 --requests=32 "$uri" "$dir/back"
	cmp "$dir/image" "$dir/back"
	timeout "$patience" nbdcopy --synchronous "$uri" "$dir/back2"
	cmp "$dir/image" "$dir/back2"
	stop_server
}

test_qemu_img_compares_and_converts() {
	start_server swap=off size=64M
	make_image "$dir/image" $((64 << 20))
	timeout "$patience" qemu-img convert -n -f raw -O raw -m 8 -W "$dir/image" "$uri"
	timeout "$patience" qemu-img compare -f raw -F raw "$dir/image" "$uri"
	timeout "$patience" qemu-img convert -f raw -O qcow2 "$uri" "$dir/image.qcow2"
	timeout "$patience" qemu-img compare -f raw -F qcow2 "$uri" "$dir/image.qcow2"
	# Holes must come through as holes, not as zeroes that are stored.
	within "allocated by the copy" "$(($(stat_blocks "$dir/image.qcow2") * 512))" 1 $((42 << 20))
	stop_server
}

stat_blocks() {
	command stat -c %b "$1"
}

test_qemu_io_patterns_hold() {
	start_server swap=off size=8M
	timeout "$patience" qemu-io -f raw -c "write -P 1 0 8M" -c "write -P 2 12345 100000" \
		-c "write -z -u 50000 3000" -c "write -z 200000 70000" -c "discard 1M 1M" \
		-c "read -P 1 0 12345" -c "read -P 2 12345 37655" -c "read -P 0 50000 3000" \
		-c "read -P 2 53000 59345" -c "read -P 0 200000 70000" -c "read -P 0 1M 1M" \
		-c "read -P 1 2M 6M" -c flush "$uri" >"$dir/out"
	cat "$dir/out"
	! grep -qi 'failed\|error' "$dir/out" || fail "a pattern did not hold"
	stop_server
}

# qemu sends the pieces of one write at once.
test_a_write_of_any_size_works_through_qemu() {
	local try
	start_server swap=off size=256M
	for try in 1 2 3; do
		timeout "$patience" qemu-io -f raw -c "write -q -P $try 0 200M" "$uri" >"$dir/qio" 2>&1 ||
			{ cat "$dir/qio"; fail "try $try"; }
	done
	timeout "$patience" qemu-io -f raw -c "read -P 3 0 200M" "$uri" | grep -q "read 209715200/209715200"
	stop_server
}

test_a_file_system_survives_and_its_deleted_files_give_memory_back() {
	control=$dir/control
	start_server swap=off size=256M control="$control"
	truncate -s 256M "$dir/image"
	mkdir "$dir/files"
	cp /usr/bin/bash /usr/bin/perl "$dir/files"
	command -v mke2fs >/dev/null || skip "mke2fs is not there"
	mke2fs -q -F -t ext4 -d "$dir/files" "$dir/image"
	timeout "$patience" qemu-img convert -n -f raw -O raw "$dir/image" "$uri"
	timeout "$patience" nbdcopy "$uri" "$dir/back"
	cmp "$dir/image" "$dir/back"
	e2fsck -fn "$dir/back"
	local used
	used=$(stat mem_used_total)
	timeout "$patience" qemu-io -f raw -c "discard 0 256M" "$uri"
	equal "pages stored after a discard of all" "$(stat pages_stored)" 0
	within "memory after a discard of all" "$(stat mem_used_total)" 0 $((2 << 20))
	[ "$used" -gt $((2 << 20)) ]
	stop_server
}

run_tests
