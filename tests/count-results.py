#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Adds up the results of several runs of meson test.

usage: count-results.py [--broken NAMES] NAME:TESTLOG.json...

A program that says itself what its tests came to (cmocka or TAP) counts as many as it
has; any other counts as one.  A cmocka test says why it skips in the line that it
prints last before it does (print_message).  Prints what failed, with the end of what it had
printed, and why what was skipped was, and one closing line; the status is 0 if nothing
failed and something passed.
"""
import json
import re
import sys

CMOCKA = re.compile(r"^(?:(?!\[)(.*)\n)?\[\s*(OK|FAILED|SKIPPED)\s*\] (\w+)$", re.M)
TAP = re.compile(r"^(ok|not ok) \d+(?: - )?([^#\n]*)(?:# *SKIP *(.*))?", re.M | re.I)
GOOD = ("OK", "EXPECTEDFAIL")
# Lines shown of a program of which a test failed.
SHOWN = 80


def parts(test):
    """Yields (result, name, reason) of every test inside one program's output."""
    out = test.get("stdout", "")
    for result, name, reason in TAP.findall(out):
        if reason or "# SKIP" in name:
            yield "skipped", name.strip(), reason
        else:
            yield "passed" if result == "ok" else "failed", name.strip(), ""
    seen = set()
    for before, result, name in CMOCKA.findall(out):
        if (result, name) in seen:  # failures are listed once more at the end
            continue
        seen.add((result, name))
        reason = (before or "no reason given") if result == "SKIPPED" else ""
        yield {"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}[result], name, reason


def last_line(test):
    """The line in which a program says why it skips: the last that it printed."""
    lines = (test.get("stdout", "") + "\n" + test.get("stderr", "")).split("\n")
    lines = [line.strip() for line in lines if line.strip()]
    return lines[-1] if lines else "no reason given"


def results(run, test):
    """Yields (result, full name, reason) for one program of a run."""
    name = f"{run}: {test['name'].split(' / ')[-1]}"
    if test["result"] == "SKIP" and not list(parts(test)):
        yield "skipped", name, last_line(test)
        return
    inner = list(parts(test))
    for result, inner_name, reason in inner:
        yield result, f"{name}: {inner_name}", reason
    failed = any(result == "failed" for result, _, _ in inner)
    if test["result"] in GOOD + ("SKIP",):
        if not inner:
            yield "passed", name, ""
    elif not failed:
        # It broke down, or took too long, rather than that a test of it failed.
        yield "failed", f"{name} ({test['result'].lower()})", ""


def failure(test):
    """The end of what a program printed: where the log is gone, that is all there is."""
    lines = (test.get("stdout", "") + "\n" + test.get("stderr", "")).split("\n")
    passed = re.compile(r"ok \d+ |\[ *(OK|RUN) *\]")
    lines = [line for line in lines if line.strip() and not passed.match(line)]
    return "\n".join("    " + line[:300] for line in lines[-SHOWN:])


def read_log(path):
    """One dict for each program; None in place of a line that a run cut off in the middle."""
    tests = []
    with open(path, errors="replace") as log:
        for line in log:
            try:
                tests.append(json.loads(line))
            except ValueError:
                tests.append(None)
    return tests


def main(arguments):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    if arguments[:1] == ["--broken"]:
        for name in arguments[1].split():
            print(f"FAILED {name}: the run broke down")
            counts["failed"] += 1
        arguments = arguments[2:]
    for argument in arguments:
        run, path = argument.split(":", 1)
        try:
            tests = read_log(path)
        except OSError as error:
            print(f"FAILED {run}: {error}")
            counts["failed"] += 1
            continue
        if None in tests:
            print(f"FAILED {run}: {path} is cut short")
            counts["failed"] += 1
        tests = [test for test in tests if test]
        for test in tests:
            outcome = list(results(run, test))
            if any(result == "failed" for result, _, _ in outcome):
                print(failure(test))
            for result, name, reason in outcome:
                counts[result] += 1
                if result == "failed":
                    print(f"FAILED {name}")
                elif result == "skipped":
                    print(f"skipped {name}: {reason}")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 0 if counts["failed"] == 0 and counts["passed"] > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
