# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs rows that need a kernel in guests, and reads what they left."""
import collections
import contextlib
import datetime
import json
import os
import shutil
import subprocess
import tempfile
import threading

from disk import MIB, Arrivals, Disk, NotHere
from row import ROWS, Row

HERE = os.path.dirname(os.path.abspath(__file__))
RIGS = os.path.join(os.path.dirname(HERE), "kernel")
# A guest hangs at most so long, in seconds; a row takes about ten, and emulated some forty.
DEADLINE = 540
# How a guest is made: tests/kernel/RIG, the release whose kernel it has, and that of its tools.
Machine = collections.namedtuple("Machine", "rig suite tools")
# As they are called in the table.  User-Mode Linux has no driver for some things, and starts soon.
MACHINES = {"bookworm (Linux 6.1)": Machine("uml", "bookworm", "bookworm"),
            "bookworm (Linux 6.1, QEMU)": Machine("qemu", "bookworm", "bookworm"),
            "trixie (Linux 6.12)": Machine("uml", "trixie", "trixie"),
            "trixie (Linux 6.12, QEMU)": Machine("qemu", "trixie", "trixie"),
            "trixie-backports (Linux 7.3, QEMU)": Machine("qemu", "trixie-backports", "trixie"),
            "sid (Linux 7.2)": Machine("uml", "sid", "sid"),
            "sid (Linux 7.2, QEMU)": Machine("qemu", "sid", "sid")}
SUITES = ("bookworm", "trixie", "trixie-backports", "sid")
UML = tuple(name for name, machine in MACHINES.items() if machine.rig == "uml")
QEMU = tuple(name for name, machine in MACHINES.items() if machine.rig == "qemu")
# Of a boot whose rows need more than others, in MB.
MEMORY = {"vdo": 1024}
# Of a boot with other devices, their words of QEMU: 256 MB that can be taken away.
DEVICES = {"crossings-unplug": "-m slots=1,maxmem=8G -object memory-backend-ram,id=dimm,size=256M "
                               "-device pc-dimm,memdev=dimm"}
# What tells something in which phase.  The rest is chance: what a journal writes, and what ext4
# zeroes in the background.
WRITTEN, FREED = ("write",), ("trim",)
TELLING = {"fill": WRITTEN, "use": WRITTEN, "filled": WRITTEN, "delete": FREED, "fstrim": FREED,
           "freed": FREED, "off": FREED, "end": FREED, "closed": ()}
# What is the same in each row.
UNTOLD = ("fresh", "on")
ALL = ("write", "zero", "zero that may trim", "trim")


class GuestRow(Row):
    """script is what the guest does, in sh, with the words of guest-rows; boot: rows that share one.

    where names the machines on which it runs.  What a recipe leaves is told, and may be 1 MiB.
    volumes: how many bytes of each kind came, and in which requests, is a part of the outcome.
    drive is how QEMU gives the guest a disk of the host: the words of a -drive and of its -device.
    """

    def __init__(self, boot, group, name, what, guess, wrong, advice, script, where, recipe, drive):
        super().__init__(name, group, what, guess, wrong, advice, None)
        self.boot = boot
        self.script = script
        self.environments = where
        self.recipe = recipe
        self.volumes = False
        self.drive = drive


def guest_row(boot, group, name, what, guess, script, wrong=False, advice="", where=UML, recipe=False, drive=None):
    row = GuestRow(boot, group, name, what, guess, wrong, advice, script, where, recipe, drive)
    ROWS.append(row)
    return row


def swap_row(*words, **more):
    """As guest_row: one whose requests are those of swap, so that their number is no chance."""
    guest_row(*words, **more).volumes = True


def read(path, default=""):
    if not os.path.exists(path):
        return default
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().strip()


class Left:
    """What a row left in the guest's results."""

    def __init__(self, results, row):
        self.stem = os.path.join(results, row.name)
        self.recipe = row.recipe
        self.volumes = row.volumes

    def file(self, suffix, default=""):
        return read(f"{self.stem}.{suffix}", default)

    def stats(self, mark):
        return json.loads(self.file(mark + ".json"))

    def phase(self, mark, text, fresh):
        stats = self.stats(mark)
        held = stats["mem_used_total"] - fresh
        kinds = TELLING.get(mark, ALL)
        arrivals = Arrivals(text, stats["disksize"])
        if self.volumes:
            words = arrivals.volumes()
        else:
            words = arrivals.outline(
                sizes=mark == "sizes", without=[kind for kind in Arrivals.KINDS if kind not in kinds])
        words += f", {round(held / MIB)} MiB held"
        seconds = int(self.file(mark + ".seconds", "0"))
        if seconds > 5 and held <= MIB:
            words += " within a minute"
        return f"{mark}: {words}"

    def outcome(self):
        status = self.file("status", "none")
        if status == "77":
            raise NotHere(self.file("out").splitlines()[-1])
        if status != "0":
            raise RuntimeError(f"status {status} in the guest: {self.file('out')[-400:]}")
        said = self.file("said").replace("\n", "; ")
        marks = [line.split() for line in self.file("marks").splitlines()]
        if not marks:
            return said
        with open(f"{self.stem}.log", encoding="utf-8", errors="replace") as file:
            log = file.read()
        fresh = self.stats("fresh")["mem_used_total"]
        parts, begin = [], 0
        for mark, end in marks:
            if mark not in UNTOLD:
                parts.append(self.phase(mark, log[begin:int(end)], fresh))
            begin = int(end)
        if self.recipe:
            left = max(0, self.stats(marks[-1][0])["mem_used_total"] - fresh)
            parts.append(f"leaves {left // 1024} KiB")
        return " · ".join(([said] if said else []) + parts)


def write_rows(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(f"row_{row.name.replace('-', '_')}()\n{{\n\tset -e\n{row.script}\n}}\n")


def qemu_version():
    said = subprocess.run(["qemu-system-x86_64", "--version"], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL, check=False).stdout
    return said.split(" version ")[-1].split()[0] if said else "?"


def versions(rig, tools, kernel, day):
    """What a guest is made of, in words."""
    name = "User-Mode Linux" if rig == "uml" else f"QEMU {qemu_version()}, Linux"
    packages = ("nbd-client", "e2fsprogs", "xfsprogs", "btrfs-progs", "f2fs-tools", "cryptsetup-bin", "mdadm", "lvm2",
                "vdo", "bcachefs-tools", "earlyoom", "nohang", "swapspace", "vmtouch", "postgresql", "procmail",
                "containers-storage", "nfs-kernel-server")
    done = subprocess.run(["dpkg-query", "--admindir=" + os.path.join(tools, "var/lib/dpkg"), "-W",
                           "-f", "${Package} ${Version}, ", *packages],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    # What is known there and not installed has no version.
    installed = [word for word in done.stdout.split(", ") if word and not word.endswith(" ")]
    return f"{name} {kernel}, {', '.join(installed)}; {day}"


class HostDisks:
    """The disks of rows whose disk is the host's; tells the guest of them by files in its results."""

    def __init__(self, build, results, rows):
        self.results = results
        self.disks = {row: Disk(build, tempfile.mkdtemp(prefix="ramzswap-compat-")) for row in rows if row.drive}
        self.end = threading.Event()
        self.teller = threading.Thread(target=self.tell)

    def __enter__(self):
        for disk in self.disks.values():
            disk.start(size="1G")
        self.teller.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.teller.join()
        for disk in self.disks.values():
            disk.stop()
            shutil.rmtree(disk.directory, ignore_errors=True)

    def words(self):
        """Of QEMU; no path here has a blank."""
        if not self.disks:
            return ""
        return "-device virtio-scsi-pci,id=scsi -device ahci,id=sata " + " ".join(
            f"-drive driver=raw,file.driver=nbd,file.server.type=unix,file.server.path={disk.path('nbd')},"
            f"if=none,id={row.name},{row.drive[0]} -device {row.drive[1]},drive={row.name},serial={row.name}"
            for row, disk in self.disks.items())

    def tell(self):
        while not self.end.wait(0.5):
            for row, disk in self.disks.items():
                # The rig empties the directory when it begins.
                with contextlib.suppress(OSError, RuntimeError, subprocess.TimeoutExpired):
                    self.publish(row.name + ".now.json", json.dumps(disk.stats()))
                    with open(disk.path("log"), encoding="utf-8", errors="replace") as log:
                        self.publish(row.name + ".now.log", log.read())

    def publish(self, name, text):
        path = os.path.join(self.results, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".new", path)


def boot(options, environment, rows):
    """One guest for these rows; {row: outcome, or the exception that says why there is none}."""
    machine = MACHINES[environment]
    tools = os.path.realpath(os.path.join(options.tools, machine.tools))
    if not os.path.isdir(os.path.join(tools, "usr")):
        return dict.fromkeys(rows, NotHere(f"no tools of {machine.tools}: tests/compat/roots {machine.tools}"))
    results = tempfile.mkdtemp(prefix="ramzswap-compat-guest-")
    script = os.path.join(results + ".rows")
    write_rows(script, rows)
    names = " ".join(row.name for row in rows)
    command = [os.path.join(RIGS, machine.rig), "-m", str(MEMORY.get(rows[0].boot, 384)), "-t", str(DEADLINE),
               "-i", os.path.join(options.build, "tests", "kernel", "guest-init"),
               results, os.path.join(HERE, "guest-rows"), "TOP=" + os.path.dirname(os.path.dirname(HERE)),
               "BUILD=" + os.path.realpath(options.build), "TOOLS=" + tools, "SCRIPTS=" + script,
               "ROWS=" + names]
    variables = dict(os.environ)
    if machine.suite != options.release:
        variables["RIG_SUITE"] = machine.suite
    with HostDisks(options.build, results, rows) as disks:
        variables["RIG_DEVICES"] = " ".join([variables.get("RIG_DEVICES", ""), DEVICES.get(rows[0].boot, ""),
                                             disks.words()])
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.STDOUT, env=variables, check=False)
    if done.returncode == 77:
        return dict.fromkeys(rows, NotHere(done.stdout.strip()))
    kernel = read(os.path.join(results, "kernel"))
    if kernel:
        options.seen_with[environment] = versions(machine.rig, tools, kernel, datetime.date.today())
    outcomes = {}
    for row in rows:
        try:
            outcomes[row] = Left(results, row).outcome()
        except (NotHere, RuntimeError, OSError, ValueError) as error:
            outcomes[row] = error
    if options.keep:
        print(f"# {environment}: {results}")
    return outcomes
