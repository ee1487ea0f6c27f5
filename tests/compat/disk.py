# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk that says what arrives at it, and what memory it takes for that."""
import json
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time

PAGE = 4096
MIB = 1 << 20
# How long whatever is sure to happen may take, on a machine with much else to do.
PATIENCE = 60


class NotHere(Exception):
    """What a row needs is missing on this machine; says what."""


def size_text(size):
    """4096 as 4K; what lies a block below a round size is said so: 4G-512."""
    for shift, unit in ((30, "G"), (20, "M"), (10, "K")):
        if size >> shift and size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
        for less, word in ((512, "512"), (PAGE, "4K")):
            if size >= 64 * MIB and (size + less) % (1 << shift) == 0:
                return f"{(size + less) >> shift}{unit}-{word}"
    return str(size)


class Arrivals:
    """Requests by kind, out of a log of nbdkit's log filter, or of the kernel's block_rq_issue."""

    LINE = re.compile(r" (Read|Write|Zero|Trim|Cache|Flush|Extents) id=\d+"
                      r"(?: offset=(0x[0-9a-f]+) count=(0x[0-9a-f]+))?(?:.*?\btrim=(\d))?")
    TRACED = re.compile(r" block_rq_issue: \d+,\d+ F?(WZ|[RWDN])\w* \d+ \(.*?\) (\d+) \+ (\d+)")
    # Of zeroing older kernels say only that it is something else.
    TRACED_KINDS = {"R": "read", "W": "write", "D": "trim", "N": "zero", "WZ": "zero"}
    # Extents are questions, and flushes do nothing here.
    KINDS = ("read", "write", "zero", "zero that may trim", "trim", "cache")

    def __init__(self, text, disk_size):
        self.sizes = {kind: [] for kind in self.KINDS}
        self.off_border = dict.fromkeys(self.KINDS, 0)
        for match in self.LINE.finditer(text):
            kind = match[1].lower()
            if kind == "zero" and match[4] == "1":
                kind = "zero that may trim"
            if kind in self.sizes:
                self.add(kind, int(match[2], 16), int(match[3], 16), disk_size)
        for match in self.TRACED.finditer(text):
            self.add(self.TRACED_KINDS[match[1]], int(match[2]) * 512, int(match[3]) * 512, disk_size)

    def add(self, kind, begin, count, disk_size):
        end = begin + count
        if not count:
            return
        self.sizes[kind].append(count)
        if begin % PAGE or (end % PAGE and end != disk_size):
            self.off_border[kind] += 1

    def outline(self, counts=True, without=(), sizes=True):
        """One line: each kind with its sizes, and whether it keeps to the borders of pages."""
        parts = []
        for kind, all_sizes in self.sizes.items():
            if not all_sizes or kind in without:
                continue
            least, most = size_text(min(all_sizes)), size_text(max(all_sizes))
            if not sizes:
                words = kind
            elif counts:
                words = f"{kind} {len(all_sizes)} × " + (most if least == most else f"{least}–{most}")
            else:
                words = f"{kind} ≤ {most}"
            if self.off_border[kind]:
                words += " off the page borders"
            parts.append(words)
        return "; ".join(parts) or "nothing"

    # What swap is about; less than half a MiB is headers and chance.
    VOLUMES = {"write": "written", "read": "read", "zero": "zeroed", "zero that may trim": "zeroed", "trim": "trimmed"}

    def bound(self, kind):
        """The largest request; of small ones the power of two, for reads do not always find all neighbours."""
        most = max(self.sizes[kind])
        return most if most > 128 << 10 else 1 << (most - 1).bit_length()

    def volumes(self):
        """One line: how much of each kind, and the largest request, for what was written and read."""
        parts = []
        for kind, word in self.VOLUMES.items():
            mib = round(sum(self.sizes[kind]) / MIB)
            if mib:
                largest = f" by ≤ {size_text(self.bound(kind))}" if kind in ("write", "read") else ""
                parts.append(f"{mib} MiB {word}{largest}")
        return "; ".join(parts) or "nothing"


class Disk:
    """nbdkit with the plugin, in a directory of its own; stop() ends it."""

    def __init__(self, build, directory):
        self.plugin = os.path.join(build, "plugin", "ramzswap.so")
        self.rzscontrol = os.path.join(build, "plugin", "rzscontrol")
        self.directory = directory
        self.servers = []
        self.size = 0
        self.fresh = 0
        self.log_at = 0

    def path(self, name):
        return os.path.join(self.directory, name)

    def run(self, *command, check=True):
        """The command's output; without a shell, and never for ever."""
        if not shutil.which(command[0]):
            raise NotHere(f"{command[0]} is missing")
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=PATIENCE * 4, text=True,
                              cwd=self.directory, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: status {done.returncode}: {done.stdout[-400:]}")
        return done.stdout

    def serve(self, socket, *words):
        """nbdkit on a socket; returns when it listens."""
        where = self.path(socket)
        server = subprocess.Popen(["nbdkit", "-f", "--exit-with-parent", "-U", where, *words],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=open(self.path(socket + ".err"), "w"),
                                  cwd=self.directory)
        self.servers.append(server)
        end = time.monotonic() + PATIENCE
        while not os.path.exists(where):
            if server.poll() is not None or time.monotonic() > end:
                said = open(self.path(socket + ".err"), errors="replace").read().strip()
                raise RuntimeError(f"nbdkit {' '.join(words)}: {said[-300:]}")
            time.sleep(0.01)
        return f"nbd+unix:///?socket={where}"

    def start(self, *filters, size="64M", parameters=()):
        """The disk behind filters; sets uri."""
        words = [f"--filter={name}" for name in filters] + ["--filter=log"]
        self.uri = self.serve("nbd", *words, self.plugin, size, "swap=off", "reserve=0",
                              f"control={self.path('control')}", f"logfile={self.path('log')}",
                              *parameters)
        end = time.monotonic() + PATIENCE
        while not os.path.exists(self.path("control")) and time.monotonic() < end:
            time.sleep(0.01)
        stats = self.stats()
        self.size = stats["disksize"]
        self.fresh = stats["mem_used_total"]
        return self.uri

    def proxy(self, *filters, parameters=()):
        """Filters in another nbdkit, before the disk that was started: its uri."""
        words = [f"--filter={name}" for name in filters]
        return self.serve("proxy", *words, "nbd", f"socket={self.path('nbd')}", *parameters)

    def stop(self):
        """Ends all servers, the last started first; what they said wrong is an error."""
        for server in reversed(self.servers):
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        self.servers = []

    def stats(self):
        return json.loads(self.run(self.rzscontrol, "-c", self.path("control"), "stats", "--json"))

    def noise(self, mib):
        """A file of bytes that do not compress, the same in each run."""
        name = self.path(f"noise{mib}")
        if not os.path.exists(name):
            with open(name, "wb") as file:
                file.write(random.Random(1).randbytes(mib * MIB))
        return name

    def seen(self, counts=True, without=()):
        """What arrived since the last call, in words."""
        return self.arrivals().outline(counts, without)

    def arrivals(self):
        with open(self.path("log"), errors="replace") as log:
            log.seek(self.log_at)
            text = log.read()
            self.log_at = log.tell()
        return Arrivals(text, self.size)

    def read_bytes(self):
        """Bytes that were read since the last call."""
        return sum(self.arrivals().sizes["read"])

    def ends(self):
        """Whether the disk's server ends by itself, within seconds."""
        try:
            self.servers[0].wait(10)
            return True
        except subprocess.TimeoutExpired:
            return False

    def held(self):
        """Memory above that of the fresh disk, in whole MiB."""
        return round((self.stats()["mem_used_total"] - self.fresh) / MIB)

    def back(self, at_most=1, seconds=15):
        """Whether all memory came back: at most so many MiB more than fresh, within seconds."""
        end = time.monotonic() + seconds
        while self.held() > at_most and time.monotonic() < end:
            time.sleep(0.1)
        held = self.held()
        return "all comes back" if held <= at_most else f"{held} MiB stay"

    def qemu_io(self, *commands, options="", uri=None, check=True, read_only=False):
        """qemu-io with these commands, and options of its image such as discard=unmap."""
        where = (uri or self.uri).replace("nbd+unix:///?socket=", "")
        image = f"driver=raw,file.driver=nbd,file.server.type=unix,file.server.path={where}"
        if options:
            image += "," + options
        words = [word for command in commands for word in ("-c", command)]
        mode = ("-r",) if read_only else ()
        return self.run("qemu-io", *mode, "--image-opts", image, *words, check=check)


def with_disk(build, function):
    """Runs a row on a disk of its own; its outcome."""
    directory = tempfile.mkdtemp(prefix="ramzswap-compat-",
                                 dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    disk = Disk(build, directory)
    try:
        return function(disk)
    finally:
        disk.stop()
        shutil.rmtree(directory, ignore_errors=True)
