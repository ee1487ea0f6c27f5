# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows with a kernel: how it attaches the disk, what it swaps, filesystems, layers, programs.

Each guess was written down before the row was run first.
"""
from guests import UML, guest_row
from row import ROWS

# Debian's Linux 7.3 is there for a machine, not for User-Mode Linux: the rows that matter most.
NEWEST = UML + ("trixie-backports (Linux 7.3, QEMU)",)

ATTACH = "kernel: attaching with nbd-client"
SWAP = "kernel: swap"
FILES = "filesystems"
LAYERS = "layers"
PROGRAMS = "programs"


def attach(name, what, options, guess, wrong=False, advice="", where=UML):
    guest_row("attach", ATTACH, name, what, guess, f"""
	serve 6G
	attach {options} || {{ say "nbd-client refuses this"; exit 0; }}
	limits
	dd if="$TOOLS/tmp/noise" of=$d bs=1M count=8 oflag=direct 2>/dev/null
	mark write
	tools blkdiscard $d
	mark sizes 5""", wrong, advice, where)


attach("attach-default", "nbd-client without options, then blkdiscard of 6 GiB", "",
       "blocks of 512; one trim a 4 GiB less a block, the second off the borders")
attach("attach-512", "nbd-client -b 512", "-b 512", "the same")
attach("attach-4096", "nbd-client -b 4096", "-b 4096", "trims of whole pages",
       advice="recommended", where=NEWEST)
attach("attach-ioctl", "nbd-client -nonetlink -name '' -b 4096", "-nonetlink -name '' -b 4096", "the same as by netlink")
attach("attach-ioctl-512", "nbd-client -nonetlink -name '' -b 512", "-nonetlink -name '' -b 512",
       "the same as by netlink")
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
	mark sizes 5""", where=NEWEST if _blocks == 4096 else UML)
    guest_row("attach", ATTACH, f"punch-{_blocks}", f"fallocate --punch-hole on the device, -b {_blocks}",
              "requests to zero with leave to trim" if _blocks == 4096 else "the same with -b 512", f"""
	serve 1G
	attach -b {_blocks}
	dd if="$TOOLS/tmp/noise" of=$d bs=1M count=8 oflag=direct 2>/dev/null
	mark write
	tools fallocate --punch-hole --offset 0 --length 64M $d || say "refused by the kernel"
	mark sizes 5""", where=NEWEST if _blocks == 4096 else UML)


def filesystem(name, what, guess, mkfs, options="", blocks=4096, wrong=False, advice="", wait=5,
               before="", size="1G", recipe=False, where=UML, door=None, boot="files",
               group=FILES, drive=None):
    door = door or f"serve {size}\n\tattach -b {blocks}"
    guest_row(boot, group, name, what, guess, f"""
	{before}
	{door}
	tools {mkfs} $d >/dev/null
	mark mkfs
	tools mount {options} $d /mnt/disk || {{ say "the kernel does not mount it"; exit 0; }}
	fill
	mark fill
	rm -rf $m/data
	sync
	mark delete {wait}
	tools fstrim /mnt/disk || say "fstrim: status $?"
	mark fstrim {wait}
	umount $m""", wrong, advice, where, recipe, drive)


for _name, _mkfs, _trims in (("ext4", "mkfs.ext4 -q", "discard"), ("xfs", "mkfs.xfs -q", "discard"),
                             ("btrfs", "mkfs.btrfs -q", "discard=sync"), ("f2fs", "mkfs.f2fs -q", "discard")):
    _module = f"load {_name}"
    filesystem(_name + "-plain", f"{_name}, as mkfs and mount make it",
               {"ext4": "nothing at delete; fstrim gives all back", "xfs": "nothing at delete; fstrim gives all back",
                "btrfs": "nothing at delete; fstrim gives all back",
                "f2fs": "trims at delete, as discard is its default; fstrim the rest"}[_name],
               _mkfs, before=_module)
    filesystem(_name + "-discard", f"{_name}, mount -o {_trims}",
               {"ext4": "trims at delete: all comes back", "xfs": "trims at delete: all comes back",
                "btrfs": "trims at delete: all comes back", "f2fs": "trims some seconds after delete"}[_name],
               _mkfs, f"-o {_trims}", before=_module, recipe=_name != "f2fs",
               where=NEWEST if _name != "f2fs" else UML)
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
           "mkfs.btrfs -q", "-o discard=async", before="load btrfs", wait=60, recipe=True, where=NEWEST)
filesystem("btrfs-wait", "btrfs, as it comes; a minute is waited for",
           "Linux 6.1: nothing at delete; later: trims within a minute", "mkfs.btrfs -q", before="load btrfs", wait=75)
filesystem("btrfs-zstd", "btrfs, mount -o compress=zstd,discard=sync", "as without, of noise",
           "mkfs.btrfs -q", "-o compress=zstd,discard=sync", before="load btrfs")
filesystem("xfs-log", "xfs of mkfs -l size=100m, mount -o discard", "a larger log is held",
           "mkfs.xfs -q -l size=100m",
           "-o discard", before="load xfs")
filesystem("f2fs-nodiscard", "f2fs, mount -o nodiscard", "nothing at delete; fstrim gives all back",
           "mkfs.f2fs -q", "-o nodiscard", before="load f2fs")
filesystem("f2fs-wait", "f2fs, as it comes; a minute is waited for", "all comes back within a minute",
           "mkfs.f2fs -q", "", before="load f2fs", wait=75, recipe=True, where=NEWEST)


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
         free="rm -f /run/swapped/*", options="--discard", wrong=False, advice="", door="disk 256M",
         before="", where=UML, recipe=False, boot="swap", group=SWAP):
    load = SWAP_LOAD.replace("{fill}", fill.replace("$TOOLS", "'\"$TOOLS\"'")).replace("{free}", free)
    guest_row(boot, group, name, what, guess, f"""
	{before}
	{door}
	tools mkswap -q $d >/dev/null
	mark mkswap
	swapon {options} $d
	mark swapon{load}""", wrong, advice, where, recipe)


swap("swap-discard", "swapon --discard; 32 MiB go out and are freed",
     "a trim of all at swapon; writes; trims when freed: all comes back", where=NEWEST,
     advice="recommended: ramzswap(8) does it; up to 6.12 the cluster that each processor fills stays, 2 MiB at most")
swap("swap-discard-once", "swapon --discard=once", "a trim at swapon; nothing when freed", options="--discard=once")
swap("swap-discard-pages", "swapon --discard=pages", "no trim at swapon; trims when freed",
     options="--discard=pages")
swap("swap-plain", "swapon without options", "no trim: nothing comes back", options="",
     advice="--discard, or notices of freed slots: see ramzswap(8)")
swap("swap-zeroes", "the same with 32 MiB of zeroes", "written, and stored as nothing",
     fill="head -c 32M /dev/zero >/run/swapped/file", where=NEWEST)
swap("swap-512", "swapon --discard, attached with blocks of 512", "as with 4096: swap sends whole pages",
     door="serve 256M\n\tattach -b 512")
swap("swap-ioctl", "swapon --discard, attached by ioctl with -swap", "as by netlink",
     door="serve 256M\n\tattach -nonetlink -name '' -b 4096 -swap")
swap("swap-half", "half of the file is freed, every second 64 KiB", "nothing comes back: clusters are of 2 MiB",
     free="for i in $(seq 0 2 511); do fallocate -p -o $((i * 65536)) -l 65536 /run/swapped/file; done")


ZSWAP = """load zbud zsmalloc
	[ -e /sys/module/zswap/parameters/enabled ] || {{ echo "no zswap in this kernel"; exit 77; }}
	echo {percent} >/sys/module/zswap/parameters/max_pool_percent
	echo Y >/sys/module/zswap/parameters/enabled"""
# Numbers in words: they take a third in zswap, and no two pages are alike.
TEXT = "seq -f line%.0f 3000000 | head -c 32M >/run/swapped/file"
swap("zswap-noise", "zswap in front; 32 MiB that do not compress go out", "they pass by zswap: as without it",
     before=ZSWAP.format(percent=20), where=NEWEST, wrong=True,
     advice="Linux 7.2's zswap keeps them; up to 6.12 the disk gets what cannot be made smaller (see swap-discard)")
swap("zswap-text", "zswap in front; 32 MiB of text go out", "nothing arrives: zswap keeps them", fill=TEXT,
     before=ZSWAP.format(percent=20), where=NEWEST, advice="zswap or this disk: one of them is enough")
swap("zswap-full", "zswap in front with room for 1 % of memory; 32 MiB of text go out",
     "what zswap has no room for is written, page by page; all comes back", fill=TEXT,
     before=ZSWAP.format(percent=1), where=NEWEST)


def layer(name, what, guess, make, use="/dev/mapper/layer", before="", wrong=False, advice="",
          mkfs="mkfs.ext4 -q", mount="-o discard", unmake="", size="1G", wait=5, where=UML, boot="layers", end="end"):
    guest_row(boot, LAYERS, name, what, guess, f"""
	{before}
	disk {size}
	{make}
	mark made
	tools {mkfs} {use} >/dev/null
	tools mount {mount} {use} /mnt/disk
	fill
	mark fill
	rm -rf $m/data
	mark delete {wait}
	tools fstrim /mnt/disk || say "fstrim: status $?"
	mark fstrim {wait}
	umount $m
	{unmake}
	mark {end} 3""", wrong, advice, where)


CRYPT = ("load dm-mod crypto_skcipher gf128mul ecb xts cbc hmac sha256 encrypted-keys dm-crypt",
         "head -c 64 \"$TOOLS/tmp/noise\" >\"$TOOLS/tmp/key\"\n\ttools cryptsetup open --type plain --key-file /tmp/key "
         "--cipher aes-xts-plain64 --key-size 512 {} $d layer || {{ echo \"no cipher in this kernel\"; exit 77; }}")
# What the kernel zeroes later, at its leisure, is zeroed at once.
EAGER = "mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0"
layer("crypt", "dm-crypt (plain), ext4 with discard", "no trims reach the disk: nothing comes back",
      CRYPT[1].format(""), before=CRYPT[0], unmake="tools cryptsetup close layer", boot="crypt",
      mkfs=EAGER, advice="--allow-discards (crypt-btrfs); what is encrypted does not compress")
ZEROES = "a filesystem that writes few zeroes (crypt-btrfs): they become noise, as inode tables and journals of ext4 do"
layer("crypt-discards", "dm-crypt with --allow-discards, ext4 with discard", "all comes back",
      CRYPT[1].format("--allow-discards"), before=CRYPT[0], unmake="tools cryptsetup close layer", boot="crypt",
      mkfs=EAGER, wrong=True, advice=ZEROES)
layer("crypt-xfs", "dm-crypt with --allow-discards, XFS with discard", "its log of zeroes stays as noise: 64 MiB",
      CRYPT[1].format("--allow-discards"), before=CRYPT[0] + "\n\tload xfs", unmake="tools cryptsetup close layer",
      boot="crypt", mkfs="mkfs.xfs -q", advice=ZEROES)
layer("crypt-btrfs", "dm-crypt with --allow-discards, btrfs with discard=sync", "it writes no zeroes: all comes back",
      CRYPT[1].format("--allow-discards"), before=CRYPT[0] + "\n\tload btrfs", unmake="tools cryptsetup close layer",
      boot="crypt", mkfs="mkfs.btrfs -q", mount="-o discard=sync", end="closed", advice="recommended, if it has to be encrypted")
layer("crypt-luks", "LUKS2 opened with --allow-discards, ext4 with discard", "all but the header's keys comes back",
      "tools cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file /tmp/key $d || "
      "{ echo \"no cipher in this kernel\"; exit 77; }\n"
      "\ttools cryptsetup open --type luks2 --allow-discards --key-file /tmp/key $d layer",
      before=CRYPT[0] + " algif_skcipher\n\thead -c 64 \"$TOOLS/tmp/noise\" >\"$TOOLS/tmp/key\"",
      unmake="tools cryptsetup close layer", boot="crypt", mkfs=EAGER, wrong=True, advice=ZEROES + "; its header is of 16 MiB of noise")
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
LVM = ("load dm-mod dm-bufio dm-persistent-data dm-bio-prison dm-thin-pool",
       "lvm() { tools lvm \"$@\" --config 'activation{udev_sync=0 udev_rules=0 monitoring=0} backup{backup=0 archive=0} "
       "global{locking_dir=\"/run/lock\"} devices{issue_discards=ISSUE use_devicesfile=0 filter=[\"a|/dev/nbd0|\",\"r|.*|\"]}' "
       ">>/run/lvm.log 2>&1 || { tail -n 3 /run/lvm.log; return 1; }; }\n"
       "\tlvm pvcreate -y $d; lvm vgcreate -y group $d")
layer("lvm", "LVM, a linear volume, ext4 with discard", "trims pass: all comes back",
      LVM[1].replace("ISSUE", "0") + "; lvm lvcreate -y -Zn -Wn -L 512M -n volume group", use="/dev/mapper/group-volume",
      before=LVM[0], unmake="lvm vgremove -y group")
layer("lvm-thin", "LVM thin volume (lvcreate -T), ext4 with discard", "trims pass in whole chunks: all but some metadata comes back",
      LVM[1].replace("ISSUE", "0") + "; lvm lvcreate -y -Zn -L 512M -V 512M -T -n volume group/pool",
      use="/dev/mapper/group-volume", before=LVM[0], unmake="lvm vgremove -y group")
for _issue, _guess in (("0", "nothing comes back: a volume's blocks are only forgotten"),
                       ("1", "a trim of the volume: all comes back")):
    guest_row("layers", LAYERS, "lvm-remove" + ("-discards" if _issue == "1" else ""),
              "an LVM volume with 32 MiB of files is removed" + (", issue_discards=1" if _issue == "1" else ""), _guess, f"""
	{LVM[0]}
	disk 1G
	{LVM[1].replace("ISSUE", _issue)}
	lvm lvcreate -y -Zn -Wn -L 512M -n volume group
	tools mkfs.ext4 -q /dev/mapper/group-volume
	tools mount /dev/mapper/group-volume /mnt/disk
	fill
	mark fill
	umount $m
	lvm lvremove -y group/volume
	mark end 5""", advice="issue_discards=1 in lvm.conf, or blkdiscard of the volume before" if _issue == "0" else "")
PARTS = ("for part in 0 1 2; do tools dmsetup create part$part --table \"0 262144 linear $d $((part * 262144))\"; done\n"
         "\t{modules}\n"
         "\tyes | tools mdadm -q --create /dev/md9 --level={level} --raid-devices={count} --metadata=1.2 {more} "
         "{parts}; for i in $(seq 60); do grep -q re[sc] /proc/mdstat || break; sleep 1; done")
UNPART = "tools mdadm -q --stop /dev/md9; for part in 0 1 2; do tools dmsetup remove part$part; done"
RAID5 = PARTS.replace("{level}", "5").replace("{count}", "3").replace("{more}", "").replace(
    "{parts}", "/dev/mapper/part0 /dev/mapper/part1 /dev/mapper/part2") + (
        "; say \"md takes trims up to $(cat /sys/block/md9/queue/discard_max_bytes)\"")
layer("raid5", "md raid5 of three parts of the disk, ext4 with discard",
      "no trims: raid456 has devices_handle_discard_safely off", RAID5.replace("{modules}", ":"), use="/dev/md9",
      before="load dm-mod md-mod xor raid6_pq async_tx async_memcpy async_xor async_pq async_raid6_recov raid456",
      unmake=UNPART, boot="raid",
      advice="as raid5-safely; Linux 7.2's takes trims and sends none. Its parts are all of one memory, so that raid0 will do")
layer("raid5-safely", "the same with raid456.devices_handle_discard_safely=Y", "trims of whole stripes: all comes back",
      RAID5.replace("{modules}", "echo Y >/sys/module/raid456/parameters/devices_handle_discard_safely"),
      use="/dev/md9", before="load dm-mod md-mod xor raid6_pq async_tx async_memcpy async_xor async_pq async_raid6_recov raid456",
      unmake=UNPART + "; echo N >/sys/module/raid456/parameters/devices_handle_discard_safely",
      boot="raid")
layer("raid1-sync", "md raid1 of two parts of the disk, with its first synchronisation, ext4 with discard",
      "the synchronisation writes zeroes, which take no memory; each trim comes twice: all comes back",
      PARTS.replace("{level}", "1").replace("{count}", "2").replace("{more}", "--bitmap=none").replace(
          "{parts}", "/dev/mapper/part0 /dev/mapper/part1").replace("{modules}", ":"),
      use="/dev/md9", before="load dm-mod md-mod raid1", unmake=UNPART, boot="raid")
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


def program(name, what, guess, use, before="", wrong=False, advice="", clean="", wait=5, options="-o discard",
            boot="programs", group=PROGRAMS):
    guest_row(boot, group, name, what, guess, f"""
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
