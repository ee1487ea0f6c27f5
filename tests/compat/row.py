# SPDX-License-Identifier: GPL-2.0-or-later
"""What a row of the table is."""

ROWS = []


class Row:
    """One thing that is put in front of the disk.

    guess is what was expected before it was run; wrong says that it did something else.
    advice is the option that is right, or the reason why there is none.
    """

    def __init__(self, name, group, what, guess, wrong, advice, function):
        self.name = name
        self.group = group
        self.what = what
        self.guess = guess
        self.wrong = wrong
        self.advice = advice
        self.function = function
        self.environments = None


def row(group, name, what, guess, wrong=False, advice=""):
    """The function below it is the row: gets a disk, returns the outcome, or raises NotHere."""
    def add(function):
        ROWS.append(Row(name, group, what, guess, wrong, advice, function))
        return function
    return add
