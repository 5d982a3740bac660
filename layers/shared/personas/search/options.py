"""The options of the docs: codes and bitmaps by doc, counted by the cheapest of three ways."""

from array import array
from collections.abc import Collection, Iterable, Sequence
from heapq import nsmallest
from itertools import compress, repeat
from typing import Final

from pyroaring import BitMap

from personas.domain.folding import fold, fold_all
from personas.search.columns import BITMAP_BYTES, ENTRY_BYTES, Ragged, Runs, Single
from personas.search.queries import OPTIONS_MAX, RankedOption

_OFFERED_AT_ONCE: Final = 512
_WALK_SQUARE: Final = 128
"""To offer options by walking costs 0.7 µs a doc; to find 100 among the first codes takes as many times 100 of them as
the docs go into all docs, at 1.2 µs each: the two are equal where the square of the docs is about this times all."""

# Measured, in µs, one facet after the other as in a search: caches are colder than where one is counted over and over.
# Two bitmaps that are lists are merged, which costs by the members of both; where one of them is bits,
# each member of the other is tested. The third way is to count doc by doc by their own codes, at `walk_cost` each.
_PAIR_COST: Final = 0.12
_MERGED_COST: Final = 0.0003
_DENSE_PAIR_COST: Final = 0.2
_TESTED_COST: Final = 0.0006

_STRING_BYTES: Final = 49


class Options:
    """The ids under one key of the rows: codes by doc and, for what is counted, the docs of each code as a bitmap.

    Code 0 is "none": its bitmap holds the docs without any id.
    """

    def __init__(self, ids: list[str], cells: Single | Ragged, bitmaps: list[BitMap] | None) -> None:
        self.ids = ids
        self.cells = cells
        self.bitmaps = bitmaps
        self._code_of = dict(zip(ids, range(len(ids)), strict=True))

    def append(self, doc: int, ids: Collection[str]) -> None:
        """Add the next doc, with these ids."""
        codes = array("I", map(self.code, ids))
        if self.bitmaps is not None:
            for code in codes or (0,):
                self.bitmaps[code].add(doc)
        self.cells.append(codes)

    def code(self, option_id: str) -> int:
        """Return the code of an id, a new one where it has none yet."""
        code = self._code_of.get(option_id)
        if code is None:
            code = self._code_of[option_id] = len(self.ids)
            self.ids.append(option_id)
            if self.bitmaps is not None:
                self.bitmaps.append(BitMap())
        return code

    def ids_at(self, doc: int) -> list[str]:
        """Return the ids of a doc."""
        return [self.ids[code] for code in self.cells.at(doc)]

    def id_at(self, doc: int) -> str | None:
        """Return the id of a doc that has one at most."""
        return self.ids[self.cells.values[doc]] or None

    def discard(self, doc: int) -> None:
        """Take a doc out of use: what it has is counted no more."""
        if self.bitmaps is not None:
            for code in self.cells.at(doc) or (0,):
                self.bitmaps[code].discard(doc)

    def having(self, ids: Iterable[str], or_none: bool = False) -> BitMap:
        """Return the docs with any of the ids, or with none at all."""
        bitmaps, codes_of = self.bitmaps or [], self._code_of
        codes = {codes_of[each] for each in ids if each in codes_of} - {0} | ({0} if or_none else set())
        return BitMap().union(*map(bitmaps.__getitem__, codes))

    def counts(self, docs: BitMap, in_use: int, end: int, ids: Sequence[str] | None = None) -> dict[str, int]:
        """Return how many of the docs have each id, without the ids that none has.

        ``in_use`` is how many docs are used at all, ``end`` the one behind the last. ``ids`` stand for the ids by
        code; what stands for several counts as one of them, and what an empty string stands for is not counted.
        """
        ids = ids or self.ids
        bitmaps, size, members = self.bitmaps or [], len(docs), len(self.cells.values)
        sparse = len(bitmaps) * (_PAIR_COST + size * _MERGED_COST) + members * _MERGED_COST
        dense = len(bitmaps) * _DENSE_PAIR_COST + members * _TESTED_COST
        if size == in_use:
            counts = list(map(len, bitmaps))
        elif size * self.cells.walk_cost < min(sparse, dense):
            return {ids[code]: count for code, count in self.cells.tally(docs.to_array()).items() if ids[code]}
        elif sparse < dense or 2 * size > in_use:
            counts = list(map(docs.intersection_cardinality, bitmaps))
        else:
            # An id has in common with the docs all that it does not have in common with the others, and these are so
            # many that Roaring keeps them as bits: to test bits is faster than to merge with a long list.
            counts = list(map(BitMap.difference_cardinality, bitmaps, repeat(docs.flip(0, end))))
        counted = dict(zip(compress(ids, counts), filter(None, counts), strict=True))
        counted.pop("", None)
        return counted

    def gather(self, runs: Runs, place: array[int]) -> list[int]:
        """Move to new docs, and forget the ids that none has. ``place`` has the new doc of each old one.

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
        """Return the codes that are in use, in the order that they get."""
        if self.bitmaps is None:
            return sorted({0, *self.cells.values})
        return [code for code, bitmap in enumerate(self.bitmaps) if bitmap or code == 0]

    def size_bytes(self) -> int:
        """Return about how many bytes of memory this takes."""
        bitmaps = sum(BITMAP_BYTES + 2 * len(bitmap) for bitmap in self.bitmaps or ())
        return self.cells.size_bytes() + bitmaps + ENTRY_BYTES * len(self.ids)


class Labelled(Options):
    """Options that bring their names along, as labels; there may be as many of them as personas.

    In the base, codes go by how many docs they have, then by folded label and id: the order in which options are
    offered where nothing is searched for. So the best options of a search are among the first codes, mostly.
    """

    def __init__(self, ids: list[str], cells: Single | Ragged, bitmaps: list[BitMap], labels: list[str]) -> None:
        super().__init__(ids, cells, bitmaps)
        self.labels = labels
        self._rank()

    def label(self, option_id: str, label: str) -> None:
        """Name an id that a doc has just got."""
        code = self.code(option_id)
        self._risen.add(code)
        self.labels += [""] * (code + 1 - len(self.labels))
        self.labels[code] = label

    def gather(self, runs: Runs, place: array[int]) -> list[int]:
        """Move to new docs as other options do, and rank the codes again."""
        codes = super().gather(runs, place)
        self.labels = [self.labels[code] for code in codes]
        self._rank()
        return codes

    def best(self, docs: BitMap, needle: str, others: Collection[str], in_use: int) -> list[RankedOption]:
        """Return the 100 options to offer for these docs, without the others. ``in_use`` is how many docs there are."""
        left_out = {self._code_of[each] for each in others if each in self._code_of}
        if len(docs) ** 2 < _WALK_SQUARE * in_use:
            # Few docs have few options, and among the first codes are few of those.
            had = self.cells.tally(docs.to_array()).keys() - left_out - {0}
            return nsmallest(OPTIONS_MAX, self._ranked(sorted(had), docs, needle))
        bitmaps, best, last = self.bitmaps or [], list[RankedOption](), 1
        for first in range(1, len(self._totals), _OFFERED_AT_ONCE):
            last = min(first + _OFFERED_AT_ONCE, len(self._totals))
            codes = [code for code in range(first, last) if code not in left_out]
            best = nsmallest(OPTIONS_MAX, best + self._ranked(codes, docs, needle))
            if len(best) == OPTIONS_MAX and last < len(self._totals) and best[-1] < self._at_best(last):
                break
        least = -best[-1][0] if len(best) == OPTIONS_MAX else 0
        risen = [code for code in self._risen - left_out if code >= last and len(bitmaps[code]) >= least]
        return nsmallest(OPTIONS_MAX, best + self._ranked(sorted(risen), docs, needle))

    def _at_best(self, code: int) -> tuple[int, str, str]:
        """Return a rank that no code from this one on comes before: none has more docs than when it was ranked."""
        return -self._totals[code], fold(self.labels[code]), self.ids[code]

    def offered(self, ids: Iterable[str], docs: BitMap) -> list[RankedOption]:
        """Return those of the options that are in use at all, whether or not at one of these docs."""
        bitmaps, codes_of = self.bitmaps or [], self._code_of
        codes = [codes_of[each] for each in ids if each in codes_of and bitmaps[codes_of[each]]]
        return self._ranked(codes, docs, "", least=0)

    def _ranked(self, codes: Collection[int], docs: BitMap, needle: str, least: int = 1) -> list[RankedOption]:
        bitmaps, labels = self.bitmaps or [], [self.labels[code] for code in codes]
        counts = map(docs.intersection_cardinality, map(bitmaps.__getitem__, codes))
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
        """Return about how many bytes of memory this takes."""
        return super().size_bytes() + sum(_STRING_BYTES + len(label) for label in self.labels)
