# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/COMPATIBILITY.md, out of the rows and of what was seen."""
import io
import re

import table

HEAD = """<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
<!-- Made by tests/compat/run --document: change the rows there, not this file. -->
# What really arrives at the disk

A compressed RAM disk stays small if what stands in front of it says what is free.
Good guesses about that are often wrong, so each line here is a test that ran the real thing.

    tests/compat/run --short            # what needs no kernel of its own; in scripts/test
    tests/compat/run                    # all, with the kernels of bookworm, trixie and sid
    tests/compat/run --document         # this file

Each row was guessed before it was run. **≠** marks what was guessed otherwise, with the guess.
*arrives* is what reaches the disk behind all that is named: kinds, number × size.
*Off the page borders* is what begins or ends inside a page of 4 KiB.
What is zeroed or trimmed is freed, both alike; only the words differ.
MiB *held* or that *stay* are memory above that of a fresh disk, some seconds later.

"""


def anchor(name):
    return re.sub(r"[^a-z0-9-]", "", name.lower())


def cell(text):
    return text.replace("|", "\\|")


def environments(expected):
    """In the order in which Debian released them."""
    order = {"bookworm": 0, "trixie": 1, "trixie-backports": 2, "forky": 3, "sid": 4}
    return sorted({environment for _, environment in expected},
                  key=lambda name: (order.get(name.split()[0], 9), name))


def outcomes(row, expected, names):
    """One text if all environments agree; else each with those where it was so."""
    seen = {}
    for name in names:
        if (row.name, name) in expected:
            seen.setdefault(expected[row.name, name], []).append(name)
    if len(seen) == 1:
        text, where = next(iter(seen.items()))
        return cell(text) + (f" *({', '.join(where)})*" if len(where) < len(names) else "")
    return "<br>".join(f"*{', '.join(where)}:* {cell(text)}" for text, where in seen.items())


def unknown_rows(manual, rows):
    """Names in brackets in the manual's recipes that no row has."""
    with open(manual, encoding="utf-8") as file:
        recipes = file.read().split("=head1 RECIPES")[1].split("=head1")[0]
    named = {name for words in re.findall(r"\[([^]]+)\]", recipes) for name in re.split(r",\s+", words)}
    return sorted(named - {row.name for row in rows})


# Memory that is still there at the end of a row, and should not be.
STAYS = re.compile(r"(\d+) MiB (?:stay$|held(?: within a minute)?$)")


def without_remedy(rows, expected):
    """Names of those where memory does not come back, and nothing says what to do or why."""
    silent = set()
    for row in rows:
        for (name, _), outcome in expected.items():
            left = STAYS.search(outcome) if name == row.name else None
            # Without a kernel only what is said to stay had been deleted.
            if left and int(left[1]) > 1 and (row.environments or outcome.endswith("stay")) and not row.advice:
                silent.add(name)
    return sorted(silent)


def write_leavings(file, rows, expected, names):
    """What is left where the recommended recipes were followed, all in one place."""
    left = {(name, environment): match[1] for (name, environment), outcome in expected.items()
            if (match := table.LEFT.search(outcome))}
    rows = [row for row in rows if any((row.name, name) in left for name in names)]
    names = [name for name in names if any((row.name, name) in left for row in rows)]
    if not rows:
        return
    file.write("\n## What the recommended recipes leave\n\nKiB above a fresh disk, when all that was written has been "
               f"deleted and trimmed.\nA row fails above {table.MAY_STAY}.\n\n| recipe | {' | '.join(names)} |\n"
               f"|---|{'---:|' * len(names)}\n")
    for row in rows:
        figures = " | ".join(left.get((row.name, name), "") for name in names)
        file.write(f"| [{cell(row.what)}](#{anchor(row.name)}) | {figures} |\n")


def text(rows, expected):
    """All of the document."""
    out = io.StringIO()
    write(out, rows, expected)
    return out.getvalue()


def write(file, rows, expected):
    names = [name for name in environments(expected) if name != table.ABOUT]
    file.write(HEAD)
    file.write("| environment | seen with |\n|---|---|\n")
    for name in names:
        file.write(f"| {name} | {expected.get((table.ABOUT, name), '')} |\n")
    rows = [row for row in rows if any((row.name, name) in expected for name in names)]
    wrong = sum(row.wrong for row in rows)
    file.write(f"\n{len(rows)} rows, {wrong} of them guessed wrongly.\n")
    write_leavings(file, rows, expected, names)
    groups = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    for group, members in groups.items():
        file.write(f"\n## {group[0].upper() + group[1:]}\n\n| what | arrives, and what memory does | then |\n|---|---|---|\n")
        for row in members:
            shown = [name for name in names
                     if (name in row.environments if row.environments else "(" not in name)]
            guess = f"<br>**≠** guessed: {cell(row.guess)}" if row.wrong else ""
            file.write(f"| <a id=\"{anchor(row.name)}\"></a>{cell(row.what)} | "
                       f"{outcomes(row, expected, shown)}{guess} | {cell(row.advice)} |\n")
