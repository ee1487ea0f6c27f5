# SPDX-License-Identifier: GPL-2.0-or-later
"""nbdkit's own filters in front of the disk: each gets the same requests.

Each guess was written down before the row was run first.
"""
import bz2
import gzip
import lzma
import os
import re
import struct
import subprocess
import tarfile
import zlib

from disk import MIB, NotHere
from row import ROWS, row

PASS = "filters of nbdkit that pass requests on"
CHANGE = "filters of nbdkit that change them"

# Data, zeroes with and without leave to trim, a trim, a part of a page, a read.
PROBE = ("write -s {noise} 0 4M", "write -z 0 1M", "write -z -u 1M 1M", "discard 2M 1M",
         "write -P 1 8M 4k", "write -P 2 8389120 512", "discard 3M 1M", "read 8M 64k", "flush")
PLAIN = ("read 1 × 64K; write 3 × 512–4M off the page borders; zero 1 × 1M; "
         "zero that may trim 1 × 1M; trim 2 × 1M")


def has_filter(name):
    done = subprocess.run(["nbdkit", "--filter=" + name, "null", "--dump-plugin"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise NotHere(f"this nbdkit has no filter {name}")


def probe(disk, uri=None):
    """What arrives of the probe, in words; and what stays when all of it has been freed."""
    commands = [command.format(noise=disk.noise(4)) for command in PROBE]
    said = disk.qemu_io(*commands, options="discard=unmap", uri=uri, check=False)
    failed = sorted(set(re.findall(r"(\w+) failed: (.*)", said)))
    if "can't open" in said:
        failed = [("opening it", said.split(": ")[-1].strip())]
    # Which of the cache requests come before the end, is chance.
    words = disk.seen(without=("cache",))
    if words == PLAIN:
        words = "all as it comes"
    words += "".join(f"; {what} fails: {why}" for what, why in failed)
    return f"{words}; {disk.back()}"


def through(name, *parameters):
    def function(disk):
        has_filter(name)
        disk.start(name, parameters=[word.replace("STATS", disk.path("stats")) for word in parameters])
        return probe(disk)
    return function


@row(PASS, "filter-none", "no filter but log, which each row has: the probe itself", "all as it comes")
def no_filter(disk):
    disk.start()
    return probe(disk)


for _name, _parameters in (
        ("cacheextents", ()), ("delay", ("rdelay=1ms",)), ("error", ("error=EIO", "error-rate=0%")),
        ("exitwhen", ("exit-when-file-created=/nowhere/at-all",)),
        ("exportname", ()), ("ip", ("allow=all",)), ("limit", ("limit=10",)), ("multi-conn", ()),
        ("nofilter", ()), ("noparallel", ()), ("rate", ("rate=10G",)), ("readonly", ("readonly-file=/nowhere/at-all",)),
        ("retry", ()),
        ("retry-request", ()), ("stats", ("statsfile=STATS",)), ("tls-fallback", ()),
        ("noextents", ()), ("protect", ("protect=33554432-67108863",)), ("scan", ("scan-ahead=false",)),
        ("count", ()), ("openonce", ()), ("rotational", ()), ("time-limit", ()), ("evil", ("evil-probability=0",)),
        ("spinning", ("min-seek-time=0", "half-seek-time=0", "max-seek-time=0"))):
    row(PASS, f"filter-{_name}", f"filter {_name}", "all as it comes",
        wrong=_name == "tls-fallback",
        advice={"tls-fallback": "a client without TLS gets a small export that is only read",
                "scan": "of no use: the disk is memory (cache requests are left out here)"}.get(_name, ""))(through(_name, *_parameters))

@row(PASS, "filter-exitlast", "filter exitlast", "all as it comes", True,
     "the disk ends with its last client, and its pages with it")
def exitlast(disk):
    has_filter("exitlast")
    disk.start("exitlast")
    disk.qemu_io("write -P 1 0 4M")
    return f"{disk.seen()}; then the server {'ends' if disk.ends() else 'goes on'}"


for _name, _parameters, _guess, _wrong, _advice in (
        ("blocksize", ("minblock=4096",), "parts of pages are read, changed and written by the filter",
         False, "of no use here: the disk does that itself, under one lock"),
        ("blocksize-policy", ("blocksize-minimum=4096", "blocksize-error-policy=error"),
         "qemu keeps to 4096: a read and a write of a whole page", False, ""),
        ("cache", (), "writes are held back until a flush; zeroes and trims pass", True,
         "not in front of this disk: it turns zeroing into data"),
        ("cache-writethrough", ("cache=writethrough",), "as it comes", True, ""),
        ("cow", (), "nothing arrives but reads", False, "an overlay keeps its own copy: a file in $TMPDIR"),
        ("ddrescue", ("ddrescue-mapfile=MAP",), "read only: nothing is written", False, ""),
        ("fua", ("fuamode=force",), "a flush behind each request; else as it comes", False, ""),
        ("nozero", (), "zeroes come as data", False, "leave it out"),
        ("nozero-notrim", ("zeromode=notrim",), "zeroes without leave to trim", False, ""),
        ("nocache", (), "all as it comes", False, ""),
        ("offset", ("offset=1M", "range=32M"), "the same, a MiB further on", False, "offset= in whole pages"),
        ("offset-odd", ("offset=512", "range=32M"), "all off the borders", False, "offset= in whole pages"),
        ("partition", ("partition=1",), "the server does not start: there is no table", True,
         "a client is refused, not the start"),
        ("pause", ("pause-control=PAUSE",), "all as it comes", False, ""),
        ("readahead", (), "the same, and cache requests, which are left out here", False, "of no use: the disk is memory"),
        ("map", ("map=0-33554431:33554432", "map=33554432-67108863:0"), "all as it comes, in the other half", False, ""),
        ("xor", ("xor=0x55", "xorlen=1"), "zeroes and trims become data: nothing comes back", True,
         "a word that repeats takes no memory; xor=rand does"),
        ("xor-rand", ("xor=rand:1",), "zeroes and trims become noise: nothing comes back", False,
         "leave it out: what is trimmed is stored as data"),
        ("swab", ("swab-bits=16",), "all as it comes, in another order", False, ""),
        ("truncate", ("round-up=4096",), "all as it comes", False, ""),
        ("checkwrite", (), "nothing is written; the client is told of what differs", False, ""),
        ("extentlist", ("extentlist=EXTENTS",), "all as it comes", False, "")):
    def _through(name=_name, parameters=_parameters):
        def function(disk):
            filter_name = {"cache-writethrough": "cache", "nozero-notrim": "nozero",
                           "offset-odd": "offset", "xor-rand": "xor"}.get(name, name)
            has_filter(filter_name)
            words = []
            for word in parameters:
                key, value = word.split("=", 1)
                if value in ("MAP", "EXTENTS", "PAUSE"):
                    value = disk.path(value.lower())
                if key == "ddrescue-mapfile":
                    with open(value, "w", encoding="utf-8") as file:
                        file.write("# Mapfile\n0x0 +\n0x0 0x04000000 +\n")
                if key == "extentlist":
                    with open(value, "w", encoding="utf-8") as file:
                        file.write("0 1M\n")
                words.append(f"{key}={value}")
            disk.start(filter_name, parameters=words)
            return probe(disk)
        return function
    row(CHANGE, f"filter-{_name}", f"filter {_name}" + (f" ({' '.join(_parameters)})" if _parameters else ""),
        _guess, _wrong, _advice)(_through())


def content_through(name, suffix, make, *parameters):
    """The disk holds a packed file of 16 MiB; read through the filter."""
    def function(disk):
        has_filter(name)
        with open(disk.noise(4), "rb") as file:
            content = file.read() + bytes(12 * MIB)
        packed = disk.path("packed" + suffix)
        make(packed, content)
        size = os.path.getsize(packed)
        disk.start(size=str(size))
        disk.qemu_io(f"write -s {packed} 0 {size}")
        disk.seen()
        uri = disk.proxy(name, parameters=[word.replace("INDEX", disk.path("index")) for word in parameters])
        said = disk.qemu_io("read -P 0 8M 64k", uri=uri, read_only=True)
        asked = disk.read_bytes()
        disk.run("nbdcopy", uri, disk.path("copy"))
        with open(disk.path("copy"), "rb") as file:
            same = file.read() == content and "verification failed" not in said
        return (f"for 64 KiB {round(asked / size * 100)} % of it is read; all of it reads "
                f"{'right' if same else 'WRONG'}")
    return function


def make_gzip(path, content):
    with gzip.GzipFile(path, "wb", mtime=0) as file:
        file.write(content)


def make_xz(path, content):
    with lzma.open(path, "wb", preset=1) as file:
        file.write(content)


def make_bzip2(path, content):
    with bz2.open(path, "wb", compresslevel=1) as file:
        file.write(content)


def make_lzip(path, content):
    """One member: LZMA between a head of 6 bytes and a tail of 20."""
    filters = [{"id": lzma.FILTER_LZMA1, "preset": 1, "dict_size": 1 << 20, "lc": 3, "lp": 0, "pb": 2}]
    packed = lzma.compress(content, format=lzma.FORMAT_RAW, filters=filters)
    with open(path, "wb") as file:
        file.write(b"LZIP\x01\x14" + packed)
        file.write(struct.pack("<IQQ", zlib.crc32(content), len(content), len(packed) + 26))


def make_qcow2(path, content):
    with open(path + ".content", "wb") as file:
        file.write(content)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", path + ".content", path], check=True)


def make_tar(path, content):
    with open(path + ".content", "wb") as file:
        file.write(content)
    with tarfile.open(path, "w") as archive:
        archive.add(path + ".content", arcname="content")


row(CHANGE, "filter-gzip", "filter gzip over 16 MiB packed on the disk", "a part is read for what is asked for",
    True, "it unpacks the whole disk into a file in $TMPDIR first")(
        content_through("gzip", ".gz", make_gzip))
row(CHANGE, "filter-xz", "filter xz over 16 MiB packed on the disk", "all is read: it is one block of xz", advice="xz --block-size=")(
    content_through("xz", ".xz", make_xz))
row(CHANGE, "filter-bzip2", "filter bzip2 over 16 MiB packed on the disk", "all is read once, to find its blocks",
    advice="the first request waits until all of it was read")(content_through("bzip2", ".bz2", make_bzip2))
row(CHANGE, "filter-lzip", "filter lzip over 16 MiB packed on the disk", "all is read: it is one member",
    advice="plzip, or lzip -b with --member-size")(content_through("lzip", ".lz", make_lzip))
row(CHANGE, "filter-indexed-gzip", "filter indexed-gzip over 16 MiB packed on the disk", "all is read once, for the index",
    advice="keep the index: gzip-index-path=")(
        content_through("indexed-gzip", ".gz", make_gzip, "gzip-index-path=INDEX"))
row(CHANGE, "filter-qcow2dec", "filter qcow2dec over a qcow2 on the disk", "its tables are read; the rest are zeroes")(
    content_through("qcow2dec", ".qcow2", make_qcow2))
row(CHANGE, "filter-tar", "filter tar over an archive on the disk", "64 KiB are read, and the headers",
    advice="the content of an archive begins at 512 bytes")(
        content_through("tar", ".tar", make_tar, "tar-entry=content"))


@row(CHANGE, "filter-luks", "filter luks over a disk of LUKS1", "no trims; writes in sectors of 512",
     advice="not in front of this disk: what is encrypted does not compress; backing= encrypts by itself")
def filter_luks(disk):
    has_filter("luks")
    disk.start()
    disk.run("qemu-img", "create", "-q", "-f", "luks", "--object", "secret,id=s,data=word",
             "-o", "key-secret=s,iter-time=10", disk.path("luks"), "32M")
    disk.run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", disk.path("luks"), disk.uri)
    disk.seen()
    uri = disk.proxy("luks", parameters=("passphrase=word",))
    said = disk.qemu_io("write -P 1 0 1M", "discard 0 512k", "write -z 0 1M", options="discard=unmap",
                        uri=uri, check=False)
    failed = sorted(set(re.findall(r"(\w+) failed: (.*)", said)))
    return disk.seen(counts=True) + "".join(f"; {what} fails: {why}" for what, why in failed)


@row(CHANGE, "filter-ext2", "filter ext2: a file of an ext4 on the disk, written to",
     "writes of 4096", True, "mke2fs -b 4096: a small filesystem has blocks of 1 KiB")
def filter_ext2(disk):
    has_filter("ext2")
    disk.start()
    with open(disk.path("image"), "wb") as file:
        file.truncate(64 * MIB)
    os.mkdir(disk.path("tree"))
    with open(disk.path("tree/content"), "wb") as file:
        file.truncate(16 * MIB)
    disk.run("mke2fs", "-q", "-t", "ext4", "-d", disk.path("tree"), disk.path("image"))
    disk.run("nbdcopy", "--destination-is-zero", disk.path("image"), disk.uri)
    disk.seen()
    uri = disk.proxy("ext2", parameters=("ext2file=/content",))
    disk.qemu_io("write -P 1 0 1M", "flush", uri=uri)
    return disk.seen(counts=False, without=("read",))


@row(CHANGE, "filters-without-row", "filters that this nbdkit has and no row is about", "none, but log")
def filters_without_row(disk):
    said = disk.run("nbdkit", "--dump-config")
    directory = re.search(r"^filterdir=(.*)$", said, re.M)[1]
    have = {re.fullmatch(r"nbdkit-(.*)-filter\.so", name)[1] for name in os.listdir(directory)}
    named = {each.name.removeprefix("filter-") for each in ROWS if each.name.startswith("filter-")}
    return ", ".join(sorted(have - named)) or "none"
