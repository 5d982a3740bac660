"""Which slots have which option: codes and bitmaps by slot, counted by the cheapest of three ways."""

from array import array
from collections.abc import Collection, Iterable, Sequence
from heapq import nsmallest
from itertools import compress, repeat
from typing import Final

from pyroaring import BitMap

from personas.domain.folding import fold, fold_all
from personas.search.columns import BITMAP_BYTES, ENTRY_BYTES, Ragged, Runs, Single, bytes_of
from personas.search.facets import OPTIONS_MAX, Offer

_OFFERED_AT_ONCE: Final = 512
_WALK_SQUARE: Final = 128
"""To offer options by walking costs 0.7 µs a slot; to find 100 among the first codes takes as many times 100 of them as
the slots go into all slots, at 1.2 µs each: the two are equal where the square of the slots is about this times all."""

# Measured, in µs, one facet after the other as in a search: caches are colder than where one is counted over and over.
# Two bitmaps that are lists are merged, which costs by the members of both; where one of them is bits,
# each member of the other is tested. The third way is to count slot by slot by their own codes, at `walk_cost` each.
_PAIR_COST: Final = 0.12
_MERGED_COST: Final = 0.0003
_DENSE_PAIR_COST: Final = 0.2
_TESTED_COST: Final = 0.0006

_STRING_BYTES: Final = 49


class Options:
    """The ids under one key of the rows: codes by slot and, for what is counted, the slots of each code as a bitmap.

    Code 0 is "none": its bitmap holds the slots without any id.
    """

    def __init__(self, ids: list[str], cells: Single | Ragged, bitmaps: list[BitMap] | None) -> None:
        self.ids = ids
        self.cells = cells
        self.bitmaps = bitmaps
        self._code_of = dict(zip(ids, range(len(ids)), strict=True))

    def append(self, slot: int, ids: Collection[str]) -> None:
        """Add the next slot, with these ids."""
        codes = array("I", map(self.code, ids))
        if self.bitmaps is not None:
            for code in codes or (0,):
                self.bitmaps[code].add(slot)
        self.cells.append(codes)

    def code(self, option_id: str) -> int:
        """The code of an id, a new one where it has none yet."""
        code = self._code_of.get(option_id)
        if code is None:
            code = self._code_of[option_id] = len(self.ids)
            self.ids.append(option_id)
            if self.bitmaps is not None:
                self.bitmaps.append(BitMap())
        return code

    def ids_at(self, slot: int) -> list[str]:
        """The ids of a slot."""
        return [self.ids[code] for code in self.cells.at(slot)]

    def id_at(self, slot: int) -> str | None:
        """The id of a slot that has one at most."""
        return self.ids[self.cells.values[slot]] or None

    def discard(self, slot: int) -> None:
        """Take a slot out of use: what it has is counted no more."""
        if self.bitmaps is not None:
            for code in self.cells.at(slot) or (0,):
                self.bitmaps[code].discard(slot)

    def having(self, ids: Iterable[str], or_none: bool = False) -> BitMap:
        """The slots with any of the ids, or with none at all."""
        bitmaps, codes_of = self.bitmaps or [], self._code_of
        codes = {codes_of[each] for each in ids if each in codes_of} - {0} | ({0} if or_none else set())
        return BitMap().union(*map(bitmaps.__getitem__, codes))

    def counts(self, slots: BitMap, in_use: int, end: int, ids: Sequence[str] | None = None) -> dict[str, int]:
        """How many of the slots have each id, without the ids that none has.

        ``in_use`` is how many slots are used at all, ``end`` the one behind the last. ``ids`` stand for the ids by
        code; what stands for several counts as one of them, and what an empty string stands for is not counted.
        """
        ids = ids or self.ids
        bitmaps, size, members = self.bitmaps or [], len(slots), len(self.cells.values)
        sparse = len(bitmaps) * (_PAIR_COST + size * _MERGED_COST) + members * _MERGED_COST
        dense = len(bitmaps) * _DENSE_PAIR_COST + members * _TESTED_COST
        if size == in_use:
            counts = list(map(len, bitmaps))
        elif size * self.cells.walk_cost < min(sparse, dense):
            return {ids[code]: count for code, count in self.cells.tally(slots.to_array()).items() if ids[code]}
        elif sparse < dense or 2 * size > in_use:
            counts = list(map(slots.intersection_cardinality, bitmaps))
        else:
            # What an id has in common with the slots is what it does not have in common with all the others, and those
            # are so many that Roaring keeps them as bits: to test bits is faster than to merge with a long list.
            counts = list(map(BitMap.difference_cardinality, bitmaps, repeat(slots.flip(0, end))))
        counted = dict(zip(compress(ids, counts), filter(None, counts), strict=True))
        counted.pop("", None)
        return counted

    def gather(self, runs: Runs, place: array[int]) -> list[int]:
        """Move to new slots, and forget the ids that none has. ``place`` has the new slot of each old one.

        Returns the old code of each new one.
        """
        self.cells.gather(runs)
        codes = self._kept()
        if self.bitmaps is not None:
            self.bitmaps = [BitMap(array("I", map(place.__getitem__, self.bitmaps[code].to_array()))) for code in codes]
            for bitmap in self.bitmaps:
                bitmap.shrink_to_fit()
        if codes != list(range(len(self.ids))):
            recoded = dict(zip(codes, range(len(codes)), strict=True))
            self.cells.values = array("I", map(recoded.__getitem__, self.cells.values))
            self.ids = [self.ids[code] for code in codes]
            self._code_of = dict(zip(self.ids, range(len(self.ids)), strict=True))
        return codes

    def _kept(self) -> list[int]:
        """The codes that are in use, in the order that they get."""
        if self.bitmaps is None:
            return sorted({0, *self.cells.values})
        return [code for code, bitmap in enumerate(self.bitmaps) if bitmap or code == 0]

    def size_bytes(self) -> int:
        """About how much memory this takes."""
        cells = bytes_of(self.cells.arrays("").values())
        bitmaps = sum(BITMAP_BYTES + 2 * len(bitmap) for bitmap in self.bitmaps or ())
        return cells + bitmaps + ENTRY_BYTES * len(self.ids)


class Labelled(Options):
    """Options that bring their names along, as labels; there may be as many of them as personas.

    In the base, codes go by how many slots they have, then by folded label and id: the order in which options are
    offered where nothing is searched for. So the best options of a search are among the first codes, mostly.
    """

    def __init__(self, ids: list[str], cells: Single | Ragged, bitmaps: list[BitMap], labels: list[str]) -> None:
        super().__init__(ids, cells, bitmaps)
        self.labels = labels
        self._rank()

    def label(self, option_id: str, label: str) -> None:
        """Name an id that a slot has just got."""
        code = self.code(option_id)
        self._risen.add(code)
        self.labels += [""] * (code + 1 - len(self.labels))
        self.labels[code] = label

    def gather(self, runs: Runs, place: array[int]) -> list[int]:
        codes = super().gather(runs, place)
        self.labels = [self.labels[code] for code in codes]
        self._rank()
        return codes

    def best(self, slots: BitMap, needle: str, others: Collection[str], in_use: int) -> list[Offer]:
        """The 100 options to offer for these slots, without the others. ``in_use`` is how many slots there are."""
        left_out = {self._code_of[each] for each in others if each in self._code_of}
        if len(slots) ** 2 < _WALK_SQUARE * in_use:
            # Few slots have few options, and among the first codes are few of those.
            had = self.cells.tally(slots.to_array()).keys() - left_out - {0}
            return nsmallest(OPTIONS_MAX, self._offers(sorted(had), slots, needle))
        best = self._offers(sorted(self._risen - left_out), slots, needle)
        left_out |= self._risen
        for first in range(1, len(self._totals), _OFFERED_AT_ONCE):
            last = min(first + _OFFERED_AT_ONCE, len(self._totals))
            codes = [code for code in range(first, last) if code not in left_out]
            best = nsmallest(OPTIONS_MAX, best + self._offers(codes, slots, needle))
            if len(best) == OPTIONS_MAX and last < len(self._totals) and best[-1] < self._at_best(last):
                break
        return nsmallest(OPTIONS_MAX, best)

    def _at_best(self, code: int) -> tuple[int, str, str]:
        """What the codes from this one on cannot come before: none has more slots than when it was ranked."""
        return -self._totals[code], fold(self.labels[code]), self.ids[code]

    def offered(self, ids: Iterable[str], slots: BitMap) -> list[Offer]:
        """Those of the options that are in use at all, whether or not at one of these slots."""
        bitmaps, codes_of = self.bitmaps or [], self._code_of
        codes = [codes_of[each] for each in ids if each in codes_of and bitmaps[codes_of[each]]]
        return self._offers(codes, slots, "", least=0)

    def _offers(self, codes: Collection[int], slots: BitMap, needle: str, least: int = 1) -> list[Offer]:
        bitmaps, labels = self.bitmaps or [], [self.labels[code] for code in codes]
        counts = map(slots.intersection_cardinality, map(bitmaps.__getitem__, codes))
        return [
            (-count, folded, self.ids[code], label)
            for code, label, folded, count in zip(codes, labels, fold_all(labels), counts, strict=True)
            if count >= least and needle in folded
        ]

    def _kept(self) -> list[int]:
        bitmaps, folded = self.bitmaps or [], fold_all(self.labels)
        return sorted(super()._kept(), key=lambda code: (code > 0, -len(bitmaps[code]), folded[code], self.ids[code]))

    def _rank(self) -> None:
        self._totals = array("I", map(len, self.bitmaps or ()))
        self._risen: set[int] = set()

    def size_bytes(self) -> int:
        return super().size_bytes() + sum(_STRING_BYTES + len(label) for label in self.labels)
