"""NFC of texts that nobody has seen yet, in time that grows with their length alone."""

import re
from typing import Final
from unicodedata import combining, normalize

_SPLIT: Final = (("\u0f73", "\u0f71\u0f72"), ("\u0f75", "\u0f71\u0f74"), ("\u0f81", "\u0f71\u0f80"))
"""The characters that are no marks themselves and come apart into nothing but marks, with what they come apart into."""
_LONG_RUN: Final = re.compile(rb"[^\0]{30,}")
"""A run of marks by their combining classes. No language stacks 30 of them (UAX #15, stream-safe text)."""


def composed(text: str) -> str:
    """Return ``text`` in NFC.

    ``unicodedata.normalize`` puts the marks behind a character into order by insertion, which takes the square of
    their number: 13 s for instructions of nothing else. Long runs are sorted here first, so that it finds them in
    order; sorting marks by their class, without changing the order within one, leaves the NFC of a text the same.
    """
    for whole, parts in _SPLIT:
        text = text.replace(whole, parts)
    # A combining class is less than 255, so that a byte holds it.
    classes = bytes(map(combining, text))
    pieces: list[str] = []
    end = 0
    for run in _LONG_RUN.finditer(classes):
        pieces += (text[end : run.start()], *sorted(text[run.start() : run.end()], key=combining))
        end = run.end()
    return normalize("NFC", "".join((*pieces, text[end:])) if pieces else text)
