"""The columns of the texts view, the entries of each persona, texts and links, by kind; and their counts. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, chain, compress, count, pairwise, repeat
from operator import add, floordiv, itemgetter, mod, mul
from typing import Any, Final, NamedTuple

from personas.contract.persona_fields import LINK_FIELDS, TEXT_FIELDS, LinkKind, PersonaField, TextField, TextKind
from personas.domain.persona import Persona
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

type Kind = TextKind | LinkKind

TEXT_KINDS: Final = tuple(field.kind for field in TEXT_FIELDS)
KINDS: Final[Sequence[Kind]] = (*TEXT_KINDS, *(field.kind for field in LINK_FIELDS))

_LOOKED_AT: Final = 4096
SECTIONS: Final = 3
"""The sections of an object that a column takes."""

type Entries = tuple[tuple[str, ...], ...]
"""The entries of one persona, a tuple for each of ``KINDS``."""
type Move = tuple[Entries | None, Entries | None]
"""The entries of a persona before it was written and after; None where there was none."""


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

    def starts(self) -> array[int]:
        """Return the place in ``codes`` at which each persona's entries start, and the last one's end."""
        return array("I", accumulate(self.lengths, initial=0))

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
        self, kept: Runs, gone: Sequence[int], starts: array[int], added: Sequence[tuple[str, ...]]
    ) -> tuple[Column, list[str]]:
        """Return a column of the personas that are ``kept`` and of the ``added`` behind them, and its unused values.

        ``gone`` are the other personas, ``starts`` those of this column.
        """
        lengths, codes, values = self.lengths, self.codes, self.values
        new: list[str] = []
        released = set[int]().union(*(codes[starts[place] : starts[place + 1]] for place in gone))
        if gone:
            codes = gathered(codes, [(starts[start], starts[stop]) for start, stop in kept])
            lengths = gathered(lengths, kept)
        if added:
            code_of: dict[str, int] = {}
            for entry in dict.fromkeys(chain.from_iterable(added)):
                code = bisect_left(values, entry)
                if code == len(values) or values[code] != entry:
                    code = len(values) + len(new)
                    new.append(entry)
                code_of[entry] = code
            lengths = lengths + array("B", map(len, added))
            codes = codes + array("I", map(code_of.__getitem__, chain.from_iterable(added)))
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


def runs_between(gone: Sequence[int], end: int) -> Runs:
    """Return what is left of the numbers up to ``end`` without those that are ``gone``, which are sorted."""
    return [
        (start, stop)
        for start, stop in zip((0, *(each + 1 for each in gone)), (*gone, end), strict=True)
        if start < stop
    ]


def entries_of(persona: Persona) -> Entries:
    """Return the entries of a persona; its departments are sorted."""
    entries = {field.kind: _entries(field, value) for field, value in persona.form.items()}
    return tuple(map(entries.__getitem__, KINDS))


def _entries(field: PersonaField, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(field, TextField):
        return tuple(dict.fromkeys([text.text for text in value])) if field.many else (value.text,)
    if not field.many:
        return (value,)
    return tuple(sorted(set(value)) if field.kind == "departments" else dict.fromkeys(value))


class Uses(NamedTuple):
    """All uses of the entries of a kind by personas.

    A use is the place of the entry in ``entries``, which are sorted, and the place of the persona's set of departments
    in `TextsView.sets`. An entry that is used once is used by one persona.
    """

    entries: Sequence[str]
    places: Sequence[int]
    sets: Sequence[int]

    def of(self, entries: Iterable[int]) -> Uses:
        """Return the uses of some of the entries, which keep their places."""
        wanted = bytearray(len(self.entries))
        for entry in entries:
            wanted[entry] = 1
        return self.where(map(wanted.__getitem__, self.places))

    def where(self, wanted: Iterable[object]) -> Uses:
        """Return some of the uses: ``wanted`` says of each whether it is one."""
        mask = list(wanted)
        return Uses(self.entries, array("I", compress(self.places, mask)), array("I", compress(self.sets, mask)))


class SetCounts(NamedTuple):
    """Entries, sorted, each with the sets that use it: the next ``lengths`` of ``sets`` and, beside them, ``counts``.

    A set is a place among the sets of departments that personas have.
    """

    entries: list[str]
    lengths: array[int]
    sets: array[int]
    counts: array[int]

    @classmethod
    def none(cls) -> SetCounts:
        """Return the counts of no entries."""
        return cls([], array("I"), array("I"), array("I"))


class ParameterUses(NamedTuple):
    """The checksum of the links from parameter fields to their parameters, and how many uses these had in all."""

    links: int
    uses: int


class UseCounts:
    """The entries of a kind, sorted, each with how many personas of each set use it.

    A *pair* is ``entry * step + set`` by their places: single numbers are counted and sorted faster than tuples.
    """

    def __init__(self, uses: Uses, sets: Sequence[frozenset[str]]) -> None:
        self.step = max(1, len(sets))
        counts = Counter(map(add, map(mul, uses.places, repeat(self.step)), uses.sets))
        self.entries = uses.entries
        self.pairs: Sequence[int] = sorted(counts)
        self.times = array("I", map(counts.__getitem__, self.pairs))

    def pairs_of(self, entry: int) -> slice:
        """Return the places of the pairs of an entry."""
        start = bisect_left(self.pairs, entry * self.step)
        return slice(start, bisect_left(self.pairs, (entry + 1) * self.step, start))

    def of(self, entry: int) -> Iterable[tuple[int, int]]:
        """Return the sets that use an entry, and how often."""
        own = self.pairs_of(entry)
        return zip(map(mod, self.pairs[own], repeat(self.step)), self.times[own], strict=True)

    def holds(self, entries: Iterable[int]) -> bool:
        """Tell whether the uses of all these entries were counted."""
        return {pair // self.step for pair in self.pairs}.issuperset(entries)

    def uses(self) -> Iterator[tuple[int, int, int]]:
        """Yield every entry with every set that uses it, and how often."""
        steps = repeat(self.step)
        return zip(map(floordiv, self.pairs, steps), map(mod, self.pairs, steps), self.times, strict=False)

    def of_entries(self, places: Sequence[int]) -> SetCounts:
        """Return the counts of the entries at these places."""
        own = list(map(self.pairs_of, places))
        pairs = chain.from_iterable(map(self.pairs.__getitem__, own))
        return SetCounts(
            [self.entries[place] for place in places],
            array("I", (each.stop - each.start for each in own)),
            array("I", map(mod, pairs, repeat(self.step))),
            gathered(self.times, [(each.start, each.stop) for each in own]),
        )


class Revision:
    """The kinds of which all entries are kept, carried on by the personas that have moved from set to set.

    Until all of them have, sets are numbered among the old ones and the new ones together.
    """

    def __init__(self, old: Sequence[frozenset[str]], new: Sequence[frozenset[str]], moves: Sequence[Move]) -> None:
        rows = [(sign, row) for move in moves for sign, row in zip((-1, 1), move, strict=True) if row is not None]
        set_of = itemgetter(KINDS.index("departments"))
        moved = [frozenset(set_of(row)) for _, row in rows]
        place_of = dict(zip(sorted({*old, *new, *moved}, key=sorted), count(), strict=False))
        self._moves = [(sign, row, place_of[own]) for (sign, row), own in zip(rows, moved, strict=True)]
        self._place_of_old = array("I", map(place_of.__getitem__, old))
        self._new_place = array("I", bytes(4 * len(place_of)))
        for place, each in enumerate(new):
            self._new_place[place_of[each]] = place

    def of(
        self,
        before: SetCounts,
        entries_of: Callable[[Entries], Iterable[str]],
        used: tuple[Sequence[str], int] | None = None,
    ) -> SetCounts | None:
        """Return the entries of a kind as they are now; None where those before cannot have been all.

        ``entries_of`` returns those of a persona. ``used`` are those of all personas, and how many uses they have.
        """
        changes: defaultdict[str, Counter[int]] = defaultdict(Counter)
        for sign, row, place in self._moves:
            for entry in entries_of(row):
                changes[entry][place] += sign
        old_sets = array("I", map(self._place_of_old.__getitem__, before.sets))
        runs = dict(zip(before.entries, pairwise(accumulate(before.lengths, initial=0)), strict=True))
        entries, lengths, all_sets, all_counts = list[str](), array("I"), array("I"), array("I")
        for entry in sorted({*runs, *changes}):
            own = slice(*runs.get(entry, (0, 0)))
            sets, counts = old_sets[own], before.counts[own]
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
        if used and (entries, sum(all_counts)) != used:
            return None
        return SetCounts(entries, lengths, array("I", map(self._new_place.__getitem__, all_sets)), all_counts)
