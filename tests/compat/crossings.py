# SPDX-License-Identifier: GPL-2.0-or-later
"""Crossings: swap on the disk, and what else a kernel does with memory.

Each guess was written down before the row was run first.
"""
from guests import QEMU, UML, swap_row

# Why what was read back stays.
KEEPS = ("a program's memory keeps its copy on the disk, from Linux 6.12 on also what it changed, until more than half of all "
         "swap is taken, or of memory.swap.max; swapoff and swapon --discard give it back")
BESIDE = "2 MiB: what was read beside it stays until somebody wants it"
CLUSTER = "5 is the most for a program's memory, without a word; shared memory is read as the setting says"
NO_TRIM = "swapoff trims nothing: the next swapon --discard does, or blkdiscard, or 'ramzswap stop'"

MEMORY = "crossings: swap and what programs do with memory"
KERNEL = "crossings: swap and what the kernel is set to"


def cross(boot, group, name, what, guess, script, wrong=False, advice="", size="256M", where=UML, options=""):
    """Swap on a fresh disk, and a program whose memory is out as soon as it is asked for."""
    swap_row(boot, group, name, what, guess, f"""
	disk {size}
	swap_on {options}
	begin_pages
	{script}""", wrong, advice, where)


def memory(name, what, guess, script, **more):
    cross("crossings-memory", MEMORY, "memory-" + name, what, guess, script, **more)


OUT = """do_pages make anon 32
	do_pages advise pageout
	all_out
	mark out"""

memory("pageout", "MADV_PAGEOUT of 32 MiB, which are then read", "written and gone from memory; read by ≤ 32K",
       """do_pages make anon 32
	do_pages advise pageout
	mark out
	do_pages read
	mark back 3""", wrong=True, advice="what is out is in memory, too, until somebody needs memory; " + KEEPS)
memory("back", "32 MiB that are out are read, and then written to",
       "written by ≤ 128K on 6.1, more later; read by ≤ 32K; what was read stays stored until it is written to",
       OUT + """
	do_pages read
	mark back 3
	do_pages write
	mark written 5""", wrong=True, advice=KEEPS)
memory("back-half-full", "the same on an area that this fills by more than half",
       "pages go from the disk as they are read, for the area is half full",
       OUT + """
	do_pages read
	mark back 5
	do_pages write
	mark written 5""", size="48M", wrong=True, advice=KEEPS)
memory("cold", "MADV_COLD of 32 MiB", "nothing arrives", """do_pages make anon 32
	do_pages advise cold
	sleep 2
	mark cold""")
memory("free", "MADV_FREE of 32 MiB, then memory.reclaim of the group", "nothing is written: they are dropped",
       """do_pages make anon 32
	do_pages advise free
	all_out
	mark out
	say "$(pages read) pages are not what they were\"""")
memory("reclaim", "memory.reclaim of 40 MiB of a group that has 32", "all is written, as by MADV_PAGEOUT",
       """do_pages make anon 32
	all_out
	mark out
	do_pages read
	mark back 3""", advice=KEEPS)
memory("swap-max", "the same with memory.swap.max=16M, which is then set to 0",
       "16 MiB are written, the rest stays in memory; what is out stays out",
       """do_pages make anon 32
	echo 16M >$group/memory.swap.max
	reclaim 40
	mark out
	echo 0 >$group/memory.swap.max
	mark forbidden 3
	do_pages read
	mark back 3
	echo max >$group/memory.swap.max""", wrong=True, advice="above half of its limit a group's memory leaves the disk as it is read")
memory("sealed", "a memfd that is sealed against writing (F_SEAL_WRITE)", "goes out and reads right, as any memory",
       """do_pages make memfd 32
	do_pages seal
	all_out
	mark out
	do_pages read
	mark back 3""")
memory("half", "every second 64 KiB given back (MADV_DONTNEED) when all is out, then all",
       "nothing comes back before the rest is given back",
       OUT + """
	do_pages half
	mark half 5
	do_pages unmap
	mark freed 5""", advice="clusters of 2 MiB are trimmed whole; ramzswap(8) has notices of freed slots")
memory("lock", "mlockall when 32 MiB are out", "all is read, and comes back from the disk, for what is locked is not kept twice",
       OUT + """
	do_pages lock
	mark locked 5
	do_pages unlock""")
memory("fork", "a child writes to all 32 MiB that are out", "the child's are read and stay in memory; paged out, both copies are stored",
       OUT + """
	do_pages child
	mark child 3
	all_out
	all_out
	mark both
	do_pages read
	mark back 3""", advice=KEEPS)
memory("pinned", "32 MiB that are a buffer of io_uring", "nothing arrives", """do_pages make anon 32
	do_pages pin
	do_pages advise pageout
	all_out
	mark out""", advice="what is pinned stays in memory, and is no reason for a larger disk")
memory("frozen", "the group is frozen (cgroup.freeze), then reclaimed, then thawed", "goes out like any other",
       """do_pages make anon 32
	echo 1 >$group/cgroup.freeze
	all_out
	mark out
	echo 0 >$group/cgroup.freeze
	do_pages read
	mark back 3""", advice=KEEPS)
memory("frozen-swapoff", "swapoff when a frozen group's memory is out", "swapoff reads all, for it needs nobody's help",
       OUT + """
	echo 1 >$group/cgroup.freeze
	swapoff $d
	mark off 5
	echo 0 >$group/cgroup.freeze
	do_pages read""", advice=NO_TRIM)
memory("swapoff-anonymous", "swapoff with 32 MiB of a program out", "read by ≤ 32K, as by a program",
       OUT + """
	swapoff $d
	mark off 5
	do_pages read""", advice=NO_TRIM)
memory("swapoff-shared", "swapoff with 32 MiB of SysV shared memory out", "read by ≤ 32K, as by a program",
       """do_pages make sysv 32
	all_out
	mark out
	swapoff $d
	mark off 5
	do_pages read""", advice=NO_TRIM)
memory("core", "a program of 32 MiB that is out dumps core", "all is read; all comes back when it has ended",
       OUT + """
	mkdir -p /run/swapped
	mount -t tmpfs -o size=64M t /run/swapped
	echo /run/swapped/core >/proc/sys/kernel/core_pattern
	prlimit --core=unlimited --pid "$(cat /run/pages-pid)"
	kill -ABRT "$(cat /run/pages-pid)"
	wait "$(cat /run/pages-pid)" || true
	say "core of $(($(stat -c %b /run/swapped/core) / 2048)) MiB"
	mark ended 5""")
memory("noswap", "a tmpfs of mount -o noswap", "Linux 6.1 refuses; from 6.4 on nothing arrives",
       """mkdir -p /run/swapped
	mount -t tmpfs -o noswap,size=64M t /run/swapped || { say "the kernel refuses this"; exit 0; }
	do_pages make file 32 /run/swapped/file
	all_out
	mark out
	umount -l /run/swapped""")


def setting(name, what, guess, script, **more):
    cross("crossings-kernel", KERNEL, "kernel-" + name, what, guess, script, **more)


def zram_beside(size, priority):
    return f"""
	load zsmalloc zram
	[ -e /sys/block/zram0/disksize ] || {{ echo "no zram in this kernel"; exit 77; }}
	echo {size} >/sys/block/zram0/disksize
	tools mkswap -q /dev/zram0 >/dev/null
	swapon -p {priority} /dev/zram0"""


for _order, _guess in ((0, "read by 4K, one page after the other"), (3, "read by ≤ 32K: the default"),
                       (5, "read by ≤ 128K"), (8, "read by ≤ 1M; on Linux 6.1 by ≤ 128K")):
    setting(f"cluster-{_order}", f"vm.page-cluster={_order}; a program reads 32 MiB back", _guess,
            OUT + f"""
	echo {_order} >/proc/sys/vm/page-cluster
	do_pages read
	mark back 3
	echo 3 >/proc/sys/vm/page-cluster""", wrong=_order == 8, advice=CLUSTER if _order == 8 else KEEPS)
for _order, _guess in ((0, "read by 4K"), (3, "read by ≤ 32K"), (5, "read by ≤ 128K"), (8, "read by ≤ 128K, as of a program")):
    setting(f"cluster-shared-{_order}", f"the same of shared memory, vm.page-cluster={_order}", _guess,
            f"""do_pages make shared 32
	all_out
	mark out
	echo {_order} >/proc/sys/vm/page-cluster
	do_pages read
	mark back 6
	echo 3 >/proc/sys/vm/page-cluster""", wrong=_order == 8, advice=CLUSTER if _order == 8 else BESIDE)
for _swappiness, _guess in (("0", "nothing arrives: only files are to be taken; 6.1 has no such word"),
                            ("max", "all 32 MiB go out; 6.1 and 6.12 have no such word")):
    setting(f"swappiness-{_swappiness}", f"memory.reclaim with swappiness={_swappiness}", _guess, f"""do_pages make anon 32
	/bin/echo "40M swappiness={_swappiness}" >$group/memory.reclaim 2>/run/said || ! grep -q Invalid /run/said ||
		say "the kernel does not know this word"
	mark out""", advice="what is out is in use, and held")
setting("zram-first", "zram of 16 MiB with a higher priority beside it; 32 MiB go out and are read",
        "the first 16 MiB go to zram, the rest to the disk; what is free in zram later takes nothing of it", zram_beside("16M", 10) + """
	do_pages make anon 32
	all_out
	mark out
	swapoff /dev/zram0
	mark without
	do_pages read
	mark back 3""", advice=KEEPS)
setting("zram-equal", "the same with the disk's priority, and as large", "half to each, by the cluster of 2 MiB", zram_beside("256M", 7) + """
	do_pages make anon 32
	all_out
	mark out
	do_pages read
	mark back 3""", options="--discard -p 7", advice=KEEPS)
setting("two-disks", "a second area, of memory (brd), with the same priority", "half to each", """
	load 'brd rd_nr=1 rd_size=262144'
	[ -b /dev/ram0 ] || { echo "no ram disk in this kernel"; exit 77; }
	tools mkswap -q /dev/ram0 >/dev/null
	swapon -p 7 /dev/ram0
	do_pages make anon 32
	all_out
	mark out""", options="--discard -p 7", advice="it is in use: a lower priority for the other takes it second")
setting("zswap-no-writeback", "zswap in front, memory.zswap.writeback=0; memory that zswap refuses",
        "nothing arrives; 6.1 has no such setting", """
	[ -e $group/memory.zswap.writeback ] || { say "the kernel has no such setting"; exit 0; }
	echo Y >/sys/module/zswap/parameters/enabled
	echo 0 >$group/memory.zswap.writeback
	do_pages make anon 32
	all_out
	echo N >/sys/module/zswap/parameters/enabled
	mark out""")


def huge(name, what, guess, script, **more):
    cross("crossings-huge", KERNEL, "huge-" + name, what, guess, script, where=QEMU, **more)


huge("swap", "huge pages of 2 MiB (MADV_HUGEPAGE): out, every second 64 KiB given back, read",
     "written by ≤ 128K on 6.1, by ≤ 1280K on 6.12, by ≤ 2M on 7.2; nothing comes back before all is; read by ≤ 32K",
     """echo always >/sys/kernel/mm/transparent_hugepage/enabled
	do_pages make anon 32
	echo madvise >/sys/kernel/mm/transparent_hugepage/enabled
	do_pages advise pageout
	mark out
	all_out
	do_pages read
	mark back 3
	do_pages advise pageout
	do_pages half
	mark half 5
	do_pages unmap
	mark freed 5""")
huge("swap-64k", "large folios of 64 KiB (hugepages-64kB): out and read",
     "written by ≤ 1280K on 6.12, by ≤ 4M on 7.2; read by ≤ 32K on 6.12, by 64K on 7.2; 6.1 has none", """
	sizes=/sys/kernel/mm/transparent_hugepage
	[ -e $sizes/hugepages-64kB/enabled ] || { say "the kernel has none"; exit 0; }
	echo never >$sizes/hugepages-2048kB/enabled
	echo always >$sizes/hugepages-64kB/enabled
	do_pages make anon 32
	count() { cat $sizes/hugepages-64kB/stats/$1 2>/dev/null || echo 0; }
	do_pages advise pageout
	[ "$(count swpout)" -gt 400 ] && say "written whole" || say "split"
	mark out
	all_out
	do_pages read
	[ "$(count swpin)" -gt 400 ] && say "read whole" || say "read by the page"
	mark back 3
	echo inherit >$sizes/hugepages-2048kB/enabled
	echo never >$sizes/hugepages-64kB/enabled""", advice=KEEPS)
huge("tmpfs", "a tmpfs of mount -o huge=always, swapped out", "split, and written by ≤ 128K on 6.1, 1280K on 6.12, 4M on 7.2",
     """mkdir -p /run/swapped
	mount -t tmpfs -o huge=always,size=64M t /run/swapped
	do_pages make file 32 /run/swapped/file
	all_out
	mark out
	do_pages read
	mark back 3
	umount -l /run/swapped
	do_pages unmap
	mark freed 5""", advice=BESIDE)
huge("collapse", "MADV_COLLAPSE when 32 MiB are out", "all is read, made huge, and taken off the disk", OUT + """
	do_pages advise collapse
	mark collapsed 5
	do_pages read""", wrong=True, advice="what is out is not collapsed: read it first")
huge("hugetlb", "32 MiB of hugetlb", "nothing arrives", """echo 16 >/proc/sys/vm/nr_hugepages
	do_pages make hugetlb 32
	do_pages advise pageout
	all_out
	mark out
	do_pages unmap
	echo 0 >/proc/sys/vm/nr_hugepages""", advice="huge pages that are reserved stay in memory")


def special(name, what, guess, script, **more):
    cross("crossings-special", KERNEL, "kernel-" + name, what, guess, script, where=QEMU, **more)


special("ksm", "32 MiB of one page again and again, merged by KSM, out and read",
        "one page is written; what was read is 32 MiB of memory again", """
	do_pages make anon 32 same
	do_pages advise mergeable
	echo 20000 >/sys/kernel/mm/ksm/pages_to_scan
	echo 1 >/sys/kernel/mm/ksm/run
	for try in 1 2 3 4 5 6 7 8 9 10 11 12; do
		[ "$(cat /sys/kernel/mm/ksm/pages_sharing)" -gt 8000 ] && break
		sleep 1
	done
	echo 0 >/sys/kernel/mm/ksm/run
	[ "$(cat /sys/kernel/mm/ksm/pages_sharing)" -gt 8000 ] && say merged
	all_out
	do_pages advise pageout
	mark out
	say "$(pages swapped) pages are in swap, $(slots) MiB of the area taken"
	do_pages read
	say "$(($(cat /sys/kernel/mm/ksm/pages_sharing) / 256)) MiB still merged"
	mark back 3
	echo 2 >/sys/kernel/mm/ksm/run""", wrong=True)
special("one-page", "the same without KSM", "32 MiB are written, of which the disk keeps one page each", """
	do_pages make anon 32 same
	do_pages advise pageout
	mark out""", advice="the disk does not look for pages that are alike; KSM does")
special("userfaultfd", "userfaultfd watches 32 MiB (write-protected); out, read, written", "the watch outlives swap", """
	do_pages make anon 32
	do_pages watch
	do_pages advise pageout
	all_out
	mark out
	say "$(pages watched) pages watched when out"
	do_pages read
	say "$(pages watched) when read"
	mark back 3""", advice=KEEPS)
for _enabled, _guess in (("n", "as with it"), ("y", "as without")):
    special(f"lru-gen-{_enabled}", f"lru_gen/enabled={_enabled}; memory.reclaim of 16 of 32 MiB, which are read again", _guess, f"""
	echo {_enabled} >/sys/kernel/mm/lru_gen/enabled
	do_pages make anon 32
	reclaim 16
	mark out
	do_pages read
	mark back 3
	[ {_enabled} = y ] || echo y >/sys/kernel/mm/lru_gen/enabled""", advice=KEEPS)


cross("crossings-unplug", KERNEL, "kernel-unplug",
      "256 of 640 MiB of memory are taken away (offline), with 32 MiB of a program out and 160 in memory",
      "what is in memory moves, what is out stays out; nothing arrives", """
	# What is in a slot lies above 4 GiB.
	block=$((0x$(cat /sys/devices/system/memory/block_size_bytes) >> 20))
	movable=
	for each in /sys/devices/system/memory/memory*; do
		[ "${each##*memory}" -ge $((4096 / block)) ] || continue
		echo offline >$each/state 2>/dev/null || true
		echo online_movable >$each/state && movable="$movable $each"
	done
	""" + OUT + """
	"$BUILD/tests/kernel/load" hold mem=160M seconds=1000 >/run/load 2>&1 &
	eater=$!
	until grep -q ^fill_seconds /run/load; do sleep 0.5; done
	gone=0
	for each in $movable; do
		echo offline >$each/state 2>/dev/null && gone=$((gone + 1))
	done
	[ "$gone" -gt 0 ] && say "taken away" || say "the kernel keeps it"
	mark away
	kill -0 $eater && say "the program goes on"
	kill $eater
	do_pages read
	mark back 3""", where=QEMU, advice=KEEPS)
