# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages of the same kinds and about the same ratio as those of programs, from a seed."""

import random
import struct

PAGE = 4096


def generated_kinds():
    """Each kind fills a page as some sort of data does: heap, tables, text, media."""
    dice = random.Random(20090626)
    letters = "etaoinshrdlucmfwypvbgkqjxz"
    vocabulary = ["".join(letters[int(dice.random() ** 2 * 26)] for _ in range(2 + i % 9))
                  for i in range(3000)]

    def words(draw, size):
        out = []
        while size > 0:
            word = vocabulary[int(draw.random() ** 3 * len(vocabulary))]
            out.append(word)
            size -= len(word) + 1
        return " ".join(out).encode()

    def text(draw):
        return words(draw, PAGE)

    def heap(draw):
        # Objects of a few words: a type, links near each other, small numbers, short names.
        base = 0x7f0000000000 + draw.getrandbits(30) * PAGE
        kinds = [base + (1 << 24) + draw.getrandbits(12) * 16 for _ in range(6)]
        out = bytearray()
        while len(out) < PAGE:
            out += struct.pack("=QQQII", draw.getrandbits(3), kinds[int(draw.random() ** 3 * 6)],
                               base + len(out) + 16 * draw.getrandbits(3), draw.getrandbits(8),
                               draw.getrandbits(32) if draw.random() < 0.15 else 0)
            if draw.random() < 0.15:
                out += words(draw, 10 + draw.getrandbits(4))
            out += bytes(-len(out) % 16)
        return out

    def numbers(draw):
        start_at, step = draw.getrandbits(20), 1 + draw.getrandbits(5)
        return b"".join(struct.pack("=I", start_at + i * step + (draw.getrandbits(6)))
                        for i in range(PAGE // 4))

    def sparse(draw):
        out = bytearray(PAGE)
        for _ in range(10 + draw.getrandbits(5)):
            at = draw.getrandbits(9) * 8
            out[at:at + 8] = struct.pack("=Q", draw.getrandbits(24))
        return out

    def code(draw):
        # A few hundred byte sequences that come again and again, operands between them.
        idioms = [draw.getrandbits(8 * 5).to_bytes(5, "little") for _ in range(120)]
        out = bytearray()
        while len(out) < PAGE:
            out += idioms[int(draw.random() ** 2 * len(idioms))]
            out += draw.getrandbits(16).to_bytes(2, "little")
        return out

    def pixels(draw):
        r, g, b = (draw.getrandbits(8) for _ in range(3))
        out = bytearray()
        while len(out) < PAGE:
            out += struct.pack("BBBB", r & 255, g & 255, b & 255, 255) * (1 + draw.getrandbits(4))
            r, g, b = r + draw.getrandbits(2), g + draw.getrandbits(1), b + draw.getrandbits(2)
        return out

    def entropy(draw):
        return draw.getrandbits(8 * PAGE).to_bytes(PAGE, "little")

    def same(draw):
        word = 0 if draw.random() < 0.8 else draw.getrandbits(64)
        return struct.pack("=Q", word) * (PAGE // 8)

    return [(56, "heap", heap), (7, "text", text), (3, "numbers", numbers), (20, "sparse", sparse),
            (4, "code", code), (6, "pixels", pixels), (2, "entropy", entropy), (2, "same", same)]


def generate(cap, seed):
    kinds = generated_kinds()
    total = sum(weight for weight, _, _ in kinds)
    draw = random.Random(seed)
    pages, counts = [], {}
    while len(pages) < cap // PAGE:
        at = draw.random() * total
        for weight, name, kind in kinds:
            at -= weight
            if at < 0:
                break
        # Neighbours are alike in real memory: a kind lasts for some pages.
        for _ in range(min(1 + draw.getrandbits(4), cap // PAGE - len(pages))):
            pages.append(bytes(kind(draw)[:PAGE]).ljust(PAGE, b"\0"))
            counts[name] = counts.get(name, 0) + 1
    return pages, sorted(counts.items())
