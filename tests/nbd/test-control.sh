#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# rzscontrol against a server at work: statistics that are true, and its commands.
# shellcheck source=tests/nbd/lib.sh
. "$(dirname "$0")/lib.sh"

start_controlled() {
	control=$dir/control
	start_server swap=off control="$control" "$@"
}

rzs() {
	timeout "$patience" "$RZSCONTROL" -c "$control" "$@"
}

# complains WORDS COMMAND...: fails with status 1, one line on stderr, none on stdout.
complains() {
	local words=$1 status=0
	shift
	"$@" >"$dir/out" 2>"$dir/err" || status=$?
	cat "$dir/out" "$dir/err"
	equal "status of $*" "$status" 1
	equal "lines of $*" "$(wc -l <"$dir/err")" 1
	[ ! -s "$dir/out" ] || fail "wrote to stdout"
	grep -qF -- "$words" "$dir/err" || fail "does not say: $words"
}

qio() {
	timeout "$patience" qemu-io -f raw "$@" "$uri" >"$dir/qio" || { cat "$dir/qio"; fail "qemu-io"; }
}

test_the_socket_is_for_its_owner_only() {
	start_controlled size=1M
	equal mode "$(command stat -c %a "$control")" 600
	[ -S "$control" ]
	stop_server
	[ ! -e "$control" ] || fail "the socket stayed behind"
}

test_the_text_form_reads_as_in_2009() {
	start_controlled size=64M memlimit=32M
	rzs --stats >"$dir/text"
	cat "$dir/text"
	grep -qE '^DiskSize: +65536 kB$' "$dir/text"
	grep -qE '^MemLimit: +32768 kB$' "$dir/text"
	grep -qE '^NumReads: +[0-9]+$' "$dir/text"
	grep -qE '^OrigDataSize: +0 kB$' "$dir/text"
	grep -qE '^MemUsedTotal: +[1-9][0-9]* kB$' "$dir/text"
	! grep -vE '^[A-Za-z]+: +[0-9]+( kB)?$' "$dir/text" || fail "a line of another form"
	rzs stats --all >"$dir/again"
	equal "labels of stats --all" "$(cut -d: -f1 <"$dir/again")" "$(cut -d: -f1 <"$dir/text")"
	RAMZSWAP_CONTROL=$control "$RZSCONTROL" stats | grep -q '^DiskSize: *65536 kB$'
	stop_server
}

test_the_json_form_is_json_with_every_name() {
	local name
	start_controlled size=64M
	rzs stats --json >"$dir/json"
	for name in disksize memlimit reserve num_reads num_writes pages_written payload_written failed_reads failed_writes \
		invalid_io notify_free freed_notices stale_pages pages_zero same_pages pages_stored good_compress_pages \
		pages_expand huge_pages orig_data_size compr_data_size mem_used_total \
		mem_used_max pages_compacted pages_recompressed bd_count bd_reads bd_writes \
		connections locked io_flusher uptime_seconds; do
		jq -e "has(\"$name\") and (.$name | type == \"number\")" "$dir/json" >/dev/null ||
			fail "no number called $name"
	done
	python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$dir/json"
	stop_server
}

# https://prometheus.io/docs/instrumenting/exposition_formats/
test_the_prometheus_form_can_be_scraped() {
	start_controlled size=64M
	rzs stats --prometheus >"$dir/metrics"
	cat "$dir/metrics"
	python3 - "$dir/metrics" <<-'END'
		import re, sys
		text = open(sys.argv[1]).read()
		assert text.endswith("\n")
		types, helps, samples, histograms = {}, {}, {}, {}
		for line in text.splitlines():
		    m = re.fullmatch(r"# HELP ([a-z_:][a-z0-9_:]*) (\S.*)", line)
		    if m:
		        assert m[1] not in helps and m[1] not in samples, line
		        helps[m[1]] = m[2]
		        continue
		    m = re.fullmatch(r"# TYPE ([a-z_:][a-z0-9_:]*) (gauge|counter|histogram)", line)
		    if m:
		        assert m[1] not in types and m[1] not in samples, line
		        types[m[1]] = m[2]
		        continue
		    m = re.fullmatch(r"([a-z_:][a-z0-9_:]*)(\{[^}]*\})? ([0-9.eE+-]+)", line)
		    assert m, line
		    of = re.fullmatch(r"(.*)_(bucket|sum|count)", m[1])
		    if of and types.get(of[1]) == "histogram":
		        histograms.setdefault(of[1], {}).setdefault(of[2], []).append((m[2], float(m[3])))
		        continue
		    assert m[1] in types and m[1] in helps, line
		    assert m[1].startswith("ramzswap_"), line
		    assert (types[m[1]] == "counter") == m[1].endswith("_total"), line
		    samples[m[1]] = float(m[3])
		assert set(types) == set(samples) | set(histograms) and len(samples) >= 28
		assert len(histograms) == 3
		for parts in histograms.values():
		    bounds = [float(re.search('le="([^"]*)"', labels)[1]) for labels, _ in parts["bucket"]]
		    counts = [count for _, count in parts["bucket"]]
		    assert bounds == sorted(set(bounds)) and bounds[-1] == float("inf")
		    assert counts == sorted(counts) and counts[-1] == parts["count"][0][1]
		    assert len(parts["sum"]) == len(parts["count"]) == 1
		assert any(v == 64 << 20 for v in samples.values())
	END
	stop_server
}

test_requests_are_counted() {
	start_controlled size=64M
	local reads writes
	reads=$(stat num_reads)
	writes=$(stat num_writes)
	qio -c "write -P 1 0 4k" -c "write -P 2 1M 128k" -c "read 0 8k" -c "read 2M 4k" -c "read 1M 1M"
	equal "reads" $(($(stat num_reads) - reads)) 3
	equal "writes" $(($(stat num_writes) - writes)) 2
	equal "failed reads" "$(stat failed_reads)" 0
	equal "failed writes" "$(stat failed_writes)" 0
	qio -c "discard 0 1M" -c "discard 1M 64k"
	equal "pages freed" "$(stat notify_free)" 17
	stop_server
}

test_requests_off_the_page_borders_are_counted_and_hinted_at() {
	start_controlled size=64M
	qio -c "write -P 1 0 1M" -c "write -P 2 512 4k" -c "write -z -u 2M 4k"
	equal "misaligned writes" "$(stat misaligned_writes)" 1
	equal "misaligned trims" "$(stat misaligned_trims)" 0
	rzs stats 2>"$dir/hints" >/dev/null
	equal "hints" "$(cat "$dir/hints")" ""
	qio -c "discard 512 64k" -c "discard 128k 512" -c "discard 131584 3584" -c "discard 1M 512"
	equal "misaligned trims" "$(stat misaligned_trims)" 4
	rzs stats 2>"$dir/hints" >/dev/null
	equal "hints" "$(cut -d: -f1-3 <"$dir/hints")" \
		"hint: trims come off the page borders: attach with -b 4096 (qemu"
	rzs stats --json 2>&1 | jq -e . >/dev/null
	qio -c "write -P 0 4M 8k"
	equal "pages of zeroes that came as data" "$(stat zero_writes)" 2
	stop_server
}

test_failed_writes_are_counted() {
	start_controlled size=64M memlimit=4M
	head -c 16777216 /dev/urandom >"$dir/random"
	timeout "$patience" qemu-io -f raw -c "write -s $dir/random 0 16M" "$uri" >"$dir/qio" 2>&1 || true
	grep -q "No space left" "$dir/qio" || { cat "$dir/qio"; fail "no ENOSPC"; }
	[ "$(stat failed_writes)" -ge 1 ]
	[ "$(stat mem_used_max)" -le $((4 << 20)) ]
	stop_server
}

# Until all of the reserve is there again.
reserve_is_ready() {
	[ "$(stat reserve_ready)" = "$(stat reserve)" ]
}

test_a_log_that_nobody_reads_does_not_hold_up_the_background() {
	mkfifo "$dir/log"
	exec 7<>"$dir/log"
	start_controlled size=64M memlimit=16M reserve=1M
	log=/dev/null # a pipe is not to be read when the test is over
	dd if=/dev/zero of="$dir/log" bs=4096 count=64 oflag=nonblock 2>/dev/null || true
	# That there is no room any more has to be said, and cannot.
	head -c 33554432 /dev/urandom >"$dir/random"
	timeout "$patience" qemu-io -f raw -c "write -s $dir/random 0 32M" "$uri" >"$dir/qio" 2>&1 || true
	grep -q "No space left" "$dir/qio" || { cat "$dir/qio"; fail "no ENOSPC"; }
	sleep 2
	qio -c "discard 0 64M" -c "write -s $dir/random 0 4M"
	soon reserve_is_ready || fail "ready: $(stat reserve_ready) of $(stat reserve)"
	cat <&7 >"$dir/said" &
	local reader=$!
	soon grep -qa "room" "$dir/said" || fail "said: $(tr -d '\0' <"$dir/said")"
	stop_server
	kill "$reader"
	exec 7>&-
}

test_pages_are_counted_by_kind() {
	start_controlled size=64M
	head -c 4194304 /dev/urandom >"$dir/random"
	yes "all work and no play" | head -c 4194304 >"$dir/text" || true
	qio -c "write -s $dir/random 0 4M" -c "write -s $dir/text 8M 4M" -c "write -P 9 16M 4M"
	equal "raw pages" "$(stat pages_expand)" 1024
	equal "raw pages" "$(stat huge_pages)" 1024
	equal "same-filled pages" "$(stat same_pages)" 1024
	equal "stored pages" "$(stat pages_stored)" 2048
	equal "pages of half a page at most" "$(stat good_compress_pages)" 1024
	equal "their size" "$(stat orig_data_size)" $((8 << 20))
	within "payloads" "$(stat compr_data_size)" $((4 << 20)) $(((4 << 20) + 600000))
	stop_server
}

connections_are() {
	[ "$(stat connections)" -eq "$1" ]
}

test_connections_are_counted() {
	start_controlled size=64M
	equal connections "$(stat connections)" 0
	mkfifo "$dir/hold"
	timeout "$patience" qemu-io -f raw "$uri" <"$dir/hold" >/dev/null &
	local client=$!
	exec 9>"$dir/hold"
	soon connections_are 1 || fail "no client came"
	equal connections "$(stat connections)" 1
	complains "" rzs reset
	exec 9>&-
	wait "$client"
	soon connections_are 0 || fail "the client is still there"
	equal connections "$(stat connections)" 0
	rzs reset
	stop_server
}

test_a_reset_forgets_all_and_is_refused_while_in_use() {
	start_controlled size=64M
	local empty
	empty=$(stat mem_used_total)
	head -c 8388608 /dev/urandom >"$dir/random"
	qio -c "write -s $dir/random 0 8M"
	[ "$(stat pages_stored)" -eq 2048 ]
	mkfifo "$dir/hold"
	timeout "$patience" qemu-io -f raw "$uri" <"$dir/hold" >/dev/null &
	local client=$!
	exec 9>"$dir/hold"
	soon connections_are 1 || fail "no client came"
	complains "connected" rzs reset
	complains "connected" rzs --reset
	equal "stored pages" "$(stat pages_stored)" 2048
	exec 9>&-
	wait "$client"
	soon connections_are 0 || fail "the client is still there"
	rzs --reset
	equal "stored pages" "$(stat pages_stored)" 0
	equal "writes" "$(stat num_writes)" 0
	within "memory" "$(stat mem_used_total)" 0 $((empty + (2 << 20)))
	qio -c "read -P 0 0 64M"
	stop_server
}

test_the_limit_changes_at_run_time() {
	start_controlled size=64M memlimit=8M
	head -c 33554432 /dev/urandom >"$dir/random"
	timeout "$patience" qemu-io -f raw -c "write -s $dir/random 0 32M" "$uri" >"$dir/qio" 2>&1 || true
	grep -q "No space left" "$dir/qio" || fail "8 MiB held 32"
	rzs memlimit 64M
	equal memlimit "$(stat memlimit)" $((64 << 20))
	qio -c "write -s $dir/random 0 32M"
	rzs memlimit none
	equal memlimit "$(stat memlimit)" 0
	rzs memlimit 1.5G
	equal memlimit "$(stat memlimit)" $((3 << 29))
	# Less than is in use: nothing is lost, nothing more goes in.
	rzs memlimit 4M
	timeout "$patience" qemu-io -f raw -c "write -s $dir/random 40M 8M" "$uri" >"$dir/qio" 2>&1 || true
	grep -q "No space left" "$dir/qio" || fail "the limit of 4 MiB was not kept"
	nbdcopy "$uri" "$dir/back"
	cmp -n 33554432 "$dir/back" "$dir/random"
	complains "" rzs memlimit 1
	complains "" rzs memlimit 0
	complains "" rzs memlimit nonsense
	complains "" rzs memlimit
	equal memlimit "$(stat memlimit)" $((4 << 20))
	stop_server
}

test_memory_told_stays_within_the_smallest_limits() {
	local limit
	head -c 8388608 /dev/urandom >"$dir/random"
	for limit in 1 2 3; do
		start_controlled size=64M reserve=0 memlimit=${limit}M
		timeout "$patience" qemu-io -f raw -c "write -s $dir/random 0 8M" "$uri" >"$dir/qio" 2>&1 || true
		grep -q "No space left" "$dir/qio" || fail "$limit MiB held 8"
		within "memory of $limit MiB" "$(stat mem_used_max)" 0 $((limit << 20))
		within "memory now" "$(stat mem_used_total)" $((limit << 18)) $((limit << 20))
		stop_server
	done
}

test_compact_gives_memory_back_and_loses_nothing() {
	start_controlled size=64M
	make_text >"$dir/data"
	qio -c "write -s $dir/data 0 32M"
	# Free three pages of four.
	awk 'BEGIN { for (i = 0; i < 8192; i++) if (i % 4) print "discard", i * 4096, 4096 }' \
		>"$dir/discards"
	timeout "$patience" qemu-io -f raw "$uri" <"$dir/discards" >/dev/null
	rzs compact >"$dir/out"
	cat "$dir/out"
	within "memory" "$(stat mem_used_total)" 1 $(($(stat compr_data_size) * 11 / 10 + (1 << 20)))
	rzs check
	nbdcopy "$uri" "$dir/back"
	python3 - "$dir/data" "$dir/back" <<-'END'
		import sys
		data, back = open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read()
		for i in range(8192):
		    page = back[i * 4096:(i + 1) * 4096]
		    assert page == (bytes(4096) if i % 4 else data[i * 4096:(i + 1) * 4096]), i
	END
	stop_server
}

make_text() {
	find /usr/bin /usr/lib -maxdepth 2 -type f -size +16k -print0 2>/dev/null |
		sort -z | xargs -0 cat 2>/dev/null | head -c 33554432 || true
}

test_recompress_and_check_answer() {
	start_controlled size=64M
	# Few pages: an encoder that takes its time takes a minute under ThreadSanitizer.
	make_text | head -c 4194304 >"$dir/data"
	qio -c "write -s $dir/data 0 4M"
	local before
	before=$(stat compr_data_size)
	rzs recompress
	[ "$(stat compr_data_size)" -le "$before" ]
	rzs check
	nbdcopy "$uri" "$dir/back"
	cmp -n 4194304 "$dir/back" "$dir/data"
	stop_server
}

test_memory_told_agrees_with_memory_taken() {
	! sanitized || skip "a sanitizer takes memory of its own"
	start_controlled size=512M
	local base used_base grown told
	make_text >"$dir/data"
	for _ in 1 2 3 4 5 6 7 8; do
		cat "$dir/data"
	done >"$dir/more"
	# Let the server's own buffers grow first (they are as large as the largest request
	# and not the disk's), and leave the disk as it was.
	copy_in "$dir/data"
	qio -c "discard 0 512M"
	base=$(resident)
	used_base=$(stat mem_used_total)
	copy_in "$dir/more"
	grown=$(($(resident) - base))
	told=$(($(stat mem_used_total) - used_base))
	echo "resident memory grew by $grown, mem_used_total by $told"
	[ "$told" -gt $((20 << 20)) ]
	within "mem_used_total's growth" "$told" $((grown - grown * 3 / 100 - (4 << 20))) \
		$((grown + grown * 3 / 100 + (4 << 20)))
	within "mem_used_total" "$told" 1 $(($(stat compr_data_size) * 103 / 100 + (1 << 20)))
	qio -c "discard 0 512M"
	within "memory after all was freed" "$(stat mem_used_total)" 0 $((used_base + (2 << 20)))
	within "resident memory after all was freed" "$(resident)" 0 $((base + (6 << 20)))
	stop_server
}

copy_in() {
	timeout "$patience" nbdcopy --connections=1 --requests=4 --request-size=131072 "$1" "$uri"
}

test_a_wrong_socket_is_one_line_and_status_1() {
	complains "$dir/nowhere" "$RZSCONTROL" -c "$dir/nowhere" stats
	echo text >"$dir/file"
	complains "$dir/file" "$RZSCONTROL" -c "$dir/file" stats
	complains "$dir/none" env RAMZSWAP_CONTROL="$dir/none" "$RZSCONTROL" stats
	complains "" "$RZSCONTROL" -c "$(printf 'x%.0s' $(seq 200))" stats
	complains "" "$RZSCONTROL" -c "$dir/file"
	complains "" "$RZSCONTROL" -c "$dir/file" list --xml
	complains "" "$RZSCONTROL" -c "$dir/file" explode
	complains "" "$RZSCONTROL" -c "$dir/file" stats --xml
	complains "" "$RZSCONTROL" -c "$dir/file" compact now
}

test_garbage_on_the_socket_does_no_harm() {
	start_controlled size=64M
	qio -c "write -P 3 0 1M"
	python3 - "$control" <<-'END'
		import os, random, socket, sys, time
		random.seed(1)
		lines = [b"", b"\n", b"\0" * 100, b"stats", b"stats\0\n", b"STATS\n", b"stats " * 1000,
		         b"memlimit\n", b"memlimit -1\n", b"memlimit 99999999999999999999\n",
		         b"x" * 100000, b"stats json\nstats json\nreset\n", b"%s%n%x\n"]
		lines += [os.urandom(random.randrange(1, 3000)) for _ in range(200)]
		held = []
		for line in lines:
		    s = socket.socket(socket.AF_UNIX)
		    s.settimeout(60)
		    s.connect(sys.argv[1])
		    try:
		        s.sendall(line)
		        if random.random() < 0.3:
		            s.shutdown(socket.SHUT_WR)
		            s.recv(100000)
		    except OSError:
		        pass
		    s.close()
		# One that connects and says nothing must not keep others out.
		held = []
		for _ in range(3):
		    s = socket.socket(socket.AF_UNIX)
		    s.connect(sys.argv[1])
		    held.append(s)
		import subprocess
		subprocess.run([os.environ["RZSCONTROL"], "-c", sys.argv[1], "stats"], check=True,
		               timeout=120, stdout=subprocess.DEVNULL)
	END
	# A reset may have been among it only in a form that is not one.
	equal "same-filled pages" "$(stat same_pages)" 256
	qio -c "read -P 3 0 1M"
	stop_server
}

run_tests
