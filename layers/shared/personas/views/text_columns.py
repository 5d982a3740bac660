"""The columns of the texts view, the entries of each persona, texts and links, by kind; and their counts. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, count, pairwise, repeat, starmap
from operator import add, floordiv, itemgetter, mod, mul
from typing import Any, Final, NamedTuple

from personas.domain.entries import KINDS, Entries, Move
from personas.search.columns import Runs, gathered
from personas.search.object_format import (
    SnapshotDamaged,
    deflate,
    inflate,
    pack_numbers,
    pack_texts,
    unpack_numbers,
    unpack_texts,
)

_LOOKED_AT: Final = 4096
SECTIONS: Final = 3
"""The sections of an object that a column takes."""


class Column(NamedTuple):
    """The entries of all personas of one kind: each has the next ``lengths`` of ``codes``, places in ``values``.

    The values are sorted, and each is used.
    """

    lengths: array[int]
    codes: array[int]
    values: list[str]

    @classmethod
    def empty(cls) -> Column:
        """Return the column of no personas."""
        return cls(array("B"), array("I"), [])

    @property
    def is_single(self) -> bool:
        """True if each persona has one entry."""
        return self.lengths.tobytes().count(1) == len(self.lengths)

    def starts(self) -> Sequence[int]:
        """Return the place in ``codes`` at which each persona's entries start, and the last one's end."""
        return range(len(self.lengths) + 1) if self.is_single else array("I", accumulate(self.lengths, initial=0))

    def entries(self, start: int, stop: int) -> tuple[str, ...]:
        """Return the entries at these places."""
        return tuple(map(self.values.__getitem__, self.codes[start:stop]))

    def repeated[T](self, of_each: Iterable[T]) -> Iterator[T]:
        """Yield what is true of each persona, once for each of its entries."""
        return chain.from_iterable(map(repeat, of_each, self.lengths))

    def sets(self) -> tuple[list[frozenset[str]], array[int]]:
        """Return the sets of entries that personas have, sorted by the members, and the place of each persona's own.

        The entries of a persona must be sorted.
        """
        # The values are sorted too: tuples of codes tell sets apart, in order.
        own = [tuple(self.codes[start:end]) for start, end in pairwise(self.starts())]
        sets = sorted(set(own))
        place_of = dict(zip(sets, count(), strict=False))
        members = [frozenset(map(self.values.__getitem__, each)) for each in sets]
        return members, array("I", map(place_of.__getitem__, own))

    def merged(
        self, gone: Iterable[tuple[str, ...]], added: Sequence[tuple[str, ...]], order: Runs
    ) -> tuple[Column, list[str]]:
        """Return the column of its personas and of the ``added`` behind them in ``order``, and its unused values.

        ``order`` leaves out some personas; their entries are ``gone``.
        """
        lengths, codes, values = self.lengths, self.codes, self.values
        new: list[str] = []
        released = {bisect_left(values, entry) for entry in chain.from_iterable(gone)}
        if added:
            code_of: dict[str, int] = {}
            for entry in dict.fromkeys(chain.from_iterable(added)):
                code = place_in(values, entry)
                if code is None:
                    code = len(values) + len(new)
                    new.append(entry)
                code_of[entry] = code
            lengths = lengths + array("B", map(len, added))
            codes = codes + array("I", map(code_of.__getitem__, chain.from_iterable(added)))
        starts = Column(lengths, codes, values).starts()
        codes = gathered(codes, [(starts[start], starts[stop]) for start, stop in order])
        lengths = gathered(lengths, order)
        for first in range(0, len(codes), _LOOKED_AT):
            if not released:
                break
            released.difference_update(codes[first : first + _LOOKED_AT])
        dropped = [values[code] for code in released]
        if released or new:
            values, places = _replaced(values, released, new)
            codes = array("I", map(places.__getitem__, codes))
        return Column(lengths, codes, values), dropped

    def pack(self) -> list[bytes]:
        """Return the column as sections of an object."""
        return [deflate(self.lengths), pack_numbers(self.codes), pack_texts(self.values)]

    @classmethod
    def unpack(cls, sections: Sequence[memoryview], personas: int) -> Column:
        """Return the column of so many personas that these sections hold.

        Raises:
            SnapshotDamaged: it is of another number of personas.
        """
        lengths = array("B", inflate(sections[0]))
        codes, values = unpack_numbers("I", sections[1]), unpack_texts(sections[2])
        if len(lengths) != personas or sum(lengths) != len(codes):
            raise SnapshotDamaged("a column of the view is longer or shorter than the others")
        return cls(lengths, codes, values)


def _replaced(old: Sequence[str], dropped: Iterable[int], new: Sequence[str]) -> tuple[list[str], array[int]]:
    """Return the sorted values without the dropped and with the new ones, and the new place of each code."""
    values, places, taken = list[str](), array("I"), 0
    place_of: dict[str, int] = {}
    inserted = [(bisect_left(old, entry), False, entry) for entry in new]
    for place, is_dropped, entry in sorted([*inserted, *((code, True, "") for code in dropped), (len(old), True, "")]):
        places.extend(range(len(values), len(values) + place - taken))
        values += old[taken:place]
        taken = place
        if is_dropped:
            places.append(0)
            taken += 1
        else:
            place_of[entry] = len(values)
            values.append(entry)
    places[len(old) :] = array("I", map(place_of.__getitem__, new))
    return values, places


def place_in(values: Sequence[str], entry: str) -> int | None:
    """Return the place of an entry in sorted values, or None."""
    place = bisect_left(values, entry)
    return place if place < len(values) and values[place] == entry else None


def in_order(gone: Iterable[int], inserted: Iterable[int], end: int) -> Runs:
    """Return the numbers up to ``end`` without those that are ``gone``, and the next ones before the ``inserted``.

    The n-th number from ``end`` on comes before the n-th of the inserted places, which are sorted.
    """
    runs: list[tuple[int, int]] = []

    def append(start: int, stop: int) -> None:
        if runs and runs[-1][1] == start:
            runs[-1] = runs[-1][0], stop
        elif start < stop:
            runs.append((start, stop))

    at = 0
    added = ((place, place, number) for number, place in enumerate(inserted, end))
    for start, stop, number in sorted([*added, *((place, place + 1, -1) for place in gone)]):
        append(at, start)
        if number >= 0:
            append(number, number + 1)
        at = stop
    append(at, end)
    return runs


def sorted_ids(ids: bytes, width: int) -> tuple[bytes, Runs]:
    """Return ids of so many bytes in order, and the numbers of the old ones in this order."""
    keys = [ids[at : at + width] for at in range(0, len(ids), width)]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return b"".join(map(keys.__getitem__, order)), [(number, number + 1) for number in order]


def by_kind(rows: Sequence[Entries]) -> Sequence[Sequence[tuple[str, ...]]]:
    """Return the entries of personas by ``KINDS``, and within each kind by persona."""
    return list(zip(*rows, strict=True)) if rows else [()] * len(KINDS)


class Uses(NamedTuple):
    """All uses of the entries of a kind by personas.

    A use is the place of the entry in ``entries``, which are sorted, and the place of the persona's set of departments
    in `TextsView.sets`.
    """

    entries: Sequence[str]
    places: Sequence[int]
    sets: Sequence[int]


class SetCounts(NamedTuple):
    """Entries, sorted, each with the sets that use it: the next ``lengths`` of ``sets`` and, beside them, ``counts``.

    A set is a place among the sets of departments that personas have.
    """

    entries: Sequence[str]
    lengths: array[int]
    sets: array[int]
    counts: array[int]

    @classmethod
    def none(cls) -> SetCounts:
        """Return the counts of no entries."""
        return cls([], array("I"), array("I"), array("I"))

    @classmethod
    def of(cls, uses: Uses, sets: int) -> SetCounts:
        """Count the uses of entries by so many sets."""
        # Single numbers are counted and sorted faster than tuples.
        step = max(1, sets)
        counted = Counter(map(add, map(mul, uses.places, repeat(step)), uses.sets))
        pairs = sorted(counted)
        lengths = Counter(map(floordiv, pairs, repeat(step)))
        return cls(
            uses.entries,
            array("I", map(lengths.__getitem__, range(len(uses.entries)))),
            array("I", map(mod, pairs, repeat(step))),
            array("I", map(counted.__getitem__, pairs)),
        )

    def parts(self) -> Iterator[slice]:
        """Yield where the sets and counts of each entry lie."""
        return starmap(slice, pairwise(accumulate(self.lengths, initial=0)))

    def uses(self) -> Iterator[tuple[int, int, int]]:
        """Yield the place of every entry with every set that uses it, and how often."""
        return zip(chain.from_iterable(map(repeat, count(), self.lengths)), self.sets, self.counts, strict=True)

    def totals(self) -> list[int]:
        """Return how often each entry is used by all sets."""
        return [sum(self.counts[part]) for part in self.parts()]

    def of_entries(self, places: Collection[int]) -> SetCounts:
        """Return the counts of the entries at these places, which are sorted."""
        parts = list(self.parts())
        runs = [(parts[place].start, parts[place].stop) for place in places]
        return SetCounts(
            [self.entries[place] for place in places],
            array("I", (self.lengths[place] for place in places)),
            gathered(self.sets, runs),
            gathered(self.counts, runs),
        )


type Rank = tuple[int, str]
"""The place of an entry in an order: how often it is used, negated, and the entry itself."""
type Bounds = Mapping[str, Rank]
"""The rank up to which the entries of a class of callers are kept, by class."""


class Completeness(NamedTuple):
    """The bounds of each kind in a companion: None where they say nothing of the entries that are not kept.

    ``links`` is the checksum of the links from parameter fields to their parameters, by which these were counted.
    """

    links: int
    bounds: Mapping[str, Bounds | None]

    @classmethod
    def of(cls, links: int, bounds: Mapping[str, Mapping[str, Sequence[Any]] | None]) -> Completeness:
        """Return what JSON has made lists of."""
        ranks: dict[str, Bounds | None] = {}
        for kind, own in bounds.items():
            ranks[kind] = None if own is None else {name: (times, entry) for name, (times, entry) in own.items()}
        return cls(links, ranks)


class Revision:
    """The changes of counts by the personas that have moved from set to set."""

    def __init__(self, old: Sequence[frozenset[str]], moves: Iterable[Move]) -> None:
        place_of = dict(zip(old, count(), strict=False))
        set_of = itemgetter(KINDS.index("departments"))
        self._moves = [
            (sign, row, place_of.setdefault(frozenset(set_of(row)), len(place_of)))
            for move in moves
            for sign, row in zip((-1, 1), move, strict=True)
            if row is not None
        ]
        self._place_of = place_of

    @property
    def sets(self) -> Sequence[frozenset[str]]:
        """The old sets and, behind them, the new ones."""
        return list(self._place_of)

    def changes(self, entries_of: Callable[[Entries], Iterable[str]]) -> dict[str, Counter[int]]:
        """Return the change of each entry's counts, by set; ``entries_of`` returns the entries of a persona."""
        changes: defaultdict[str, Counter[int]] = defaultdict(Counter)
        for sign, row, place in self._moves:
            for entry in entries_of(row):
                changes[entry][place] += sign
        return changes

    def counted(self, uses: Mapping[str, Counter[frozenset[str]]]) -> dict[str, Counter[int]]:
        """Return the counts of entries by the places of their sets."""
        places = self._place_of
        return {
            entry: Counter({places.setdefault(own_set, len(places)): times for own_set, times in counts.items()})
            for entry, counts in uses.items()
        }


def carried_on(before: SetCounts, changes: Mapping[str, Counter[int]]) -> SetCounts | None:
    """Return counts after changes; None where there are fewer uses than are to be taken away."""
    parts = dict(zip(before.entries, before.parts(), strict=True))
    entries, lengths, all_sets, all_counts = list[str](), array("I"), array("I"), array("I")
    for entry in sorted({*parts, *changes}):
        own = parts.get(entry, slice(0, 0))
        sets, counts = before.sets[own], before.counts[own]
        for place, change in changes.get(entry, {}).items():
            at = bisect_left(sets, place)
            if at == len(sets) or sets[at] != place:
                sets.insert(at, place)
                counts.insert(at, 0)
            if counts[at] + change < 0:
                return None
            counts[at] += change
            if not counts[at]:
                del sets[at], counts[at]
        if sets:
            entries.append(entry)
            lengths.append(len(sets))
            all_sets += sets
            all_counts += counts
    return SetCounts(entries, lengths, all_sets, all_counts)
