# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs rows that need a kernel in guests of User-Mode Linux, and reads what they left."""
import datetime
import json
import os
import subprocess
import tempfile

from disk import MIB, Arrivals, NotHere
from row import ROWS, Row

HERE = os.path.dirname(os.path.abspath(__file__))
RIG = os.path.join(os.path.dirname(HERE), "kernel", "uml")
# A guest hangs at most so long, in seconds; a row takes about ten.
DEADLINE = 540
# The release whose kernel and tools a guest has, and how the kernel is called in the table.
SUITES = {"bookworm": "bookworm (Linux 6.1)", "trixie": "trixie (Linux 6.12)", "sid": "sid (Linux 7.2)"}
# What tells something in which phase.  The rest is chance: what a journal writes, and what ext4
# zeroes in the background.
WRITTEN, FREED = ("write",), ("trim",)
TELLING = {"fill": WRITTEN, "use": WRITTEN, "filled": WRITTEN, "delete": FREED, "fstrim": FREED,
           "freed": FREED, "off": FREED, "end": FREED}
ALL = ("write", "zero", "zero that may trim", "trim")


class GuestRow(Row):
    """script is what the guest does, in sh, with the words of guest-rows; boot: rows that share one."""

    def __init__(self, boot, group, name, what, guess, wrong, advice, script):
        super().__init__(name, group, what, guess, wrong, advice, None)
        self.boot = boot
        self.script = script
        self.environments = list(SUITES.values())


def guest_row(boot, group, name, what, guess, script, wrong=False, advice=""):
    ROWS.append(GuestRow(boot, group, name, what, guess, wrong, advice, script))


def read(path, default=""):
    if not os.path.exists(path):
        return default
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().strip()


class Left:
    """What a row left in the guest's results."""

    def __init__(self, results, name):
        self.stem = os.path.join(results, name)

    def file(self, suffix, default=""):
        return read(f"{self.stem}.{suffix}", default)

    def stats(self, mark):
        return json.loads(self.file(mark + ".json"))

    def phase(self, mark, text, fresh):
        stats = self.stats(mark)
        held = stats["mem_used_total"] - fresh
        kinds = TELLING.get(mark, ALL)
        words = Arrivals(text, stats["disksize"]).outline(
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
        marks = [line.split() for line in self.file("marks").splitlines()]
        with open(f"{self.stem}.log", encoding="utf-8", errors="replace") as file:
            log = file.read()
        fresh = self.stats("fresh")["mem_used_total"]
        parts, begin = [], 0
        for mark, end in marks:
            if mark != "fresh":
                parts.append(self.phase(mark, log[begin:int(end)], fresh))
            begin = int(end)
        said = self.file("said").replace("\n", "; ")
        return " · ".join(([said] if said else []) + parts)


def write_rows(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(f"row_{row.name.replace('-', '_')}()\n{{\n\tset -e\n{row.script}\n}}\n")


def versions(tools, kernel, day):
    """What a guest is made of, in words."""
    packages = ("nbd-client", "e2fsprogs", "xfsprogs", "btrfs-progs", "f2fs-tools", "cryptsetup-bin", "mdadm")
    done = subprocess.run(["dpkg-query", "--admindir=" + os.path.join(tools, "var/lib/dpkg"), "-W",
                           "-f", "${Package} ${Version}, ", *packages],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return f"User-Mode Linux {kernel}, {done.stdout.rstrip(', ')}; {day}"


def boot(options, suite, rows):
    """One guest for these rows; {row: outcome, or the exception that says why there is none}."""
    tools = os.path.realpath(os.path.join(options.tools, suite))
    if not os.path.isdir(os.path.join(tools, "usr")):
        return dict.fromkeys(rows, NotHere(f"no tools of {suite}: tests/compat/roots {suite}"))
    results = tempfile.mkdtemp(prefix="ramzswap-compat-guest-")
    script = os.path.join(results + ".rows")
    write_rows(script, rows)
    names = " ".join(row.name for row in rows)
    command = [RIG, "-m", "384", "-t", str(DEADLINE), "-i",
               os.path.join(options.build, "tests", "kernel", "guest-init"),
               results, os.path.join(HERE, "guest-rows"), "TOP=" + os.path.dirname(os.path.dirname(HERE)),
               "BUILD=" + os.path.realpath(options.build), "TOOLS=" + tools, "SCRIPTS=" + script,
               "ROWS=" + names]
    environment = dict(os.environ)
    if suite != options.release:
        environment["RIG_SUITE"] = suite
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, env=environment, check=False)
    if done.returncode == 77:
        return dict.fromkeys(rows, NotHere(done.stdout.strip()))
    kernel = read(os.path.join(results, "kernel"))
    if kernel:
        options.seen_with[SUITES[suite]] = versions(tools, kernel, datetime.date.today())
    outcomes = {}
    for row in rows:
        try:
            outcomes[row] = Left(results, row.name).outcome()
        except (NotHere, RuntimeError, OSError, ValueError) as error:
            outcomes[row] = error
    if options.keep:
        print(f"# {suite}: {results}")
    return outcomes
