"""Columns of numbers by doc: one value a doc, or any number of them."""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

type Runs = Sequence[tuple[int, int]]
"""Docs from the first of each pair up to, and without, the second."""

# The bytes that CPython and CRoaring take beside the data, as measured.
ENTRY_BYTES: Final = 220
BITMAP_BYTES: Final = 180


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

    def arrays(self, name: str) -> dict[str, array[int]]:
        """Return the arrays to store, by names that begin with ``name``."""
        return {name: self.values}


class Ragged:
    """Any number of values a doc: those of doc s are ``values[starts[s]:starts[s + 1]]``."""

    def __init__(self, values: array[int], starts: array[int]) -> None:
        self.values = values
        self.starts = starts

    def append(self, values: array[int]) -> None:
        """Add the next doc with these values."""
        self.values += values
        self.starts.append(len(self.values))

    def at(self, doc: int) -> array[int]:
        """Return the values of a doc."""
        return self.values[self.starts[doc] : self.starts[doc + 1]]

    @property
    def walk_cost(self) -> float:
        """The cost of `tally` a doc, in µs, where the docs lie far apart."""
        return 0.45 + 0.08 * len(self.values) / len(self.starts)

    def tally(self, docs: array[int]) -> Counter[int]:
        """Return how often each value is found at the docs."""
        values, starts = self.values, self.starts
        return Counter(chain.from_iterable([values[starts[doc] : starts[doc + 1]] for doc in docs]))

    def gather(self, runs: Runs) -> None:
        """Keep these docs, in this order."""
        values, starts = array(self.values.typecode), array("I", (0,))
        for start, stop in runs:
            first = self.starts[start]
            starts.extend(map((len(values) - first).__add__, self.starts[start + 1 : stop + 1]))
            values += self.values[first : self.starts[stop]]
        self.values, self.starts = values, starts

    def arrays(self, name: str) -> dict[str, array[int]]:
        """Return the arrays to store, by names that begin with ``name``."""
        return {name: self.values, f"{name}.starts": self.starts}
