# SPDX-License-Identifier: GPL-2.0-or-later
"""expected.tsv: what was seen, a line for each row and environment."""
import os
import re

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected.tsv")
HEAD = "# row\tenvironment\toutcome: written by run --update from what was seen, never by hand\n"
# Of an environment, what it is: its outcome names versions and the day.
ABOUT = "(versions)"

MEMORY = re.compile(r"(\d+) MiB (?=held|stay|kept)")
# Whether the largest of many requests is as large as may be, is chance.
LARGEST = re.compile(r"by ≤ (?:[5-9]\d\dK|\d{4}K|\dM)")
LEFT = re.compile(r"leaves (\d+) KiB")
# What a recommended recipe may leave, in KiB.
MAY_STAY = 1024


def read():
    """{(row, environment): outcome}"""
    expected = {}
    if os.path.exists(PATH):
        with open(PATH, encoding="utf-8") as file:
            for line in file:
                if not line.startswith("#"):
                    name, environment, outcome = line.rstrip("\n").split("\t")
                    expected[name, environment] = outcome
    return expected


def write(expected):
    with open(PATH, "w", encoding="utf-8") as file:
        file.write(HEAD)
        for (name, environment), outcome in sorted(expected.items()):
            file.write(f"{name}\t{environment}\t{outcome}\n")


def keeps_promise(outcome):
    """Whether what a recipe leaves is as little as it may be; true of all that is no recipe."""
    left = LEFT.search(outcome)
    return not left or int(left[1]) <= MAY_STAY


def alike(outcome, other):
    """The same, but for a little memory: how full a pool's last span is, is chance."""
    outcome, other = LARGEST.sub("large", outcome), LARGEST.sub("large", other)
    if MEMORY.sub("", LEFT.sub("", outcome)) != MEMORY.sub("", LEFT.sub("", other)):
        return False
    return bool(LEFT.search(outcome)) == bool(LEFT.search(other)) and all(
        abs(int(a) - int(b)) <= max(1, int(a) // 8)
        for a, b in zip(MEMORY.findall(outcome), MEMORY.findall(other)))
