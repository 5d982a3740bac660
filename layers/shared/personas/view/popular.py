"""What get offers without being asked: the most used texts and links of a group. A small companion of the texts view.

A caller sees the personas without departments and those that share one with it, so what is most used differs from
caller to caller. For each kind the entries that can be among somebody's first hundred are kept, with how many personas
of each set of departments use them: summed over the sets that a caller may see, their counts are exact.

**Which entries those are.** Let a *class* be what a caller of one department sees, or one of none. An entry that is not
among the first hundred of any class that sees it, and whose every use is by one and the same set of departments, is in
no caller's first hundred: who sees it sees the whole of one of those classes, and all its uses. An entry used by
several sets can gain by their sum, so it is kept where that sum reaches the hundredth of a class that sees it. Only
where this is more than ``KIND_BYTES`` the entries that rank lowest in every class are left out.
"""

import zlib
from array import array
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import nsmallest
from itertools import accumulate, chain, compress, repeat
from typing import Final, Literal

from personas.domain.offers import Offers
from personas.domain.text import identified, wire_bytes
from personas.view.envelope import (
    SnapshotDamaged,
    pack_numbers,
    pack_texts,
    seal,
    unpack_numbers,
    unpack_texts,
    unseal,
)
from personas.view.texts import (
    KINDS,
    OPTIONS_MAX,
    SECTION_BYTES,
    TEXT_KINDS,
    Kind,
    TextsView,
    Use,
    may_be_seen,
    within_section,
)

type OfferedKind = Kind | Literal["parameters"]

OFFERED: Final[tuple[OfferedKind, ...]] = (*KINDS, "parameters")
FORMAT_VERSION: Final = 1
"""Raised with every change of this layout, and of which entries are kept."""
KIND_BYTES: Final = 2_500_000
"""How much is kept of a kind, before compression: texts shrink to a third, so the whole stays below 5 MB."""
FEW_ENTRIES: Final = 1_000
"""So many entries are all kept where there is room, without a look at who ranks where."""

_MAGIC: Final = b"PERTOPUS"
_PAIR_BYTES: Final = 8
_CALLERS_MAX: Final = 64

type _Counts = Mapping[tuple[int, int], int]
"""Uses by (place of the entry, place of the set of departments)."""


class _Kept:
    """The entries of a kind: each the next ``lengths`` of ``sets`` and, beside them, of ``counts``."""

    def __init__(self, entries: list[str], lengths: array[int], sets: array[int], counts: array[int]) -> None:
        self.entries = entries
        self.lengths = lengths
        self.sets = sets
        self.counts = counts

    def first(self, seen: Sequence[bool]) -> list[Use]:
        """The most used ones by personas whose sets are ``seen``, then by the entry itself; at most 100."""
        sums: Counter[str] = Counter()
        entries = chain.from_iterable(map(repeat, self.entries, self.lengths))
        for entry, own_set, times in zip(entries, self.sets, self.counts, strict=True):
            if seen[own_set]:
                sums[entry] += times
        best = nsmallest(OPTIONS_MAX, sums.items(), key=lambda use: (-use[1], use[0]))
        return within_section(Use(*use) for use in best)


class Popular:
    """The most used entries of each kind, for any caller of the group."""

    def __init__(self, group_id: str, sets: Sequence[frozenset[str]], kept: Mapping[OfferedKind, _Kept]) -> None:
        self.group_id = group_id
        self._sets = sets
        self._kept = kept
        self._departments = frozenset(chain.from_iterable(sets))
        self._offers: OrderedDict[frozenset[str] | None, Offers] = OrderedDict()

    @classmethod
    def of(cls, view: TextsView, parameter_of: Mapping[str, str]) -> "Popular":
        """What is most used in a view; ``parameter_of`` says which parameter each parameter field belongs to.

        The same uses give the same bytes, however the view came about.
        """
        entries, sets, counts = view.uses("names")
        order = sorted(range(len(sets)), key=lambda place: sorted(sets[place]))
        rank = sorted(range(len(sets)), key=order.__getitem__)
        kept: dict[OfferedKind, _Kept] = {}
        for kind in KINDS:
            entries, _, counts = view.uses(kind)
            kept[kind] = _kept(entries, sets, counts, rank)
        entries, counts = view.grouped_uses("parameter_fields", parameter_of)
        kept["parameters"] = _kept(entries, sets, counts, rank)
        return cls(view.group_id, [sets[place] for place in order], kept)

    def first(self, kind: OfferedKind, departments: Collection[str] | None) -> list[Use]:
        """The most used entries of a kind by personas that a caller of these departments (None: a superadmin) may see.

        Most used first, then by the entry itself; at most 100, and of texts as many as fit into a section.
        """
        return self._kept[kind].first([may_be_seen(each, departments) for each in self._sets])

    def offers(self, departments: Collection[str] | None) -> Offers:
        """The first entries of every kind, as ids where they are links, as texts and ids where they are texts."""
        caller = None if departments is None else self._departments.intersection(departments)
        if caller not in self._offers:
            texts = {
                kind: [identified(self.group_id, kind, use.entry) for use in self.first(kind, caller)]
                for kind in TEXT_KINDS
            }
            most_used: dict[str, list[str]] = {kind: [each.id for each in found] for kind, found in texts.items()}
            for kind in OFFERED:
                if kind not in most_used:
                    most_used[kind] = [use.entry for use in self.first(kind, caller)]
            self._offers[caller] = Offers(texts, most_used)
            if len(self._offers) > _CALLERS_MAX:
                self._offers.popitem(last=False)
        self._offers.move_to_end(caller)
        return self._offers[caller]

    def size_bytes(self) -> int:
        """About how much memory it takes."""
        texts = sum(60 + 2 * len(entry) for kept in self._kept.values() for entry in kept.entries)
        return texts + sum(8 * len(kept.sets) + 4 * len(kept.lengths) for kept in self._kept.values())

    def encode(self) -> bytes:
        """It as one object."""
        members = [sorted(each) for each in self._sets]
        names = sorted(self._departments)
        place_of = {name: place for place, name in enumerate(names)}
        flat = array("I", (place_of[name] for each in members for name in each))
        sections = [
            pack_texts([self.group_id, *names]),
            pack_numbers(array("I", map(len, members))),
            pack_numbers(flat),
        ]
        for kept in self._kept.values():
            sections.append(pack_texts(kept.entries))
            sections += map(pack_numbers, (kept.lengths, kept.sets, kept.counts))
        return seal(_MAGIC, FORMAT_VERSION, sections)

    @classmethod
    def decode(cls, data: bytes) -> "Popular":
        """What these bytes are.

        Raises:
            SnapshotDamaged: they are not what ``encode`` gave.
            SnapshotVersionUnknown: another version of this service gave them.
        """
        sections = unseal(_MAGIC, FORMAT_VERSION, data)
        try:
            group_id, *names = unpack_texts(sections[0])
            sizes, flat = (unpack_numbers("I", each) for each in sections[1:3])
            members = iter([names[place] for place in flat])
            sets = [frozenset(next(members) for _ in range(size)) for size in sizes]
            kept: dict[OfferedKind, _Kept] = {}
            for kind, start in zip(OFFERED, range(3, len(sections), 4), strict=True):
                numbers = [unpack_numbers("I", each) for each in sections[start + 1 : start + 4]]
                kept[kind] = _Kept(unpack_texts(sections[start]), *numbers)
        except (zlib.error, LookupError, TypeError, ValueError) as error:
            raise SnapshotDamaged("the contents of the snapshot do not fit together") from error
        return cls(group_id, sets, kept)


def _kept(entries: Sequence[str], sets: Sequence[frozenset[str]], counts: _Counts, rank: Sequence[int]) -> _Kept:
    """What to keep of a kind, in the order of the entries; ``rank`` says which number a set gets."""
    spread = Counter(entry for entry, _ in counts)
    places: Iterable[int] = spread
    if len(spread) > FEW_ENTRIES or _weight(entries, spread, spread) > KIND_BYTES:
        soonest = _candidates(entries, sets, counts)
        ordered = sorted(soonest, key=lambda entry: (soonest[entry], entries[entry]))
        taken = accumulate(_weight(entries, spread, (entry,)) for entry in ordered)
        places = compress(ordered, (bytes_taken <= KIND_BYTES for bytes_taken in taken))
    order = {place: position for position, place in enumerate(sorted(places, key=entries.__getitem__))}
    # As single numbers they are sorted three times as fast as tuples are.
    pairs = sorted(
        order[entry] << 64 | rank[own_set] << 32 | times for (entry, own_set), times in counts.items() if entry in order
    )
    return _Kept(
        [entries[place] for place in order],
        array("I", (spread[place] for place in order)),
        array("I", (pair >> 32 & 0xFFFFFFFF for pair in pairs)),
        array("I", (pair & 0xFFFFFFFF for pair in pairs)),
    )


def _candidates(entries: Sequence[str], sets: Sequence[frozenset[str]], counts: _Counts) -> dict[int, tuple[int, int]]:
    """The entries that can be among somebody's first hundred (see above), each with how soon it is one."""
    everywhere: dict[int, int] = {}
    within: dict[str, dict[int, int]] = {department: {} for each in sets for department in each}
    classes_of = [[within[department] for department in each] for each in sets]
    total = [0] * len(entries)
    mixed: set[int] = set()
    for (entry, own_set), times in counts.items():
        if total[entry]:
            mixed.add(entry)
        total[entry] += times
        if not classes_of[own_set]:
            everywhere[entry] = times
        for own in classes_of[own_set]:
            own[entry] = own.get(entry, 0) + times

    alphabetical = sorted(range(len(entries)), key=entries.__getitem__)
    rank = [0] * len(entries)
    for position, entry in enumerate(alphabetical):
        rank[entry] = position

    def first_of(times: Mapping[int, int]) -> tuple[list[int], int]:
        # As single numbers they are sorted in a third of the time.
        best = sorted((-uses << 32) + rank[entry] for entry, uses in times.items())[:OPTIONS_MAX]
        return _first(entries, [alphabetical[each & 0xFFFFFFFF] for each in best], times)

    sooner: dict[int, tuple[int, int]] = {}
    first_everywhere, _ = first_of(everywhere)
    firsts = [first_everywhere]
    hundredth: dict[str, int] = {}
    for department, own in within.items():
        seen = {entry: everywhere[entry] for entry in first_everywhere}
        seen |= {entry: times + everywhere.get(entry, 0) for entry, times in own.items()}
        first, hundredth[department] = first_of(seen)
        firsts.append(first)
    for position, entry in ((position, entry) for first in firsts for position, entry in enumerate(first)):
        sooner[entry] = min(sooner.get(entry, (position, 0)), (position, 0))

    lowest = min(hundredth.values(), default=0)
    for entry in mixed.difference(sooner):
        if total[entry] >= lowest and (
            entry in everywhere or any(total[entry] >= hundredth[each] for each, own in within.items() if entry in own)
        ):
            sooner[entry] = OPTIONS_MAX, -total[entry]
    return sooner


def _first(entries: Sequence[str], best: list[int], times: Mapping[int, int]) -> tuple[list[int], int]:
    """The first entries of a class up to the one at which a section is full, and how often that one is used.

    Where all of them find room, the second is 0.
    """
    room = accumulate(wire_bytes(entries[entry]) for entry in best)
    fitting = sum(1 for taken in room if taken <= SECTION_BYTES)
    full = fitting < len(best) or len(best) < len(times)
    return best[: fitting + 1], times[best[min(fitting, len(best) - 1)]] if full else 0


def _weight(entries: Sequence[str], spread: Mapping[int, int], places: Iterable[int]) -> int:
    return sum(wire_bytes(entries[place]) + _PAIR_BYTES * spread[place] for place in places)
