"""The columns of the texts view: the entries of each persona, texts and links, by kind. Pure."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, count, pairwise, repeat
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

SECTIONS: Final = 3
"""The sections of an object that a column takes."""

type Entries = tuple[tuple[str, ...], ...]
"""The entries of one persona, a tuple for each of ``KINDS``."""


class Column(NamedTuple):
    """The entries of all personas of one kind: each has the next ``lengths`` of ``codes``, places in ``values``.

    The values are sorted, and each is used.
    """

    lengths: array[int]
    codes: array[int]
    values: list[str]

    @classmethod
    def empty(cls) -> "Column":
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
    ) -> tuple["Column", list[str]]:
        """Return a column of the personas that are ``kept`` and of the ``added`` behind them, and its unused values.

        ``gone`` are the other personas, ``starts`` those of this column.
        """
        lengths, codes, values = self.lengths, self.codes, list(self.values)
        released = set[int]().union(*(codes[starts[place] : starts[place + 1]] for place in gone))
        if gone:
            codes = gathered(codes, [(starts[start], starts[stop]) for start, stop in kept])
            lengths = gathered(lengths, kept)
        if added:
            known, code_of = len(values), dict[str, int]()
            for entry in dict.fromkeys(chain.from_iterable(added)):
                code = bisect_left(values, entry, hi=known)
                if code == known or values[code] != entry:
                    code = len(values)
                    values.append(entry)
                code_of[entry] = code
            lengths = lengths + array("B", map(len, added))
            codes = codes + array("I", map(code_of.__getitem__, chain.from_iterable(added)))
        unused = released.difference(codes) if released else released
        dropped = [values[code] for code in unused]
        if unused or len(values) > len(self.values):
            order = [code for code in sorted(range(len(values)), key=values.__getitem__) if code not in unused]
            place = array("I", bytes(4 * len(values)))
            for position, code in enumerate(order):
                place[code] = position
            codes = array("I", map(place.__getitem__, codes))
            values = [values[code] for code in order]
        return Column(lengths, codes, values), dropped

    def pack(self) -> list[bytes]:
        """Return the column as sections of an object."""
        return [deflate(self.lengths), pack_numbers(self.codes), pack_texts(self.values)]

    @classmethod
    def unpack(cls, sections: Sequence[memoryview], personas: int) -> "Column":
        """Return the column of so many personas that these sections hold.

        Raises:
            SnapshotDamaged: it is of another number of personas.
        """
        lengths = array("B", inflate(sections[0]))
        codes, values = unpack_numbers("I", sections[1]), unpack_texts(sections[2])
        if len(lengths) != personas or sum(lengths) != len(codes):
            raise SnapshotDamaged("a column of the view is longer or shorter than the others")
        return cls(lengths, codes, values)


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
