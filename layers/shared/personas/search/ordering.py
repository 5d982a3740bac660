"""The order of the list, folded name and then id, over a base that lies in it and a delta that does not."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import chain
from math import isqrt
from typing import Final, NamedTuple

from pyroaring import BitMap

type OrderOf = Callable[[int], tuple[bytes, bytes]]
"""A function that returns the name and the id that a doc of the base is sorted by."""

_DELTA_LEAST: Final = 256


class _DeltaDoc(NamedTuple):
    """A row of the delta at its place in the list. ``before`` is the doc of the base that it precedes."""

    name: bytes
    id: bytes
    doc: int
    before: int


def delta_limit(base: int) -> int:
    """Return how many changes a base of so many docs may bear.

    Writing a new base costs about 3 µs a row, a row of the delta 50 ns at every search that it takes part in. If a
    search comes with every change, the two together are least at the square root of 2 × 3 µs / 50 ns × docs.
    """
    return max(_DELTA_LEAST, isqrt(120 * base))


class Order:
    """The places of the delta in the list. The docs from 0 up to ``base`` are in its order themselves."""

    def __init__(self, base: int) -> None:
        self.base = base
        self._delta: list[_DeltaDoc] = []
        self._unplaced: list[tuple[bytes, bytes, int]] = []

    def __len__(self) -> int:
        return len(self._delta) + len(self._unplaced)

    def append(self, name: bytes, persona_key: bytes, doc: int) -> None:
        """Note a row of the delta. It has its place in the list after the next `place`."""
        self._unplaced.append((name, persona_key, doc))

    def place(self, live: BitMap, order_of: OrderOf) -> None:
        """Sort in the rows of the delta that are not yet sorted, and forget those that are no longer in use."""
        if not self._unplaced:
            return
        base = range(self.base)
        placed = [each for each in self._delta if each.doc in live]
        for name, persona_key, doc in self._unplaced:
            if doc in live:
                before = bisect_left(base, (name, persona_key), key=order_of)
                placed.append(_DeltaDoc(name, persona_key, doc, before))
        placed.sort()
        self._delta = placed
        self._unplaced.clear()

    def window(self, matches: BitMap, offset: int, size: int) -> list[int]:
        """Return the docs of the matches from the given place of the list on."""
        offset = min(offset, len(matches))
        in_base = matches.range_cardinality(0, self.base)
        if in_base == len(matches):
            return list(matches[offset : offset + size])
        delta = [each for each in self._delta if each.doc in matches]

        def place(number: int) -> int:
            before = delta[number].before
            return number + (matches.rank(before - 1) if before else 0)

        number = bisect_left(range(len(delta)), offset, key=place)
        rest = iter(matches[min(offset - number, in_base) : min(offset - number + size, in_base)])
        docs: list[int] = []
        for at in range(offset, min(offset + size, len(matches))):
            if number < len(delta) and place(number) == at:
                docs.append(delta[number].doc)
                number += 1
            else:
                docs.append(next(rest))
        return docs

    def runs(self, live: BitMap) -> Iterator[tuple[int, int]]:
        """Yield the docs in use, in the order of the list, as runs."""
        base = self.base
        gone = iter(BitMap(range(base)) - live)
        next_gone, start = next(gone, base), 0
        for stop, doc in chain(((each.before, each.doc) for each in self._delta if each.doc in live), ((base, None),)):
            while next_gone < stop:
                if start < next_gone:
                    yield start, next_gone
                start, next_gone = next_gone + 1, next(gone, base)
            if start < stop:
                yield start, stop
            start = max(start, stop)
            if doc is not None:
                yield doc, doc + 1
