"""Columns of numbers by doc: one value a doc, or any number of them."""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain
from operator import sub
from typing import Final

type Runs = Sequence[tuple[int, int]]
"""Docs from the first of each pair up to, and without, the second."""

# The bytes that CPython and CRoaring take beside the data, as measured.
ENTRY_BYTES: Final = 220
BITMAP_BYTES: Final = 180
_BLOCK: Final = 1024


def gathered(column: array[int], runs: Runs, width: int = 1) -> array[int]:
    """Return the column's values at these docs, in this order."""
    values = array(column.typecode)
    for start, stop in runs:
        values += column[start * width : stop * width]
    return values


def bytes_of(columns: Iterable[array[int]]) -> int:
    """Return how many bytes of memory the columns take."""
    return sum(len(column) * column.itemsize for column in columns)


class Single:
    """One value a doc, 0 for none."""

    walk_cost: Final = 0.13
    """The cost of `tally` a doc, in µs, where the docs lie far apart."""

    def __init__(self, values: array[int]) -> None:
        self.values = values

    def append(self, values: array[int]) -> None:
        """Add the next doc with these values."""
        self.values.append(values[0] if values else 0)

    def at(self, doc: int) -> array[int]:
        """Return the values of a doc."""
        return self.values[doc : doc + 1]

    def tally(self, docs: array[int]) -> Counter[int]:
        """Return how often each value is found at the docs."""
        return Counter(map(self.values.__getitem__, docs))

    def gather(self, runs: Runs) -> None:
        """Keep these docs, in this order."""
        self.values = gathered(self.values, runs)

    def size_bytes(self) -> int:
        """Return how many bytes of memory this takes."""
        return bytes_of((self.values,))


class Starts:
    """The places at which the part of each doc starts in a column, and the last one ends, summed up from their lengths.

    To look at some docs, the sums of blocks are enough, which take a third of the time.
    """

    def __init__(self, lengths: array[int]) -> None:
        self._lengths = lengths
        self._whole: array[int] | None = None
        blocks = (sum(lengths[first : first + _BLOCK]) for first in range(0, len(lengths), _BLOCK))
        self._blocks = list(accumulate(blocks, initial=0))

    @property
    def docs(self) -> int:
        """The number of docs."""
        return len(self._lengths if self._whole is None else self._whole) - (self._whole is not None)

    @property
    def end(self) -> int:
        """The place at which the part of the last doc ends."""
        return self._blocks[-1] if self._whole is None else self._whole[-1]

    def whole(self) -> array[int]:
        """Return all of them: the one to append to."""
        if self._whole is None:
            self._whole = array("I", accumulate(self._lengths, initial=0))
            self._lengths = array("I")
        return self._whole

    def part(self, doc: int) -> slice:
        """Return where the part of a doc lies."""
        if self._whole is not None:
            return slice(self._whole[doc], self._whole[doc + 1])
        block = doc // _BLOCK
        start = self._blocks[block] + sum(self._lengths[block * _BLOCK : doc])
        return slice(start, start + self._lengths[doc])

    def size_bytes(self) -> int:
        """Return how many bytes of memory they take."""
        return bytes_of((self._lengths if self._whole is None else self._whole,))


class Ragged:
    """Any number of values a doc, by where they start."""

    def __init__(self, values: array[int], starts: Starts) -> None:
        self.values = values
        self.starts = starts

    def append(self, values: array[int]) -> None:
        """Add the next doc with these values."""
        self.values += values
        self.starts.whole().append(len(self.values))

    def at(self, doc: int) -> array[int]:
        """Return the values of a doc."""
        return self.values[self.starts.part(doc)]

    @property
    def walk_cost(self) -> float:
        """The cost of `tally` a doc, in µs, where the docs lie far apart."""
        return 0.45 + 0.08 * len(self.values) / (self.starts.docs + 1)

    def tally(self, docs: array[int]) -> Counter[int]:
        """Return how often each value is found at the docs."""
        values, starts = self.values, self.starts.whole()
        return Counter(chain.from_iterable([values[starts[doc] : starts[doc + 1]] for doc in docs]))

    def gather(self, runs: Runs) -> None:
        """Keep these docs, in this order."""
        old, values, lengths = self.starts.whole(), array(self.values.typecode), array("I")
        for start, stop in runs:
            lengths.extend(map(sub, old[start + 1 : stop + 1], old[start:stop]))
            values += self.values[old[start] : old[stop]]
        self.values, self.starts = values, Starts(lengths)

    def size_bytes(self) -> int:
        """Return how many bytes of memory this takes."""
        return bytes_of((self.values,)) + self.starts.size_bytes()
