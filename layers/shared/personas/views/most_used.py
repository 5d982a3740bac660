"""The most used texts and links of a group, which get suggests without a search. A small companion of the texts view.

A caller sees the personas without departments and those that share one with it, so what is most used differs from
caller to caller. For each kind the entries that can be among somebody's first hundred are kept, with how many personas
of each set of departments use them: summed over the sets that a caller may see, their counts are exact.

**Which entries those are.** Let a *class* be what a caller of one department sees, or one of none. An entry that is not
among the first hundred of any class that sees it, and whose every use is by one and the same set of departments, is in
no caller's first hundred: who sees it sees the whole of one of those classes, and all its uses. An entry used by
several sets can gain by their sum, so it is kept where that sum reaches the hundredth of a class that sees it. Only
where this is more than ``KIND_BYTES`` the entries that rank lowest in every class are left out.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter, OrderedDict
from collections.abc import Buffer, Callable, Collection, Mapping, Sequence
from functools import cache
from heapq import nsmallest
from itertools import accumulate, chain, compress, repeat
from operator import itemgetter, neg
from typing import Final, Literal

from personas.contract.persona_fields import FIELDS_VERSION
from personas.domain.suggestions import Suggestions
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
from personas.views.text_columns import (
    KINDS,
    TEXT_KINDS,
    Entries,
    Kind,
    Move,
    ParameterUses,
    Revision,
    SetCounts,
    UseCounts,
    Uses,
)
from personas.views.text_usage import (
    OPTIONS_MAX,
    SECTION_BYTES,
    TextsView,
    Use,
    may_be_seen,
    within_section,
)

type OfferedKind = Kind | Literal["parameters"]

OFFERED: Final[tuple[OfferedKind, ...]] = (*KINDS, "parameters")
FORMAT_VERSION: Final = FIELDS_VERSION
"""Raised with every change of this layout, and of which entries are kept."""
KIND_BYTES: Final = 2_500_000
"""The bytes that are kept of a kind, before compression: texts shrink to a third, so the whole stays below 5 MB."""
FEW_ENTRIES: Final = 1_000
"""So many entries are all kept where there is room, without a look at who ranks where."""

LOOKED_AT_FIRST: Final = 4_096
"""So many of the most used entries are counted for every class, before it is known which classes need more."""

_MAGIC: Final = b"PERTOPUS"
_PAIR_BYTES: Final = 8
_CALLERS_MAX: Final = 64


class MostUsed:
    """The most used entries of each kind, for any caller of the group."""

    def __init__(
        self,
        group_id: str,
        sets: Sequence[frozenset[str]],
        kept: Mapping[OfferedKind, SetCounts],
        parameter_uses: ParameterUses | None = None,
    ) -> None:
        self.group_id = group_id
        self.parameter_uses = parameter_uses
        self._sets = sets
        self._kept = kept
        self._departments = frozenset(chain.from_iterable(sets))
        self._suggestions: OrderedDict[frozenset[str] | None, Suggestions] = OrderedDict()

    @classmethod
    def of(cls, view: TextsView, parameter_of: Mapping[str, str]) -> MostUsed:
        """Return the most used entries of a view; ``parameter_of`` is the parameter of each parameter field.

        The same uses give the same bytes, however the view came about.
        """
        nothing = SetCounts.none()
        return cls(view.group_id, (), dict.fromkeys(OFFERED, nothing))._counted(view, parameter_of, None, ())

    def revised(self, view: TextsView, parameter_of: Mapping[str, str], moves: Sequence[Move]) -> MostUsed:
        """Return the most used entries of a view, where these are those before some personas have moved.

        They are those that `of` returns. Where all entries of a kind are kept, those of the moved personas are counted
        alone; parameters only where ``parameter_of`` is the one that they were counted by, as the view remembers.
        """
        return self._counted(view, parameter_of, view.parameter_uses, moves)

    def _counted(
        self, view: TextsView, parameter_of: Mapping[str, str], before: ParameterUses | None, moves: Sequence[Move]
    ) -> MostUsed:
        sets = view.sets()
        revision = Revision(self._sets, sets, moves)
        kept: dict[OfferedKind, SetCounts] = {}
        for place, kind in enumerate(KINDS):
            new = revision.of(self._kept[kind], itemgetter(place), view.used(kind))
            kept[kind] = new if new and _fits(new) else _kept(view.uses(kind), sets)
        links = checksum_of(json.dumps(sorted(parameter_of.items())).encode())
        of_fields = itemgetter(KINDS.index("parameter_fields"))

        def parameters_of(row: Entries) -> set[str]:
            return {parameter_of[each] for each in of_fields(row) if each in parameter_of}

        new = None
        if before and before.links == links and sum(self._kept["parameters"].counts) == before.uses:
            new = revision.of(self._kept["parameters"], parameters_of)
        if new is None or not _fits(new):
            uses = view.grouped_uses("parameter_fields", parameter_of)
            new, total = _kept(uses, sets), len(uses.places)
        else:
            total = sum(new.counts)
        kept["parameters"] = new
        return MostUsed(view.group_id, sets, kept, ParameterUses(links, total))

    def first(self, kind: OfferedKind, departments: Collection[str] | None) -> list[Use]:
        """Return the entries that are most used by the personas that a caller of these departments may see.

        None stands for a superadmin. Most used first, then by the entry itself; at most 100, and of texts as many as
        fit into a section.
        """
        seen = [may_be_seen(each, departments) for each in self._sets]
        kept = self._kept[kind]
        sums: Counter[str] = Counter()
        entries = chain.from_iterable(map(repeat, kept.entries, kept.lengths))
        for entry, own_set, times in zip(entries, kept.sets, kept.counts, strict=True):
            if seen[own_set]:
                sums[entry] += times
        best = nsmallest(OPTIONS_MAX, sums.items(), key=lambda use: (-use[1], use[0]))
        return within_section(Use(*use) for use in best)

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
        texts = sum(60 + 2 * len(entry) for kept in self._kept.values() for entry in kept.entries)
        return texts + sum(8 * len(kept.sets) + 4 * len(kept.lengths) for kept in self._kept.values())

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
        for kept in self._kept.values():
            sections.append(pack_texts(kept.entries))
            sections += map(pack_numbers, (kept.lengths, kept.sets, kept.counts))
        return seal(_MAGIC, FORMAT_VERSION, sections)

    @classmethod
    def decode(cls, data: Buffer) -> MostUsed:
        """Return the entries that these bytes hold.

        Raises:
            SnapshotDamaged: they are not what ``encode`` gave.
            SnapshotVersionUnknown: another version of this service gave them.
        """
        with unseal(_MAGIC, FORMAT_VERSION, data) as sections:
            group_id, *names = unpack_texts(sections[0])
            sizes, flat = (unpack_numbers("I", each) for each in sections[1:3])
            members = iter([names[place] for place in flat])
            sets = [frozenset(next(members) for _ in range(size)) for size in sizes]
            kept: dict[OfferedKind, SetCounts] = {}
            for kind, start in zip(OFFERED, range(3, len(sections), 4), strict=True):
                numbers = [unpack_numbers("I", each) for each in sections[start + 1 : start + 4]]
                kept[kind] = SetCounts(unpack_texts(sections[start]), *numbers)
        return cls(group_id, sets, kept)


def _kept(uses: Uses, sets: Sequence[frozenset[str]]) -> SetCounts:
    """Return the entries of a kind to keep, in their order."""
    if len(uses.entries) <= FEW_ENTRIES:
        counts = UseCounts(uses, sets).of_entries(range(len(uses.entries)))
        if _fits(counts):
            return counts
    soonest, counted = _candidates(uses, sets)
    ordered = sorted(soonest, key=lambda entry: (soonest[entry], entry))
    taken = accumulate(_weight(counted, entry) for entry in ordered)
    return counted.of_entries(sorted(compress(ordered, (bytes_taken <= KIND_BYTES for bytes_taken in taken))))


def _candidates(uses: Uses, sets: Sequence[frozenset[str]]) -> tuple[dict[int, tuple[int, int]], UseCounts]:
    """Return the entries that can be among somebody's first hundred (see above), each with how soon it is one.

    The second are their counts, and maybe those of others.
    """
    totals = [1] * len(uses.entries)
    if len(uses.places) > len(totals):
        tally = Counter(uses.places)
        totals = list(map(tally.__getitem__, range(len(totals))))
    sooner: dict[int, tuple[int, int]] = {}
    hundredth: dict[str, int] = {}
    room = cache(lambda entry: wire_bytes(uses.entries[entry]))
    best_of, looked_at = _firsts(uses, totals, sets)
    for department, best in best_of.items():
        first, least = _fitting(best, room)
        if department is not None:
            hundredth[department] = least
        for position, entry in enumerate(first):
            sooner[entry] = min(sooner.get(entry, (position, 0)), (position, 0))
    lowest = max(2, min(hundredth.values(), default=0))
    often = [entry for entry, total in enumerate(totals) if total >= lowest and entry not in sooner]
    counted = UseCounts(uses.of(often), sets) if often else looked_at
    for entry in often:
        own_sets = [sets[place] for place, _ in counted.of(entry)]
        if len(own_sets) > 1 and (
            not all(own_sets) or any(totals[entry] >= hundredth[each] for each in chain.from_iterable(own_sets))
        ):
            sooner[entry] = OPTIONS_MAX, -totals[entry]
    return sooner, looked_at if looked_at.holds(sooner) else UseCounts(uses.of(sooner), sets)


type _First = list[tuple[int, int]]
"""The first hundred entries of a class, each behind how often the class uses it, negated."""


def _firsts(
    uses: Uses, totals: Sequence[int], sets: Sequence[frozenset[str]]
) -> tuple[dict[str | None, _First], UseCounts]:
    """Return the first hundred of every class: of each department, and None of who has none; and the counts for most.

    No class uses an entry more often than all do together. So, by how often they are used in all, only the first few
    entries must be looked at for a class whose hundredth of them comes before all that are left. For the other classes
    all is looked at that they use.
    """
    order = sorted(range(len(totals)), key=list(map(neg, totals)).__getitem__)
    looked_at, left = order[:LOOKED_AT_FIRST], order[LOOKED_AT_FIRST:]
    everywhere: dict[int, int] = {}
    within: dict[str, dict[int, int]] = {department: {} for each in sets for department in each}

    def look_at(counted: UseCounts) -> None:
        for entry, place, times in counted.uses():
            if not sets[place]:
                everywhere[entry] = times
            for department in sets[place]:
                own = within[department]
                own[entry] = own.get(entry, 0) + times

    def firsts() -> dict[str | None, _First]:
        # An entry that is not among the first everywhere is among those of a department only if that uses it itself.
        everyone = nsmallest(OPTIONS_MAX, ((-times, entry) for entry, times in everywhere.items()))
        found: dict[str | None, _First] = {None: everyone}
        for department, own in within.items():
            seen = ((-times - everywhere.get(entry, 0), entry) for entry, times in own.items())
            others = (each for each in everyone if each[1] not in own)
            found[department] = nsmallest(OPTIONS_MAX, chain(seen, others))
        return found

    counted = UseCounts(uses.of(looked_at), sets)
    look_at(counted)
    found = firsts()
    if left:
        best_left = (-totals[left[0]], left[0])
        unsure = {each for each, first in found.items() if len(first) < OPTIONS_MAX or first[-1] > best_left}
        if unsure:
            # Of the others some is looked at too, and not all: there it can only be too low to matter.
            used_by = [not each or not unsure.isdisjoint(each) for each in sets]
            some = uses.of(left)
            some = some.where(map(used_by.__getitem__, some.sets))
            look_at(UseCounts(some, sets))
            found = firsts()
    return found, counted


def _fitting(best: _First, room: Callable[[int], int]) -> tuple[list[int], int]:
    """Return the first entries of a class up to the one at which a section is full, and how often that one is used.

    Where all of them find room, the second is 0. ``room`` says how many bytes of a section an entry takes.
    """
    first = [entry for _, entry in best]
    fitting = sum(1 for taken in accumulate(map(room, first)) if taken <= SECTION_BYTES)
    full = fitting < len(first) or len(first) == OPTIONS_MAX
    return first[: fitting + 1], -best[min(fitting, len(best) - 1)][0] if full else 0


def _fits(counts: SetCounts) -> bool:
    """Tell whether all entries of a kind are kept, without a look at who ranks where."""
    return len(counts.entries) <= FEW_ENTRIES and sum(map(_bytes_of, counts.entries, counts.lengths)) <= KIND_BYTES


def _weight(counted: UseCounts, entry: int) -> int:
    own = counted.pairs_of(entry)
    return _bytes_of(counted.entries[entry], own.stop - own.start)


def _bytes_of(entry: str, pairs: int) -> int:
    return wire_bytes(entry) + _PAIR_BYTES * pairs
