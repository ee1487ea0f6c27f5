# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows whose drivers only a whole machine's kernel has: ublk, dm-vdo, bcachefs, zram that writes back,
and virtual disks.

Each guess was written down before the row was run first.
"""
from guests import QEMU, guest_row
from kernels import LAYERS, filesystem, layer, swap

UBLK = "kernel: the disk by ublk"
# Debian's Linux 6.1 has neither ublk nor dm-vdo.
LATER = tuple(name for name in QEMU if "6.1," not in name)
TRIXIE = ("trixie (Linux 6.12, QEMU)",)

guest_row("ublk", UBLK, "ublk", "the disk by ublk, blkdiscard of 6 GiB", "blocks of 4096; trims of whole pages", """
	offer 6G
	limits
	dd if="$TOOLS/tmp/noise" of=$d bs=1M count=8 oflag=direct 2>/dev/null
	mark write
	tools blkdiscard $d
	mark sizes 5""", where=LATER)
guest_row("ublk", UBLK, "ublk-zero", "blkdiscard --zeroout of 64 MiB", "requests to zero", """
	offer 1G
	dd if="$TOOLS/tmp/noise" of=$d bs=1M count=8 oflag=direct 2>/dev/null
	mark write
	tools blkdiscard --zeroout --length 64M $d
	mark sizes 5""", where=LATER)
guest_row("ublk", UBLK, "ublk-punch", "fallocate --punch-hole on the device", "requests to zero", """
	offer 1G
	dd if="$TOOLS/tmp/noise" of=$d bs=1M count=8 oflag=direct 2>/dev/null
	mark write
	tools fallocate --punch-hole --offset 0 --length 64M $d || say "refused by the kernel"
	mark sizes 5""", where=LATER)
for _name, _mkfs, _trims in (("ext4", "mkfs.ext4 -q", "discard"), ("xfs", "mkfs.xfs -q", "discard"),
                             ("btrfs", "mkfs.btrfs -q", "discard=sync")):
    filesystem(f"ublk-{_name}", f"{_name} on ublk, mount -o {_trims}", "as on nbd: all comes back", _mkfs,
               f"-o {_trims}", before=f"load {_name}", door="offer 1G", where=LATER, boot="ublk", recipe=True,
               group=UBLK, advice="recommended")
swap("ublk-swap", "ublk: swapon --discard; 32 MiB go out and are freed", "as on nbd: all comes back", door="offer 256M",
     where=LATER, boot="ublk", group=UBLK, advice="recommended: ramzswap start does it; see swap-discard")

filesystem("bcachefs", "bcachefs, mount -o discard", "trims some seconds after delete: all comes back",
           "bcachefs format -q --discard", "-t bcachefs -o discard", before="load bcachefs", where=TRIXIE, boot="bcachefs",
           wait=60, recipe=True, advice="recommended; Linux 6.12's has no fstrim")
layer("vdo", "dm-vdo (vdoformat), ext4 with discard", "trims pass in blocks of 4096: all but its own tables comes back",
      "tools vdoformat --uds-memory-size=0.25 --slab-bits=13 --logical-size=1G $d >/dev/null || exit 1\n"
      "\ttools dmsetup create layer --table \"0 2097152 vdo V4 $d 1572864 4096 32768 16380 deduplication off\"",
      before="load ext4 dm-mod dm-bufio lz4_compress lz4_decompress dm-vdo", unmake="tools dmsetup remove layer", size="6G",
      where=LATER, boot="vdo", wait=30, wrong=True,
      advice="not in front of this disk, which compresses already: VDO frees in its own tables and trims nothing")
guest_row("zram", LAYERS, "zram-backing", "zram with the disk as its backing_dev; idle pages written back",
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
	mark reset 5""", advice="trim the disk (blkdiscard) once zram is reset", where=QEMU)


MACHINES = "guests of QEMU, whose disk it is"
VIRTIO = ("virtio_blk", "virtio-blk-pci")
for _name, _what, _guess, _options, (_modules, _device), _more in (
        ("vm-ignore", "virtio-blk, discard=ignore as by default", "trims are taken and dropped: nothing comes back", "discard=ignore",
         VIRTIO, {"advice": "discard=unmap (vm-unmap)"}),
        ("vm-unmap", "virtio-blk, discard=unmap", "as in a kernel's nbd device: all comes back", "discard=unmap", VIRTIO,
         {"recipe": True, "advice": "recommended"}),
        ("vm-both", "virtio-blk, discard=unmap,detect-zeroes=unmap", "the same, with mkfs's zeroes as zeroing",
         "discard=unmap,detect-zeroes=unmap", VIRTIO, {"recipe": True, "advice": "recommended, if the guest writes zeroes"}),
        ("vm-4096", "virtio-blk, discard=unmap, blocks of 4096", "the same: all comes back", "discard=unmap",
         ("virtio_blk", "virtio-blk-pci,logical_block_size=4096,physical_block_size=4096,discard_granularity=4096"),
         {"recipe": True, "advice": "recommended"}),
        ("vm-scsi", "virtio-scsi, discard=unmap", "the same: all comes back", "discard=unmap",
         ("virtio_scsi sd_mod", "scsi-hd,bus=scsi.0"), {"recipe": True}),
        ("vm-sata", "SATA, discard=unmap", "the same, in trims of 2 GiB at most: all comes back", "discard=unmap",
         ("ahci sd_mod", "ide-hd,bus=sata.0"),
         {"recipe": True, "wrong": True, "advice": "virtio-blk: a range of ATA's TRIM is of 65535 sectors"}),
        ("vm-nvme", "NVMe, discard=unmap", "the same: all comes back", "discard=unmap", ("nvme", "nvme"), {"recipe": True})):
    filesystem(_name, f"{_what}; ext4, mount -o discard", _guess, "mkfs.ext4 -q", "-o discard", before="load ext4",
               door=f"given {_modules}", where=QEMU, boot="vm", group=MACHINES, drive=(_options, _device), **_more)
