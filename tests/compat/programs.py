# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs whose files lie on the disk, and programs that look after memory beside it.

Each guess was written down before the row was run first.
"""
from guests import QEMU, guest_row, swap_row
from kernels import program

PROGRAMS = "crossings: programs whose files lie on the disk"
KEEPERS = "crossings: who else looks after memory"

# A server that does not run as root, in the tools' root.
POSTGRES = """mkdir -p $m/pg "$TOOLS/tmp/pg"
	chmod 1777 "$TOOLS/tmp"
	tools chown postgres /mnt/disk/pg /tmp/pg
	bin=$(cd "$TOOLS" && echo usr/lib/postgresql/*/bin)
	[ -x "$TOOLS/$bin/postgres" ] || { echo "no PostgreSQL in these tools"; exit 77; }
	pg() { tools setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
	sql() { pg "/$bin/psql" -q -h /tmp/pg -U postgres -c "$1" postgres; }
	pg "/$bin/initdb" -D /mnt/disk/pg -U postgres -A trust --no-sync >/dev/null
	printf '%s\\n' "listen_addresses = ''" "unix_socket_directories = '/tmp/pg'" 'shared_buffers = 8MB' \\
		'max_wal_size = 32MB' 'min_wal_size = 32MB' 'dynamic_shared_memory_type = mmap' \\
		'autovacuum = off' >>$m/pg/postgresql.conf
	pg "/$bin/pg_ctl" -w -D /mnt/disk/pg -l /tmp/pg/log start >/dev/null
	mark start
	sql "create table t as select i, (select string_agg(md5(i::text || k::text), '') from generate_series(1, 60) k) b \\
		from generate_series(1, 9000) i"
	sql checkpoint
"""

# The log is as large then as it is between uses.
POSTGRES_END = """
	pg "/$bin/pg_ctl" -w -m fast -D /mnt/disk/pg stop >/dev/null"""


LOG = "segments of the log are kept to be used again, up to min_wal_size (here 32 MB): wal_recycle=off"


def database(name, what, guess, clean, **more):
    program_row("postgresql-" + name, "PostgreSQL: " + what, guess, POSTGRES,
                clean + "\n\tsql checkpoint" + POSTGRES_END, **more)


def program_row(name, what, guess, use, clean, wrong=False, advice="", before=""):
    program(name, what, guess, use, before=before, wrong=wrong, advice=advice, clean=clean,
            boot="crossings-programs", group=PROGRAMS)


database("delete", "18 MiB of rows, DELETE and VACUUM", "the file is cut off: the table comes back, the log stays",
         "sql 'delete from t'; sql 'vacuum t'", advice=LOG)
database("some", "every second row, DELETE and VACUUM", "nothing comes back: room in the file is used again",
         "sql 'delete from t where i % 2 = 0'; sql 'vacuum t'",
         advice="VACUUM FULL, or pg_repack; what deleting writes into the log is more than what was deleted. " + LOG)
database("full", "every second row, DELETE and VACUUM FULL", "half comes back, less what the log takes for it",
         "sql 'delete from t where i % 2 = 0'; sql 'vacuum full t'",
         advice="the log of the new table takes what the old one gave back. " + LOG)
database("drop", "DROP TABLE", "the table comes back, the log stays", "sql 'drop table t'", advice=LOG)
MAILS = """head -c 40000 /dev/urandom | base64 >"$TOOLS/tmp/file-body"
	for i in $(seq 300); do
		printf 'From a@b Thu Jan  1 00:00:00 2026\\nFrom: a@b\\nSubject: %s\\n\\n' $i
		cat "$TOOLS/tmp/file-body"
		echo
	done >"$TOOLS/tmp/file-mails"
	"""
program_row("mail-mbox", "a mail spool: 300 mails of 53 KiB by procmail into one file; every second is taken out by formail",
            "the old file comes back when the new one has its name", MAILS + """
	printf 'MAILDIR=/mnt/disk\\n:0\\nspool\\n' >"$TOOLS/tmp/file-rc"
	tools sh -c 'formail -s procmail /tmp/file-rc </tmp/file-mails'""",
            """tools sh -c "formail -s sh -c 'm=\\$(cat; echo x); case \\$FILENO in *[02468]) printf %s \\"\\${m%x}\\" ;; esac' </mnt/disk/spool >/mnt/disk/new"
	mv $m/new $m/spool""", advice="what is still there is held")
program_row("mail-maildir", "the same into a Maildir; every second file is removed", "half comes back", MAILS + """
	printf 'MAILDIR=/mnt/disk\\n:0\\nspool/\\n' >"$TOOLS/tmp/file-rc"
	tools sh -c 'formail -s procmail /tmp/file-rc </tmp/file-mails'""",
            "ls $m/spool/new | sed -n 'n;p' | while read -r mail; do rm $m/spool/new/$mail; done",
            advice="what is still there is held")
program_row("build-tree", "a build tree: the allocator compiled with debug information, then removed",
            "some MiB, well compressed; all comes back", """mkdir $m/build
	for file in "$TOP"/allocator/*.c; do
		TMPDIR=/run gcc -D_GNU_SOURCE -g3 -O1 -I"$TOP" -I"$TOP/allocator" -c -o $m/build/$(basename $file .c).o $file
	done""", "rm -rf $m/build")
STORE = """[ -x "$TOOLS/usr/bin/containers-storage" ] || { echo "no containers-storage in these tools"; exit 77; }
	store() { tools containers-storage --graph /mnt/disk/store --run /run/store --storage-driver {driver} "$@"; }
	mkdir -p "$TOOLS/tmp/tree"
	head -c 16M "$TOOLS/tmp/noise" | (cd "$TOOLS/tmp/tree" && split -b 64K)
	tar -C "$TOOLS/tmp/tree" -cf "$TOOLS/tmp/file-layer" .
	rm -r "$TOOLS/tmp/tree"
	store create-layer --id base >/dev/null
	store apply-diff --file /tmp/file-layer base >/dev/null
	store create-layer --id top base >/dev/null
	store apply-diff --file /tmp/file-layer top >/dev/null
	store create-image --id image top >/dev/null
	store create-container --id box image >/dev/null"""
for _driver, _guess in (("overlay", "each layer is stored once: 32 MiB; all comes back"),
                        ("vfs", "each layer and the container is a copy: 48 MiB; all comes back")):
    program_row(f"container-store-{_driver}",
                f"containers-storage ({_driver}): a layer of 16 MiB, one above it of the same files, an image, a container; deleted",
                _guess, STORE.replace("{driver}", _driver),
                "store delete-container box; store delete-image image >/dev/null",
                before="load overlay")
program_row("overlay", "overlayfs with lower and upper directory there: 16 MiB below and 16 above are removed",
            "what is above comes back; what is below is only hidden", """mkdir $m/low $m/up $m/work "$TOOLS/mnt/merged"
	head -c 16M "$TOOLS/tmp/noise" >$m/low/below
	tools mount -t overlay -o lowerdir=/mnt/disk/low,upperdir=/mnt/disk/up,workdir=/mnt/disk/work o /mnt/merged
	tail -c 16M "$TOOLS/tmp/noise" >"$TOOLS/mnt/merged/above"
	sync""", """rm "$TOOLS/mnt/merged/below" "$TOOLS/mnt/merged/above"
	tools umount /mnt/merged
	rmdir "$TOOLS/mnt/merged\"""", before="load overlay", advice="remove it below, where nothing above needs it")
NFS = """[ -x "$TOOLS/usr/sbin/rpc.nfsd" ] || { echo "no NFS server in these tools"; exit 77; }
	tools ip link set lo up 2>/dev/null || ip link set lo up || ifconfig lo up
	mount -t tmpfs state "$TOOLS/var/lib/nfs"
	mkdir -p "$TOOLS/var/lib/nfs/v4recovery" "$TOOLS/var/lib/nfs/rpc_pipefs" "$TOOLS/mnt/far"
	touch "$TOOLS/var/lib/nfs/etab" "$TOOLS/var/lib/nfs/rmtab"
	mount -t nfsd nfsd "$TOOLS/proc/fs/nfsd"
	tools exportfs -o rw,no_root_squash,fsid=0,no_subtree_check,sync,insecure '*:/mnt/disk'
	tools rpc.mountd -N 3 2>/dev/null
	# Nobody has anything to claim, which it waits for.
	tools rpc.nfsd -N 3 -G 10 -L 10 2
	tools mount -t nfs4 -o vers=4.2,sec=sys 127.0.0.1:/ /mnt/far
	head -c 32M "$TOOLS/tmp/noise" >"$TOOLS/mnt/far/file"
	sync"""
NFS_END = """
	tools umount /mnt/far
	tools rpc.nfsd 0
	tools exportfs -ua
	kill $(pgrep -f rpc.mountd)
	umount "$TOOLS/proc/fs/nfsd"
	umount "$TOOLS/var/lib/nfs\""""
for _name, _what, _guess, _clean in (
        ("remove", "removed by the client", "all comes back when the server has taken it away", 'rm "$TOOLS/mnt/far/file"'),
        ("punch", "a hole punched by the client (fallocate -p)", "NFS 4.2 passes it on: all comes back",
         "tools fallocate -p -o 0 -l 32M /mnt/far/file"),
        ("zero-range", "fallocate --zero-range by the client", "NFS knows no such thing: it is refused",
         'tools fallocate -z -o 0 -l 32M /mnt/far/file || say "refused"')):
    program_row("nfs-" + _name, "NFS 4.2 export of it, 32 MiB written there, " + _what, _guess, NFS, _clean + NFS_END,
                before="load nfsd nfsv4 nfs", advice="fallocate -p" if _name == "zero-range" else "")


def keeper(name, what, guess, script, wrong=False, advice=""):
    """Swap as 'ramzswap start' makes it, with its guard, on 384 MB."""
    guest_row("crossings-keepers", KEEPERS, name, what, guess, f"""
	{script}""", wrong, advice)


SWAP = """RAMZSWAP_RUN=/run/ramzswap RAMZSWAP_DEFAULTS=/run/none
	RZSCONTROL=$BUILD/plugin/rzscontrol RAMZSWAP_PLUGIN=$BUILD/plugin/ramzswap.so
	RAMZSWAP_GUARD=$BUILD/plugin/ramzswap-guard RAMZSWAP_CTL=$BUILD/plugin/ramzswap-ctl
	export RAMZSWAP_RUN RAMZSWAP_DEFAULTS RZSCONTROL RAMZSWAP_PLUGIN RAMZSWAP_GUARD RAMZSWAP_CTL
	rm -f "$TOOLS/tmp/noise"
	echo 1 >/proc/sys/vm/overcommit_memory
	before=$(vmstat_of oom_kill)
	"$tool" start --size 128M memlimit=48M >/run/answer 2>&1 || { cat /run/answer; exit 1; }
	guard=$(sed -n 's/.*guard: process \\([0-9]*\\),.*/\\1/p' /run/answer)
	server=$(cat /run/ramzswap/pid)
	lives() { ! grep -q '^State:.[ZX]' /proc/$1/status 2>/dev/null && [ -d /proc/$1 ] && echo lives || echo "is dead"; }
	# What 'tools' started has its own process.
	ends_keeper() { kill $(pgrep -f 'earlyoom -r|nohang --|swapspace -c') 2>/dev/null || true; }
	# Does not compress, and is more than memory and swap hold.
	eat() { "$load" hold mem=$1 ratio=1 seconds=600 >/run/load 2>&1 & eater=$!; }
	"""
SWAP_END = """
	say "server $(lives $server), guard $(lives $guard), the kernel ended $(($(vmstat_of oom_kill) - before))"
	kill -9 $eater 2>/dev/null || true
	wait $eater 2>/dev/null || true
	sleep 2
	"$tool" stop >/run/answer 2>&1 && say "swap is off" || say "stop: $(tail -n 1 /run/answer)\""""
KILLED = """
	for try in $(seq 60); do kill -0 $eater 2>/dev/null || break; sleep 1; done
	wait $eater && code=0 || code=$?
	say "the load ended with $code\""""

keeper("earlyoom", "earlyoom beside the guard; a program that does not fit",
       "earlyoom ends the program with SIGTERM (143) before the kernel does; server and guard live", SWAP + """
	[ -x "$TOOLS/usr/bin/earlyoom" ] || { echo "no earlyoom in these tools"; exit 77; }
	tools earlyoom -r 0 >$RESULTS/$row.earlyoom 2>&1 &
	eat 380M""" + KILLED + """
	say "earlyoom ended $(sed -n 's/.*sending SIG\\([A-Z]*\\) to process [0-9]* [^"]*"\\([a-z]*\\)".*/\\2 by SIG\\1/p' $RESULTS/$row.earlyoom | sort -u | tr '\\n' ' ')"
	ends_keeper""" + SWAP_END)
keeper("earlyoom-half", "earlyoom, the pool full (so the guard takes slots), half of memory free",
       "earlyoom ends nobody: only one of its two conditions holds", SWAP + """
	tools earlyoom -r 0 >$RESULTS/$row.earlyoom 2>&1 &
	load_group
	sh -c 'echo $$ >/sys/fs/cgroup/load/cgroup.procs; exec "$@"' sh "$load" hold mem=70M ratio=1 seconds=600 >/run/load 2>&1 &
	eater=$!
	echo 30M >$group/memory.max
	sleep 15
	say "of swap $(awk '/SwapTotal/ { t = $2 } /SwapFree/ { print ($2 * 10 < t ? "less" : "more") }' /proc/meminfo) than 10 % is free," \\
		"of memory $(awk '/MemTotal/ { t = $2 } /MemAvailable/ { print ($2 * 3 < t ? "less" : "more") }' /proc/meminfo) than a third"
	say "earlyoom ended: $(grep -c 'sending SIG.* to process' $RESULTS/$row.earlyoom)"
	ends_keeper""" + SWAP_END)
keeper("nohang", "nohang beside the guard; a program that does not fit",
       "nohang ends the program; server and guard live", SWAP + """
	[ -e "$TOOLS/usr/sbin/nohang" ] || [ -e "$TOOLS/usr/bin/nohang" ] || { echo "no nohang in these tools"; exit 77; }
	tools nohang --monitor --config /etc/nohang/nohang.conf >$RESULTS/$row.nohang 2>&1 &
	sleep 3
	eat 380M
	for try in $(seq 60); do kill -0 $eater 2>/dev/null || break; sleep 1; done
	kill -0 $eater 2>/dev/null && say "the load goes on" || say "the load is ended"
	ends_keeper""" + SWAP_END.replace(", the kernel ended $(($(vmstat_of oom_kill) - before))", ""))
keeper("swapspace", "swapspace (makes swap files when swap is short) beside the guard, whose slots are taken",
       "what the guard takes is short for swapspace: it adds a file on its own disk; stop leaves that alone", SWAP + """
	[ -x "$TOOLS/usr/sbin/swapspace" ] || { echo "no swapspace in these tools"; exit 77; }
	load 'brd rd_nr=1 rd_size=131072'
	tools mkfs.ext4 -q /dev/ram0
	tools mount /dev/ram0 /mnt/disk
	mkdir -p $m/swapspace
	chmod 700 $m/swapspace
	printf 'swappath="/mnt/disk/swapspace"\\nmin_swapsize="4m"\\nmax_swapsize="64m"\\ncooldown="2"\\n' >"$TOOLS/tmp/file-conf"
	tools swapspace -c /tmp/file-conf -v >$RESULTS/$row.swapspace 2>&1 &
	load_group
	sh -c 'echo $$ >/sys/fs/cgroup/load/cgroup.procs; exec "$@"' sh "$load" hold mem=70M ratio=1 seconds=600 >/run/load 2>&1 &
	eater=$!
	echo 30M >$group/memory.max
	for try in $(seq 30); do [ "$(sed 1d /proc/swaps | wc -l)" -gt 1 ] && break; sleep 1; done
	say "$(sed 1d /proc/swaps | grep -c swapspace) areas of its own"
	ends_keeper
	sleep 2
	for area in $(awk '/swapspace/ { print $1 }' /proc/swaps); do swapoff $area; done""" + SWAP_END,
       wrong=True, advice="it counts free memory as room, too, and waits until there is none")
guest_row("crossings-memory", KEEPERS, "vmtouch", "vmtouch -l of a file of 32 MiB in a tmpfs that is out",
          "it reads all and locks it; it stays stored until it is unlocked and written to", """
	[ -x "$TOOLS/usr/bin/vmtouch" ] || { echo "no vmtouch in these tools"; exit 77; }
	disk 256M
	swap_on
	begin_pages
	mount -t tmpfs t "$TOOLS/mnt/other" -o size=64M
	do_pages make file 32 "$TOOLS/mnt/other/file"
	reclaim 40
	mark out
	say "$(tools vmtouch /mnt/other/file | sed -n 's/.*Resident Pages: .* //p') in memory"
	tools vmtouch -l /mnt/other/file >$RESULTS/$row.vmtouch 2>&1 &
	for try in $(seq 40); do
		locker=$(pgrep -x vmtouch) && grep -q '^VmLck:.* [1-9]' /proc/$locker/status && break
		sleep 0.5
	done
	sleep 2
	mark locked 3
	[ -n "$locker" ] && kill $locker || cat $RESULTS/$row.vmtouch""", wrong=True,
          advice="the cluster that the kernel fills is trimmed when all of it is free").volumes = True
