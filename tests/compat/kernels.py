# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows with a kernel: how it attaches the disk, what it swaps, filesystems, layers, programs.

Each guess was written down before the row was run first.
"""
from guests import guest_row
from row import ROWS

ATTACH = "kernel: attaching with nbd-client"
SWAP = "kernel: swap"
FILES = "filesystems"
LAYERS = "layers"
PROGRAMS = "programs"


def attach(name, what, options, guess, wrong=False, advice=""):
    guest_row("attach", ATTACH, name, what, guess, f"""
	serve 6G
	attach {options} || {{ say "nbd-client refuses this"; exit 0; }}
	limits
	dd if="$TOOLS/tmp/noise" of=$d bs=1M count=8 oflag=direct 2>/dev/null
	mark write
	tools blkdiscard $d
	mark sizes 5""", wrong, advice)


attach("attach-default", "nbd-client without options, then blkdiscard of 6 GiB", "",
       "blocks of 512; one trim a 4 GiB less a block, the second off the borders")
attach("attach-512", "nbd-client -b 512", "-b 512", "the same")
attach("attach-4096", "nbd-client -b 4096", "-b 4096", "trims of whole pages",
       advice="recommended")
attach("attach-ioctl", "nbd-client -nonetlink -name '' -b 4096", "-nonetlink -name '' -b 4096", "the same as by netlink")
attach("attach-connections", "nbd-client -b 4096 -connections 4", "-b 4096 -connections 4", "the same as with one connection")
attach("attach-1024", "nbd-client -b 1024", "-b 1024", "trims off the borders")

for _blocks in (512, 4096):
    guest_row("attach", ATTACH, f"zero-{_blocks}", f"blkdiscard --zeroout of 64 MiB, -b {_blocks}",
              "requests to zero, without leave to trim" if _blocks == 4096 else "the same with -b 512", f"""
	serve 1G
	attach -b {_blocks}
	dd if="$TOOLS/tmp/noise" of=$d bs=1M count=8 oflag=direct 2>/dev/null
	mark write
	tools blkdiscard --zeroout --length 64M $d
	mark sizes 5""")
    guest_row("attach", ATTACH, f"punch-{_blocks}", f"fallocate --punch-hole on the device, -b {_blocks}",
              "requests to zero with leave to trim" if _blocks == 4096 else "the same with -b 512", f"""
	serve 1G
	attach -b {_blocks}
	dd if="$TOOLS/tmp/noise" of=$d bs=1M count=8 oflag=direct 2>/dev/null
	mark write
	tools fallocate --punch-hole --offset 0 --length 64M $d || say "refused by the kernel"
	mark sizes 5""")


def filesystem(name, what, guess, mkfs, options="", blocks=4096, wrong=False, advice="", wait=5,
               before="", size="1G", after=""):
    mount = f"tools mount {options} $d /mnt/disk"
    guest_row("files", FILES, name, what, guess, f"""
	{before}
	serve {size}
	attach -b {blocks}
	tools {mkfs} $d >/dev/null
	mark mkfs
	{mount} || {{ say "the kernel does not mount it"; exit 0; }}
	fill
	mark fill
	rm -rf $m/data
	sync
	mark delete {wait}
	tools fstrim /mnt/disk || say "fstrim: status $?"
	mark fstrim {wait}
	{after}
	umount $m""", wrong, advice)


for _name, _mkfs, _trims in (("ext4", "mkfs.ext4 -q", "discard"), ("xfs", "mkfs.xfs -q", "discard"),
                             ("btrfs", "mkfs.btrfs -q", "discard=sync"), ("f2fs", "mkfs.f2fs -q", "discard")):
    _module = {"f2fs": "load f2fs", "btrfs": "load btrfs", "xfs": "load xfs"}.get(_name, "")
    filesystem(_name + "-plain", f"{_name}, as mkfs and mount make it",
               {"ext4": "nothing at delete; fstrim gives all back", "xfs": "nothing at delete; fstrim gives all back",
                "btrfs": "nothing at delete; fstrim gives all back",
                "f2fs": "trims at delete, as discard is its default; fstrim the rest"}[_name],
               _mkfs, before=_module)
    filesystem(_name + "-discard", f"{_name}, mount -o {_trims}",
               {"ext4": "trims at delete: all comes back", "xfs": "trims at delete: all comes back",
                "btrfs": "trims at delete: all comes back", "f2fs": "trims some seconds after delete"}[_name],
               _mkfs, f"-o {_trims}", before=_module)
    filesystem(_name + "-512", f"{_name}, mount -o {_trims}, attached with blocks of 512",
               "as with 4096: its blocks are of 4096, if not its journal's",
               _mkfs, f"-o {_trims}", 512, before=_module)

filesystem("ext4-1k", "ext4 with blocks of 1 KiB, mount -o discard, -b 512",
           "writes off the borders; trims of what is left", "mkfs.ext4 -q -b 1024", "-o discard", 512)
filesystem("ext4-nodiscard", "ext4 of mkfs -E nodiscard, mount -o discard", "mkfs sends no trim; else the same",
           "mkfs.ext4 -q -E nodiscard", "-o discard")
filesystem("ext4-nojournal", "ext4 without journal, mount -o discard", "nothing held after delete",
           "mkfs.ext4 -q -O ^has_journal", "-o discard")
filesystem("btrfs-async", "btrfs, mount -o discard=async", "trims some seconds after delete",
           "mkfs.btrfs -q", "-o discard=async", before="load btrfs", wait=60)
filesystem("btrfs-zstd", "btrfs, mount -o compress=zstd,discard=sync", "as without, of noise",
           "mkfs.btrfs -q", "-o compress=zstd,discard=sync", before="load btrfs")
filesystem("xfs-log", "xfs of mkfs -l size=100m, mount -o discard", "a larger log is held",
           "mkfs.xfs -q -l size=100m",
           "-o discard", before="load xfs")
filesystem("f2fs-nodiscard", "f2fs, mount -o nodiscard", "nothing at delete; fstrim gives all back",
           "mkfs.f2fs -q", "-o nodiscard", before="load f2fs")
filesystem("f2fs-wait", "f2fs, as it comes; a minute is waited for", "all comes back within a minute",
           "mkfs.f2fs -q", "", before="load f2fs", wait=75)


SWAP_LOAD = """
	[ -e /sys/fs/cgroup/cgroup.controllers ] || { echo "no control groups of version 2"; exit 77; }
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	mkdir -p /sys/fs/cgroup/load
	mkdir -p /run/swapped
	# What lies in a tmpfs is swapped like a program's memory, and can be written by a shell.
	sh -c 'echo $$ >/sys/fs/cgroup/load/cgroup.procs; mount -t tmpfs t /run/swapped -o size=64M; {fill}'
	echo 40M >/sys/fs/cgroup/load/memory.reclaim 2>/dev/null || true
	mark out
	{free}
	mark freed 5
	umount /run/swapped
	swapoff $d
	mark off 5"""


def swap(name, what, guess, fill="head -c 32M \"$TOOLS/tmp/noise\" >/run/swapped/file",
         free="rm -f /run/swapped/*", options="--discard", wrong=False, advice=""):
    load = SWAP_LOAD.replace("{fill}", fill.replace("$TOOLS", "'\"$TOOLS\"'")).replace("{free}", free)
    guest_row("swap", SWAP, name, what, guess, f"""
	disk 256M
	tools mkswap -q $d >/dev/null
	mark mkswap
	swapon {options} $d
	mark swapon{load}""", wrong, advice)


swap("swap-discard", "swapon --discard; 32 MiB go out and are freed",
     "a trim of all at swapon; writes; trims when freed: all comes back", advice="recommended: ramzswap(8) does it")
swap("swap-discard-once", "swapon --discard=once", "a trim at swapon; nothing when freed", options="--discard=once")
swap("swap-discard-pages", "swapon --discard=pages", "no trim at swapon; trims when freed",
     options="--discard=pages")
swap("swap-plain", "swapon without options", "no trim: nothing comes back", options="",
     advice="--discard, or notices of freed slots: see ramzswap(8)")
swap("swap-zeroes", "the same with 32 MiB of zeroes", "written, and stored as nothing",
     fill="head -c 32M /dev/zero >/run/swapped/file")
swap("swap-half", "half of the file is freed, every second 64 KiB", "nothing comes back: clusters are of 2 MiB",
     free="for i in $(seq 0 2 511); do fallocate -p -o $((i * 65536)) -l 65536 /run/swapped/file; done")


def layer(name, what, guess, make, use="/dev/mapper/layer", before="", wrong=False, advice="", mount="-o discard",
          unmake="", size="1G", wait=5):
    guest_row("layers", LAYERS, name, what, guess, f"""
	{before}
	disk {size}
	{make}
	mark made
	tools mkfs.ext4 -q {use}
	tools mount {mount} {use} /mnt/disk
	fill
	mark fill
	rm -rf $m/data
	mark delete {wait}
	tools fstrim /mnt/disk || say "fstrim: status $?"
	mark fstrim {wait}
	umount $m
	{unmake}
	mark end 3""", wrong, advice)


CRYPT = ("load dm-mod dm-crypt crypto_skcipher ecb xts",
         "head -c 64 \"$TOOLS/tmp/noise\" >\"$TOOLS/tmp/key\"\n\ttools cryptsetup open --type plain --key-file /tmp/key "
         "--cipher aes-xts-plain64 --key-size 512 {} $d layer || {{ echo \"no cipher in this kernel\"; exit 77; }}")
layer("crypt", "dm-crypt (plain), ext4 with discard", "no trims reach the disk: nothing comes back",
      CRYPT[1].format(""), before=CRYPT[0], unmake="tools cryptsetup close layer",
      advice="--allow-discards; what is encrypted does not compress")
layer("crypt-discards", "dm-crypt with --allow-discards, ext4 with discard", "all comes back",
      CRYPT[1].format("--allow-discards"), before=CRYPT[0], unmake="tools cryptsetup close layer")
layer("linear", "dm-linear beginning at a sector off the page borders",
      "refused: the blocks are of 4096",
      "tools dmsetup create layer --table \"0 1048576 linear $d 2049\" || { say \"refused by the kernel\"; mark refused; exit 0; }",
      before="load dm-mod")
layer("thin", "LVM-like thin pool (chunks of 64 KiB), ext4 with discard",
      "trims pass in whole chunks: all but some metadata comes back",
      "tools dmsetup create meta --table \"0 8192 linear $d 0\"\n"
      "\ttools dmsetup create data --table \"0 1048576 linear $d 8192\"\n"
      "\tdd if=/dev/zero of=$d bs=4096 count=1 conv=notrunc 2>/dev/null\n"
      "\ttools dmsetup create pool --table \"0 1048576 thin-pool /dev/mapper/meta /dev/mapper/data 128 0\"\n"
      "\ttools dmsetup message pool 0 'create_thin 0'\n"
      "\ttools dmsetup create layer --table '0 1048576 thin /dev/mapper/pool 0'",
      before="load dm-mod dm-bufio dm-persistent-data dm-bio-prison dm-thin-pool",
      unmake="for each in layer pool data meta; do tools dmsetup remove $each; done")
layer("raid1", "md raid1 of the disk alone (mdadm --force), ext4 with discard", "trims pass: all comes back",
      "yes | tools mdadm -q --create /dev/md9 --level=1 --raid-devices=1 --force --metadata=1.2 --assume-clean $d",
      use="/dev/md9", before="load md-mod raid1", unmake="tools mdadm -q --stop /dev/md9")
layer("raid0", "md raid0 of the disk alone, ext4 with discard", "trims pass: all comes back",
      "yes | tools mdadm -q --create /dev/md9 --level=0 --raid-devices=1 --force --metadata=1.2 $d",
      use="/dev/md9", before="load md-mod raid0", unmake="tools mdadm -q --stop /dev/md9")
layer("snapshot", "a dm snapshot whose copies lie on the disk (chunks of 4 KiB), ext4 with discard",
      "trims of the snapshot are copies: nothing comes back",
      "truncate -s 256M /run/origin; tools losetup /dev/loop7 /run/origin\n"
      "\ttools dmsetup create layer --table \"0 524288 snapshot /dev/loop7 $d N 8\"",
      before="load dm-mod dm-bufio dm-snapshot loop", unmake="tools dmsetup remove layer; tools losetup -d /dev/loop7",
      advice="a snapshot's copies go with the snapshot")
layer("loop", "a file on ext4 (discard) on the disk, by loop, ext4 with discard in it",
      "trims punch holes in the file: all comes back",
      "tools mkfs.ext4 -q $d; tools mount -o discard $d /mnt/other; tools truncate -s 512M /mnt/other/file\n"
      "\ttools losetup /dev/loop6 /mnt/other/file", use="/dev/loop6", before="load loop",
      unmake="tools losetup -d /dev/loop6; tools umount /mnt/other")


def program(name, what, guess, use, before="", wrong=False, advice="", clean="", wait=5, options="-o discard"):
    guest_row("programs", PROGRAMS, name, what, guess, f"""
	{before}
	disk 512M
	tools mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 $d
	tools mount {options} $d /mnt/disk
	mark mkfs
	{use}
	mark use
	{clean}
	mark clean {wait}""", wrong, advice)


SQL = ("tools sqlite3 /mnt/disk/base 'create table t (b blob); with recursive c(n) as (select 1 union all "
       "select n + 1 from c where n < 4000) insert into t select randomblob(4000) from c;'")
program("sqlite-delete", "SQLite: 16 MiB of rows, deleted", "nothing comes back: the file keeps its pages", SQL,
        clean="tools sqlite3 /mnt/disk/base 'delete from t;'")
program("sqlite-vacuum", "SQLite: deleted, then VACUUM", "all comes back", SQL,
        clean="tools sqlite3 /mnt/disk/base 'delete from t; vacuum;'")
program("sqlite-secure", "SQLite: deleted with secure_delete=on", "zeroes are written over it: all comes back", SQL,
        clean="tools sqlite3 /mnt/disk/base 'pragma secure_delete=on; delete from t;'")
program("tree", "a tree of 2000 small files, removed", "all comes back",
        "mkdir $m/tree; for i in $(seq 2000); do head -c 5000 /dev/urandom >$m/tree/$i; done",
        clean="rm -rf $m/tree")
program("truncate", "a file of 32 MiB, truncated and written again five times", "32 MiB held at the end; all comes back",
        "for i in 1 2 3 4 5; do cat \"$TOOLS/tmp/noise\" >$m/file; sync; done; sleep 3; sync", clean="rm $m/file")
program("log", "a log that is rotated: ten times 4 MiB, the two last kept", "8 MiB held before all is removed",
        "for i in $(seq 10); do head -c 4M /dev/urandom >$m/log.$i; [ $i -lt 3 ] || rm $m/log.$((i - 2)); sync; done",
        clean="rm $m/log.*")
program("punch", "holes punched into a file", "trims at once: all comes back",
        "cat \"$TOOLS/tmp/noise\" >$m/file", clean="tools fallocate -p -o 0 -l 32M /mnt/disk/file")
program("zero-range", "fallocate --zero-range over a file", "nothing comes back: extents are only marked",
        "cat \"$TOOLS/tmp/noise\" >$m/file", clean="tools fallocate -z -o 0 -l 32M /mnt/disk/file")
program("fallocate", "fallocate of 128 MiB", "nothing arrives but metadata", "tools fallocate -l 128M /mnt/disk/file",
        clean="rm $m/file")
program("swapfile", "a swap file of 64 MiB on ext4, swapon --discard", "as on the device; the file keeps its blocks",
        "dd if=/dev/zero of=$m/file bs=1M count=64 2>/dev/null; chmod 600 $m/file; "
        "tools mkswap -q /mnt/disk/file >/dev/null; tools swapon --discard /mnt/disk/file",
        clean="swapoff -a; rm $m/file")
guest_row("programs", PROGRAMS, "squashfs", "a squashfs of 16 MiB of noise and 32 of zeroes, written to the disk",
          "16 MiB held; reads back right", """
	load squashfs
	disk 256M
	head -c 16M "$TOOLS/tmp/noise" >"$TOOLS/tmp/file1"
	truncate -s 32M "$TOOLS/tmp/file2"
	mkdir -p "$TOOLS/tmp/tree"
	mv "$TOOLS/tmp/file1" "$TOOLS/tmp/file2" "$TOOLS/tmp/tree"
	tools mksquashfs /tmp/tree $d -noappend -quiet -no-progress >/dev/null
	mark use
	tools mount -t squashfs $d /mnt/disk
	cmp -n 16777216 "$TOOLS/tmp/noise" $m/file1 && say "reads right"
	rm -r "$TOOLS/tmp/tree"
	umount $m
	tools blkdiscard -f $d
	mark clean 5""")
guest_row("programs", PROGRAMS, "erofs", "an erofs of lz4 of the same, written to the disk",
          "16 MiB held; reads back right", """
	load erofs
	disk 256M
	mkdir -p "$TOOLS/tmp/tree"
	head -c 16M "$TOOLS/tmp/noise" >"$TOOLS/tmp/tree/file1"
	tools mkfs.erofs -zlz4 $d /tmp/tree >/dev/null 2>&1
	mark use
	tools mount -t erofs $d /mnt/disk || { echo "no erofs in this kernel"; exit 77; }
	cmp -n 16777216 "$TOOLS/tmp/noise" $m/file1 && say "reads right"
	rm -r "$TOOLS/tmp/tree"
	umount $m
	tools blkdiscard -f $d
	mark clean 5""")
guest_row("programs", PROGRAMS, "zram-backing", "zram with the disk as its backing_dev; idle pages written back",
          "4 KiB writes; nothing is ever trimmed: what zram gave back stays", """
	load zsmalloc zram
	disk 256M
	[ -e /sys/block/zram0/backing_dev ] || { echo "zram of this kernel writes nothing back"; exit 77; }
	echo $d >/sys/block/zram0/backing_dev
	echo 128M >/sys/block/zram0/disksize
	head -c 16M "$TOOLS/tmp/noise" | dd of=/dev/zram0 bs=1M oflag=direct 2>/dev/null
	mark filled
	echo huge >/sys/block/zram0/writeback
	mark writeback
	tools blkdiscard /dev/zram0
	mark discard 5
	echo 1 >/sys/block/zram0/reset
	mark reset 5""", advice="trim the disk (blkdiscard) once zram is reset")


# Guessed otherwise than at least one of the kernels did.
WRONG = ("attach-1024", "ext4-1k", "f2fs-512", "zero-512", "zero-4096", "punch-512", "punch-4096", "f2fs-plain", "f2fs-discard",
         "xfs-512", "xfs-log", "swap-zeroes", "sqlite-delete")

# What is right to do, or why nothing is to be done.
ADVICE = {
    "attach-default": "-b 4096: the page at the border stays, for nothing",
    "attach-512": "-b 4096",
    "attach-1024": "-b 4096",
    "attach-ioctl": "nbd-client 3.27.1 refuses -nonetlink without a name",
    "attach-connections": "spelled out: nbd-client 3.27.1 ends at -C",
    "zero-512": "Linux 6.1 writes zeroes as data; a trim (blkdiscard) does not",
    "zero-4096": "Linux 6.1 writes zeroes as data; a trim (blkdiscard) does not",
    "punch-512": "Linux 6.1 refuses: blkdiscard",
    "punch-4096": "Linux 6.1 refuses: blkdiscard",
    "ext4-plain": "mount -o discard, or fstrim by timer",
    "xfs-plain": "mount -o discard, or fstrim by timer",
    "btrfs-plain": "mount -o discard=async (6.2 and later by themselves), or fstrim by timer",
    "f2fs-plain": "wait a minute (f2fs-wait); on Linux 7.2 fstrim sends nothing of what it has in its queue",
    "f2fs-discard": "wait a minute (f2fs-wait); on Linux 7.2 fstrim sends nothing of what it has in its queue",
    "f2fs-wait": "recommended: nothing to be done",
    "f2fs-nodiscard": "leave nodiscard out, or fstrim by timer",
    "ext4-discard": "recommended",
    "xfs-discard": "recommended",
    "btrfs-discard": "recommended where deletions may wait for trims; else discard=async",
    "btrfs-async": "recommended",
    "ext4-512": "-b 4096",
    "xfs-512": "-b 4096: its log is written in sectors",
    "btrfs-512": "-b 4096",
    "f2fs-512": "-b 4096",
    "ext4-1k": "Linux 7.2 finds the orphan file of its own mkfs too large. Blocks of 4096 and -b 4096: each page is compressed up to four times",
    "swap-discard-once": "--discard: what is freed later stays",
    "swap-discard-pages": "--discard: what the area held before it was enabled stays",
    "swap-half": "the kernel trims whole clusters; ramzswap(8) has notices of freed slots",
    "swap-zeroes": "from Linux 6.12 on zeroes are not even written",
    "zero-range": "fallocate --punch-hole instead",
    "sqlite-delete": "Debian's SQLite overwrites with zeroes (secure_delete)",
    "linear": "begin at a multiple of 8 sectors",
}
for _row in ROWS:
    if _row.name in WRONG:
        _row.wrong = True
    _row.advice = ADVICE.get(_row.name, _row.advice)
