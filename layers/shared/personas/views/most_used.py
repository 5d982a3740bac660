"""The most used texts and links of a group, which get suggests without a search. A small companion of the texts view.

A caller sees the personas without departments and those that share one with it, so what is most used differs from
caller to caller. For each kind the entries that can be among somebody's first hundred are kept, with how many personas
of each set of departments use them: summed over the sets that a caller may see, their counts are exact.

**The entries that are kept.** Let a *class* be what a caller of one department sees, or one of none, and its *bound*
the rank of the entry with which a class's section of a form would be full for the second time: how often the class uses
it, then the entry itself. An entry is kept if it would rank as high as the bound of a class that sees it by all of its
uses. Any other is in no caller's section: who sees a use of it sees the whole of a class, of which a section full ranks
before all uses of the entry together.

**From refresh to refresh** what was written is counted. An entry that is not kept rises by that alone, and then its
uses are looked for. The kept are exact while every class's section is full before its bound: the second section is a
margin. Else all uses are counted anew. The margin is given up if it takes more than ``KIND_BYTES``.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_right
from collections import Counter, OrderedDict
from collections.abc import Buffer, Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from heapq import nsmallest
from itertools import accumulate, batched, chain, compress, count, islice, repeat, takewhile
from operator import itemgetter
from typing import Final, Literal, NamedTuple

from personas.contract.persona_fields import FIELDS_VERSION
from personas.domain.entries import KINDS, TEXT_KINDS, Entries, Kind, Move
from personas.domain.permissions import is_seen
from personas.domain.suggestions import OPTIONS_MAX, SECTION_BYTES, Suggestions, Use, used_most, within_section
from personas.domain.text import identified, wire_bytes
from personas.search.object_format import (
    checksum_of,
    pack_numbers,
    pack_texts,
    seal,
    unpack_numbers,
    unpack_texts,
    unseal,
)
from personas.views.text_columns import Bounds, Completeness, Rank, Revision, SetCounts, Uses, carried_on
from personas.views.text_usage import TextsView

type OfferedKind = Kind | Literal["parameters"]

OFFERED: Final[tuple[OfferedKind, ...]] = (*KINDS, "parameters")
FORMAT_VERSION: Final = FIELDS_VERSION
"""Raised by one more with every change of this layout."""
KIND_BYTES: Final = 2_500_000
"""The bytes that are kept of a kind, before compression: texts shrink to a third, so the whole stays below 5 MB."""
FEW_ENTRIES: Final = 1_000
"""So many entries are all kept where there is room, without a look at who ranks where."""

_MAGIC: Final = b"PERTOPUS"
_PAIR_BYTES: Final = 8
_CALLERS_MAX: Final = 64
_SET_BYTES: Final = 250
_SETS_LOOKED_AT: Final = 1_000
_NO_DEPARTMENT: Final = ""
"""The class of callers without a department, among the ids of departments."""
_LAST: Final[Rank] = (0, "")
_ALL_KEPT: Final[Bounds] = {_NO_DEPARTMENT: _LAST}


class Kept(NamedTuple):
    """The entries of a kind that are kept, and their bounds: None where they say nothing of those that are not."""

    counts: SetCounts
    bounds: Bounds | None


class MostUsed:
    """The most used entries of each kind, for any caller of the group."""

    def __init__(
        self,
        group_id: str,
        sets: Sequence[frozenset[str]],
        kept: Mapping[OfferedKind, SetCounts],
        completeness: Completeness | None = None,
    ) -> None:
        self.group_id = group_id
        self.completeness = completeness
        """That of the kept entries; None where the texts view says it, of which these are the companion."""
        self._sets = sets
        self._kept = kept
        self._departments = frozenset(chain.from_iterable(sets))
        self._suggestions: OrderedDict[frozenset[str] | None, Suggestions] = OrderedDict()

    @classmethod
    def of(cls, view: TextsView, parameter_of: Mapping[str, str]) -> MostUsed:
        """Return the most used entries of a view; ``parameter_of`` is the parameter of each parameter field.

        The same uses give the same bytes, however the view came about.
        """
        sets = view.sets()
        kept = {kind: _kept(SetCounts.of(_uses(view, kind, parameter_of), len(sets)), sets) for kind in OFFERED}
        return cls._of_kinds(view.group_id, sets, kept, _checksum_of(parameter_of))

    def revised(self, view: TextsView, parameter_of: Mapping[str, str], moves: Sequence[Move]) -> MostUsed:
        """Return the most used entries of a view, where these are its companion before some personas have moved.

        They offer to every caller what those that `of` returns offer. If a kind must be counted anew, all are.
        """
        links, before = _checksum_of(parameter_of), view.completeness
        if before and before.links == links and None not in before.bounds.values():
            revision = Revision(self._sets, moves)
            kept = {
                kind: _revised(kind, self._kept[kind], before.bounds[kind], view, parameter_of, revision)
                for kind in OFFERED
            }
            if not self._are_stale(revision.sets, kept) and all(map(_is_exact, kept.values(), repeat(revision.sets))):
                return self._of_kinds(self.group_id, revision.sets, kept, links)
        return self.of(view, parameter_of)

    def _are_stale(self, sets: Sequence[frozenset[str]], kept: Mapping[OfferedKind, Kept]) -> bool:
        """Tell whether nobody has most of the sets any more; that takes a look at all counts, after a thousand more."""
        more = len(sets) // _SETS_LOOKED_AT > len(self._sets) // _SETS_LOOKED_AT
        return more and 2 * len({each for counts, _ in kept.values() for each in counts.sets}) < len(sets)

    @classmethod
    def _of_kinds(
        cls, group_id: str, sets: Sequence[frozenset[str]], kept: Mapping[OfferedKind, Kept], links: int
    ) -> MostUsed:
        completeness = Completeness(links, {kind: each.bounds for kind, each in kept.items()})
        return cls(group_id, sets, {kind: each.counts for kind, each in kept.items()}, completeness)

    def first(self, kind: OfferedKind, departments: Collection[str] | None) -> list[Use]:
        """Return the entries that are most used by the personas that a caller of these departments may see.

        None stands for a superadmin. Most used first, then by the entry itself; at most 100, and of texts as many as
        fit into a section.
        """
        seen = [is_seen(each, departments) for each in self._sets]
        counts = self._kept[kind]
        sums: Counter[int] = Counter()
        for entry, own_set, times in counts.uses():
            if seen[own_set]:
                sums[entry] += times
        return within_section(Use(counts.entries[entry], times) for entry, times in used_most(sums.items()))

    def suggestions(self, departments: Collection[str] | None, secret: bytes) -> Suggestions:
        """Return the first entries of every kind, as ids where they are links, as texts and ids where they are texts.

        ``secret`` is the group's, from which the ids of its texts follow; always the same one.
        """
        caller = None if departments is None else self._departments.intersection(departments)
        if caller not in self._suggestions:
            texts = {
                kind: [identified(secret, kind, use.entry) for use in self.first(kind, caller)] for kind in TEXT_KINDS
            }
            most_used: dict[str, list[str]] = {kind: [each.id for each in found] for kind, found in texts.items()}
            for kind in OFFERED:
                if kind not in most_used:
                    most_used[kind] = [use.entry for use in self.first(kind, caller)]
            self._suggestions[caller] = Suggestions(texts, most_used)
            if len(self._suggestions) > _CALLERS_MAX:
                self._suggestions.popitem(last=False)
        self._suggestions.move_to_end(caller)
        return self._suggestions[caller]

    def size_bytes(self) -> int:
        """Return about how many bytes of memory it takes."""
        texts = sum(60 + 2 * len(entry) for counts in self._kept.values() for entry in counts.entries)
        numbers = sum(8 * len(counts.sets) + 4 * len(counts.lengths) for counts in self._kept.values())
        return texts + numbers + _SET_BYTES * len(self._sets)

    def encode(self) -> bytes:
        """Return the bytes of the object."""
        members = [sorted(each) for each in self._sets]
        names = sorted(self._departments)
        place_of = {name: place for place, name in enumerate(names)}
        flat = array("I", (place_of[name] for each in members for name in each))
        sections = [
            pack_texts([self.group_id, *names]),
            pack_numbers(array("I", map(len, members))),
            pack_numbers(flat),
        ]
        for counts in self._kept.values():
            sections.append(pack_texts(counts.entries))
            sections += map(pack_numbers, (counts.lengths, counts.sets, counts.counts))
        return seal(_MAGIC, FORMAT_VERSION, sections)

    @classmethod
    def decode(cls, data: Buffer) -> MostUsed:
        """Return the entries that these bytes hold.

        Raises:
            SnapshotDamaged: they are not what ``encode`` gave.
            SnapshotVersionUnknown: another version of this service gave them.
        """
        with unseal(_MAGIC, (FORMAT_VERSION,), data) as sections:
            group_id, *names = unpack_texts(sections[0])
            sizes, flat = (unpack_numbers("I", each) for each in sections[1:3])
            members = iter([names[place] for place in flat])
            sets = [frozenset(islice(members, size)) for size in sizes]
            kept: dict[OfferedKind, SetCounts] = {}
            for kind, (texts, *numbers) in zip(OFFERED, batched(sections[3:], 4, strict=True), strict=True):
                kept[kind] = SetCounts(unpack_texts(texts), *(unpack_numbers("I", each) for each in numbers))
        return cls(group_id, sets, kept)


def _checksum_of(parameter_of: Mapping[str, str]) -> int:
    return checksum_of(json.dumps(sorted(parameter_of.items())).encode())


def _uses(view: TextsView, kind: OfferedKind, parameter_of: Mapping[str, str]) -> Uses:
    return view.grouped_uses("parameter_fields", parameter_of) if kind == "parameters" else view.uses(kind)


def _entries_in(kind: OfferedKind, parameter_of: Mapping[str, str]) -> Callable[[Entries], Iterable[str]]:
    """Return a function from the entries of a persona to those of a kind."""
    if kind != "parameters":
        return itemgetter(KINDS.index(kind))
    of_fields = itemgetter(KINDS.index("parameter_fields"))
    return lambda row: {parameter_of[each] for each in of_fields(row) if each in parameter_of}


def _revised(
    kind: OfferedKind,
    before: SetCounts,
    bounds: Bounds | None,
    view: TextsView,
    parameter_of: Mapping[str, str],
    revision: Revision,
) -> Kept:
    """Return what is kept of a kind after a revision; without bounds if that cannot be told by the changes."""
    if bounds is None or (kind == "parameters" and bounds != _ALL_KEPT):
        return Kept(before, None)  # nothing finds the other uses of a parameter that was not kept
    changes = revision.changes(_entries_in(kind, parameter_of))
    if bounds != _ALL_KEPT and kind != "parameters":
        unknown = changes.keys() - set(before.entries)
        # Their other uses were not kept. A loss of what ranked too low changes nothing.
        gained = {entry for entry in unknown if max(changes[entry].values()) > 0}
        changes = {entry: change for entry, change in changes.items() if entry not in unknown}
        changes |= revision.counted(view.uses_of(kind, gained))
    counts = carried_on(before, changes)
    if counts is None:
        return Kept(before, None)
    return Kept(counts if bounds == _ALL_KEPT else _within(counts, revision.sets, bounds), bounds)


def _kept(counts: SetCounts, sets: Sequence[frozenset[str]]) -> Kept:
    """Return the entries of a kind to keep, of the counts of all."""
    if _are_few(counts):
        return Kept(counts, _ALL_KEPT)
    kept = _up_to_bounds(counts, sets, sections=2)
    if _bytes_of(kept.counts) > KIND_BYTES:
        kept = _up_to_bounds(counts, sets, sections=1)
    return kept if _bytes_of(kept.counts) <= KIND_BYTES else Kept(_cut(kept.counts, sets), None)


def _up_to_bounds(counts: SetCounts, sets: Sequence[frozenset[str]], sections: int) -> Kept:
    """Return the entries that rank as high as the bound of a class, with which so many of its sections are full."""
    best_of, room = _best(counts, sets, sections * OPTIONS_MAX), _room(counts)
    bounds = {
        department: _bound(_filling(counts, best, room, sections), counts.entries)
        for department, best in best_of.items()
    }
    return Kept(_within(counts, sets, bounds), bounds)


def _cut(counts: SetCounts, sets: Sequence[frozenset[str]]) -> SetCounts:
    """Return of these entries as many as there is room for, those first that rank high in a class."""
    soonest: dict[int, int] = {}
    for best in _best(counts, sets, OPTIONS_MAX).values():
        for place, (_, entry) in enumerate(best):
            soonest[entry] = min(soonest.get(entry, place), place)
    totals, last = counts.totals(), len(counts.entries)
    ordered = sorted(range(last), key=lambda entry: (soonest.get(entry, last), -totals[entry], entry))
    taken = accumulate(wire_bytes(counts.entries[each]) + _PAIR_BYTES * counts.lengths[each] for each in ordered)
    return counts.of_entries(sorted(compress(ordered, (each <= KIND_BYTES for each in taken))))


def _bound(rank: Rank, entries: Sequence[str]) -> Rank:
    """Return a rank, or a shorter one between it and the next: many classes may have one long text for a bound."""
    times, entry = rank
    place = bisect_right(entries, entry)
    later = entries[place] if place < len(entries) else ""
    alike = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(entry, later, strict=False))))
    return max(rank, (times, f"{entry[: alike + 1]}\U0010ffff")) if alike + 1 < len(entry) else rank


def _best(counts: SetCounts, sets: Sequence[frozenset[str]], number: int) -> dict[str, list[tuple[int, int]]]:
    """Return so many entries that each class uses most, each behind how often it does, negated."""
    everywhere: dict[int, int] = {}
    within: dict[str, dict[int, int]] = {department: {} for each in sets for department in each}
    for entry, place, times in counts.uses():
        if not sets[place]:
            everywhere[entry] = times
        for department in sets[place]:
            own = within[department]
            own[entry] = own.get(entry, 0) + times
    # An entry that is not among the best everywhere is among those of a department only if that uses it itself.
    everyone = nsmallest(number, ((-times, entry) for entry, times in everywhere.items()))
    found = {_NO_DEPARTMENT: everyone}
    for department, own in within.items():
        seen = ((-times - everywhere.get(entry, 0), entry) for entry, times in own.items())
        found[department] = nsmallest(number, chain(seen, (each for each in everyone if each[1] not in own)))
    return found


def _filling(counts: SetCounts, best: Sequence[tuple[int, int]], room: Callable[[int], int], sections: int) -> Rank:
    """Return the rank of the entry with which these fill so many sections, or the last one if they do not."""
    fitting = sum(1 for taken in accumulate(room(entry) for _, entry in best) if taken <= sections * SECTION_BYTES)
    if fitting == len(best) < sections * OPTIONS_MAX:
        return _LAST
    negated, entry = best[min(fitting, len(best) - 1)]
    return negated, counts.entries[entry]


def _within(counts: SetCounts, sets: Sequence[frozenset[str]], bounds: Bounds) -> SetCounts:
    """Return the entries that rank, by all of their uses, as high as the bound of a class that sees them."""
    # Whoever has a department sees more than who has none, so the bound of the latter is the last.
    last = bounds[_NO_DEPARTMENT]
    reach = cache(lambda place: max((bounds.get(each, last) for each in sets[place]), default=last))
    ranked = zip(counts.entries, counts.totals(), counts.parts(), strict=True)
    within = ((-total, entry) <= max(map(reach, counts.sets[part])) for entry, total, part in ranked)
    return counts.of_entries(list(compress(count(), within)))


def _is_exact(kept: Kept, sets: Sequence[frozenset[str]]) -> bool:
    """Tell whether the kept entries give every caller the section that all entries would give."""
    counts, bounds = kept
    if bounds == _ALL_KEPT:
        return _are_few(counts)
    if bounds is None or _bytes_of(counts) > KIND_BYTES:
        return False
    room = _room(counts)
    return all(
        _filling(counts, best, room, 1) <= bounds.get(department, bounds[_NO_DEPARTMENT])
        for department, best in _best(counts, sets, OPTIONS_MAX).items()
    )


def _are_few(counts: SetCounts) -> bool:
    return len(counts.entries) <= FEW_ENTRIES and _bytes_of(counts) <= KIND_BYTES


def _room(counts: SetCounts) -> Callable[[int], int]:
    return cache(lambda entry: wire_bytes(counts.entries[entry]))


def _bytes_of(counts: SetCounts) -> int:
    return sum(map(wire_bytes, counts.entries)) + _PAIR_BYTES * len(counts.sets)
