# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients without a kernel: qemu, qemu-img, nbdcopy, nbdfuse, fio, nbdkit itself.

Each guess was written down before the row was run first.
"""
import os
import shutil
import subprocess
import time

from disk import MIB, NotHere
from row import row

QEMU = "QEMU's block layer"
COPY = "copying"
OTHER = "other clients"

# Where nothing is expected to come back, it is not waited for so long.
STAYS = 2


def zeroes_through_qemu(detect, discard):
    """16 MiB of zeroes as data, over 16 MiB of noise."""
    def function(disk):
        disk.start()
        disk.qemu_io(f"write -s {disk.noise(16)} 0 16M")
        disk.seen()
        said = disk.qemu_io("write -P 0 0 16M", check=False,
                            options=f"detect-zeroes={detect},discard={discard}")
        if "is not allowed" in said:
            return "qemu refuses these options together"
        return f"{disk.seen()}; {disk.back()}"
    return function


for _detect, _discard, _guess, _wrong, _advice in (
        ("off", "ignore", "data", False, "zeroes cost time and their place in the table, no memory"),
        ("off", "unmap", "data: nobody looks for zeroes", False, "detect-zeroes=unmap, if the guest writes many"),
        ("on", "ignore", "zero", False, ""),
        ("on", "unmap", "zero that may trim", True, "leave to trim comes with detect-zeroes=unmap"),
        ("unmap", "ignore", "zero", True, "unmap wants discard=unmap beside it"),
        ("unmap", "unmap", "zero that may trim", False, "recommended for virtual machines")):
    row(QEMU, f"qemu-zeroes-{_detect}-{_discard}",
        f"zeroes written with detect-zeroes={_detect}, discard={_discard}", _guess, _wrong,
        _advice)(zeroes_through_qemu(_detect, _discard))


def discards_through_qemu(discard, offset, count):
    def function(disk):
        disk.start()
        disk.qemu_io(f"write -s {disk.noise(16)} 0 16M")
        disk.seen()
        disk.qemu_io(f"discard {offset} {count}", options=f"discard={discard}")
        return f"{disk.seen()}; {disk.back(seconds=STAYS if discard == 'ignore' else 15)}"
    return function


row(QEMU, "qemu-discard-ignore", "discard of 16 MiB with discard=ignore", "nothing arrives",
    advice="discard=unmap, or nothing comes back")(discards_through_qemu("ignore", "0", "16M"))
row(QEMU, "qemu-discard-unmap", "discard of 16 MiB with discard=unmap", "one trim")(
    discards_through_qemu("unmap", "0", "16M"))
row(QEMU, "qemu-discard-512", "discard of 16 MiB less 1 KiB at 512",
    "one trim, off the borders: the disk takes single bytes",
    advice="discard_granularity=4096 on the guest's device")(
        discards_through_qemu("unmap", "512", str(16 * MIB - 1024)))


@row(QEMU, "qemu-write-512", "a write of 512 bytes inside a page",
     "read, changed and written in blocks of 4096, the preferred size", True,
     "the disk says that single bytes will do, and is believed")
def qemu_write_512(disk):
    disk.start()
    disk.qemu_io("write -P 1 512 512")
    return disk.seen()


@row(QEMU, "qemu-write-large", "a write of 100 MiB at once",
     "pieces of the largest request, one after the other", True,
     "the pieces come at once, 16 at most: the disk names 4 MiB, so that all fit")
def qemu_write_large(disk):
    disk.start(size="128M")
    disk.qemu_io("write -P 1 0 100M")
    return disk.seen()


@row(QEMU, "qemu-zero-large", "zeroing of 1 GiB at once, with leave to trim",
     "one request: it carries no data")
def qemu_zero_large(disk):
    disk.start(size="2G")
    disk.qemu_io("write -z -u 0 1G")
    return disk.seen()


def qcow2_on_disk(discard, deleted):
    def function(disk):
        disk.start(size="128M")
        disk.run("qemu-img", "create", "-q", "-f", "qcow2", disk.uri, "64M")
        disk.seen()
        where = disk.path("nbd")
        image = ("driver=qcow2,file.driver=nbd,file.server.type=unix,"
                 f"file.server.path={where},discard={discard},file.discard={discard}")
        disk.run("qemu-io", "--image-opts", image, "-c", f"write -s {disk.noise(16)} 0 16M",
                 "-c", f"discard {deleted}")
        whole = discard == "unmap" and deleted.startswith("0 ")
        return (f"{disk.seen(counts=False, without=('read',))}; "
                f"{disk.back(seconds=15 if whole else STAYS)}")
    return function


row(QEMU, "qcow2-discard-ignore", "qcow2 on the disk, discard inside it, discard=ignore",
    "nothing comes back", advice="discard=unmap, for the image and for the file below it")(
        qcow2_on_disk("ignore", "0 16M"))
row(QEMU, "qcow2-discard-unmap", "qcow2 on the disk, discard inside it, discard=unmap",
    "trims of whole clusters of 64 KiB, all comes back")(qcow2_on_disk("unmap", "0 16M"))
row(QEMU, "qcow2-discard-part", "the same of 32 KiB, half a cluster",
    "nothing comes back: a cluster stays whole",
    advice="a cluster is freed as a whole: discard_granularity= of its cluster_size on the guest's device")(
        qcow2_on_disk("unmap", "32k 32k"))


@row(QEMU, "qemu-nbd-proxy", "a discard through qemu-nbd in front, as it starts by default",
     "nothing arrives: discard=ignore is its default", advice="qemu-nbd --discard=unmap")
def qemu_nbd_proxy(disk):
    disk.start()
    disk.qemu_io(f"write -s {disk.noise(16)} 0 16M")
    disk.seen()
    through_qemu_nbd(disk, "discard 0 16M")
    return f"{disk.seen()}; {disk.back(seconds=STAYS)}"


@row(QEMU, "qemu-nbd-proxy-unmap", "a discard through qemu-nbd --discard=unmap", "one trim")
def qemu_nbd_proxy_unmap(disk):
    disk.start()
    disk.qemu_io(f"write -s {disk.noise(16)} 0 16M")
    disk.seen()
    through_qemu_nbd(disk, "discard 0 16M", "--discard=unmap")
    return f"{disk.seen()}; {disk.back()}"


def through_qemu_nbd(disk, command, *options):
    socket = disk.path("qemu-nbd")
    if not shutil.which("qemu-nbd"):
        raise NotHere("qemu-nbd is missing")
    server = subprocess.Popen(["qemu-nbd", "-f", "raw", "-k", socket, *options, disk.uri],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        for _ in range(6000):
            if os.path.exists(socket) or server.poll() is not None:
                break
            time.sleep(0.01)
        disk.qemu_io(command, uri=f"nbd+unix:///?socket={socket}", options="discard=unmap")
    finally:
        server.terminate()
        server.wait()


def sparse_file(disk):
    """64 MiB, with 4 MiB of noise at the beginning and zeroes written at 32 MiB."""
    name = disk.path("sparse")
    with open(name, "wb") as file, open(disk.noise(4), "rb") as noise:
        file.write(noise.read())
        file.seek(32 * MIB)
        file.write(bytes(4 * MIB))
        file.truncate(64 * MIB)
    return name


def copy_in(*command):
    def function(disk):
        disk.start()
        words = [word.replace("FROM", sparse_file(disk)).replace("TO", disk.uri) for word in command]
        disk.run(*words)
        return f"{disk.seen(without=('read',))}; {disk.held()} MiB held"
    return function


row(COPY, "qemu-img-convert", "qemu-img convert -n of 4 MiB in a file of 64 MiB",
    "only the data: the disk says it reads as zero", True, "--target-is-zero on a fresh disk")(
        copy_in("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", "FROM", "TO"))
row(COPY, "qemu-img-convert-zero", "the same with --target-is-zero", "only the data")(
    copy_in("qemu-img", "convert", "-n", "--target-is-zero", "-f", "raw", "-O", "raw", "FROM", "TO"))
row(COPY, "qemu-img-convert-sparse", "the same with -S 0", "all of it as data, zeroes too")(
    copy_in("qemu-img", "convert", "-n", "-S", "0", "-f", "raw", "-O", "raw", "FROM", "TO"))
row(COPY, "nbdcopy-in", "nbdcopy of that file", "data in requests of 256 KiB; the rest zeroed")(
    copy_in("nbdcopy", "FROM", "TO"))
row(COPY, "nbdcopy-in-zero", "nbdcopy --destination-is-zero", "only the data")(
    copy_in("nbdcopy", "--destination-is-zero", "FROM", "TO"))
row(COPY, "nbdcopy-in-allocated", "nbdcopy --allocated", "all of it as data, zeroes too", True,
    "it zeroes without leave to trim; the disk frees all the same")(
        copy_in("nbdcopy", "--allocated", "FROM", "TO"))
row(COPY, "nbdcopy-in-large", "nbdcopy --request-size=4194304", "data in requests of 4 MiB")(
    copy_in("nbdcopy", "--request-size=4194304", "FROM", "TO"))


@row(COPY, "nbdcopy-out", "nbdcopy from the disk to a file", "reads of the data alone: 4 MiB")
def nbdcopy_out(disk):
    disk.start()
    disk.qemu_io(f"write -s {disk.noise(4)} 0 4M")
    disk.seen()
    disk.run("nbdcopy", disk.uri, disk.path("copy"))
    blocks = os.stat(disk.path("copy")).st_blocks * 512 // MIB
    return f"{disk.seen()}; the file takes {blocks} MiB"


@row(COPY, "qemu-img-out", "qemu-img convert from the disk to a file", "reads of the data alone: 4 MiB")
def qemu_img_out(disk):
    disk.start()
    disk.qemu_io(f"write -s {disk.noise(4)} 0 4M")
    disk.seen()
    disk.run("qemu-img", "convert", "-f", "raw", "-O", "raw", disk.uri, disk.path("copy"))
    blocks = os.stat(disk.path("copy")).st_blocks * 512 // MIB
    return f"{disk.seen()}; the file takes {blocks} MiB"


@row(COPY, "nbdcopy-ext4", "an ext4 of mkfs in a file, copied by nbdcopy",
     "less than 1 MiB held")
def ext4_image(disk):
    disk.start()
    with open(disk.path("image"), "wb") as file:
        file.truncate(64 * MIB)
    disk.run("mke2fs", "-q", "-t", "ext4", disk.path("image"))
    disk.run("nbdcopy", "--destination-is-zero", disk.path("image"), disk.uri)
    return f"{disk.seen(counts=False)}; {disk.held()} MiB held"


def by_fio(*options):
    def function(disk):
        disk.start()
        disk.run("fio", "--name=row", "--ioengine=nbd", f"--uri={disk.uri}", "--size=16M",
                 "--output=fio.out", *options)
        return f"{disk.seen(without=('read',))}; {disk.held()} MiB held"
    return function


row(OTHER, "fio-write", "fio: a sequential write of 16 MiB, 64 KiB blocks, as it comes",
    "noise: 16 MiB held", advice="buffer_compress_percentage= for pages like those of programs")(
        by_fio("--rw=write", "--bs=64k"))
row(OTHER, "fio-zero-buffers", "fio with zero_buffers", "noise all the same: it scrambles buffers",
    True, "a benchmark of nothing: leave zero_buffers out")(
        by_fio("--rw=write", "--bs=64k", "--zero_buffers"))
row(OTHER, "fio-compress", "fio with buffer_compress_percentage=50 (chunk 4096)", "8 MiB held")(
    by_fio("--rw=write", "--bs=64k", "--buffer_compress_percentage=50",
           "--buffer_compress_chunk=4096"))
row(OTHER, "fio-compress-chunk", "fio with buffer_compress_percentage=50, its own chunk", "8 MiB held")(
    by_fio("--rw=write", "--bs=64k", "--buffer_compress_percentage=50"))
row(OTHER, "fio-pattern", "fio with buffer_pattern=0xdeadbeef", "same-filled pages: 0 MiB held")(
    by_fio("--rw=write", "--bs=64k", "--buffer_pattern=0xdeadbeef"))
row(OTHER, "fio-write-512", "fio: writes of 512 bytes over 1 MiB", "2048 writes off the borders",
    advice="bs=4096")(by_fio("--rw=write", "--bs=512", "--io_size=1M"))
row(OTHER, "fio-trim", "fio: trims of 64 KiB", "256 trims")(by_fio("--rw=trim", "--bs=64k"))


@row(OTHER, "nbdfuse", "nbdfuse: 16 MiB written into the file, and a hole punched over it",
     "writes of 128 KiB, as FUSE used to send; a trim", True)
def nbdfuse(disk):
    if not os.access("/dev/fuse", os.W_OK) or not shutil.which("nbdfuse") or \
            not shutil.which("fusermount3"):
        raise NotHere("nbdfuse, fusermount3 or /dev/fuse is missing")
    disk.start()
    mount = disk.path("mount")
    os.mkdir(mount)
    server = subprocess.Popen(["nbdfuse", mount, disk.uri], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(1000):
            if os.path.exists(mount + "/nbd"):
                break
            if server.poll() is not None:
                raise NotHere("nbdfuse: " + server.stderr.read().strip()[-80:])
            time.sleep(0.01)
        disk.run("dd", f"if={disk.noise(16)}", f"of={mount}/nbd", "bs=1M", "conv=notrunc,fsync")
        written = disk.seen(without=("read",))
        punched = disk.run("fallocate", "-p", "-o", "0", "-l", "16M", mount + "/nbd", check=False)
        refused = "hole refused: " + punched.split(":")[-1].strip() if punched else "hole punched"
        return f"{written}; {refused}; {disk.seen()}; {disk.back()}"
    finally:
        disk.run("fusermount3", "-u", mount,
                 check=False)
        server.wait()


@row(OTHER, "nbdkit-nbd", "nbdkit's nbd plugin in front, as for TLS or another socket",
     "all as it comes")
def nbdkit_nbd(disk):
    disk.start()
    uri = disk.proxy()
    disk.qemu_io(f"write -s {disk.noise(4)} 0 4M", "write -z 0 64k", "write -z -u 64k 64k",
                 "discard 128k 64k", "write -P 1 512 512", uri=uri, options="discard=unmap")
    return disk.seen()
