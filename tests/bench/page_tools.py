# SPDX-License-Identifier: GPL-2.0-or-later
"""What the programs of collect-pages have in common: how one is started, watched and ended."""

import os
import random
import shutil
import signal
import subprocess
import time

CLEAN_ENV = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"}


STILL_SECONDS = 15  # without growth: a program on a machine with other work may pause


class Missing(Exception):
    """A program that is not installed, or that did not get going."""


def need(*names):
    for name in names:
        path = shutil.which(name, path=CLEAN_ENV["PATH"])
        if path:
            return path
    raise Missing("not installed: " + " or ".join(names))


started = []  # what was started and is to be ended


def start(command, scratch, **kwargs):
    process = subprocess.Popen(
        command, env=dict(CLEAN_ENV, HOME=scratch, TMPDIR=scratch), cwd=scratch,
        stdin=kwargs.pop("stdin", subprocess.DEVNULL), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True, **kwargs)
    started.append(process)
    return process


def family(pid):
    """The process and all its descendants, parents first."""
    pids = [pid]
    for parent in pids:
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{task}/children") as children:
                    pids += [int(child) for child in children.read().split()]
        except OSError:
            pass
    return pids


def anonymous_bytes(pid):
    total = 0
    for member in family(pid):
        try:
            with open(f"/proc/{member}/status") as status:
                for line in status:
                    if line.startswith(("RssAnon:", "VmSwap:")):
                        total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total


def wait_for_growth(process, wanted, seconds):
    """Until the family holds wanted bytes, or has stopped growing, or time is up."""
    deadline = time.monotonic() + seconds
    best, best_at = 0, time.monotonic()
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Missing("ended before it held enough memory")
        now = anonymous_bytes(process.pid)
        if now > best * 1.02:
            best, best_at = now, time.monotonic()
        if now >= wanted or (best > 0 and time.monotonic() - best_at > STILL_SECONDS):
            return
        time.sleep(0.02)


def texts():
    """Files of text that any such machine has, in a fixed order."""
    for top in ("/usr/include", "/usr/share/doc", "/usr/lib/python3", "/usr/share/perl"):
        for folder, folders, files in os.walk(top):
            folders.sort()
            for name in sorted(files):
                path = os.path.join(folder, name)
                if name.endswith((".h", ".py", ".pm", "copyright", ".txt")):
                    yield path


def list_of_texts(scratch, order=None):
    """A file of their paths, one a line, in an order of its own."""
    paths = list(texts())
    if order is not None:
        random.Random(order).shuffle(paths)
    name = os.path.join(scratch, "paths")
    with open(name, "w") as out:
        out.write("\n".join(paths) + "\n")
    return name


def write_source(scratch, name, text):
    path = os.path.join(scratch, name)
    with open(path, "w") as out:
        out.write(text)
    return path


def stop_family(pid):
    # Twice: what was born while the first round was under way is caught by the second.
    for _ in range(2):
        for member in family(pid):
            try:
                os.kill(member, signal.SIGSTOP)
            except ProcessLookupError:
                pass


def end_started():
    """Ends all that start() began, and what that began."""
    while started:
        process = started.pop()
        if process.poll() is not None:
            continue  # its number may be another's by now
        for member in reversed(family(process.pid)):
            try:
                os.kill(member, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait()
