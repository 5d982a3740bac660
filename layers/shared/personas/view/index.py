"""The personas of one group in memory, searched by set algebra.

Every persona has a *slot*, a small number. What is known of it lies in columns by slot; a Roaring bitmap an option says
which slots have that option. A search is unions and intersections of bitmaps, its counts are cardinalities.

There are two kinds of slots. The **base** was written in one go, in the order of the list (folded name, then id): the
n-th match in the base is the n-th row of the list, and no permutation is kept. What changed since is **late**: appended
behind the base as it arrives, with a small sorted list that says before which slot of the base each one belongs. A
changed persona gets a new slot, its old one is taken out of every bitmap. When there are too many of those
(`_late_limit`), all is written as a new base.

Nothing here knows AWS, and nothing here is made for several threads.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from heapq import nsmallest
from itertools import accumulate, chain, compress, repeat
from math import isqrt
from operator import and_, contains
from typing import Final, Literal, NamedTuple, Protocol, TypedDict, cast

import stringzilla  # type: ignore[import-not-found]  # it ships no types; `_Haystack` is what is used
from pyroaring import BitMap

from personas.domain.folding import fold, fold_all

type Facet = Literal["scenarios", "fields", "departments", "colors", "icons", "voices", "instructions"]
type Runs = Sequence[tuple[int, int]]

FACETS: Final[tuple[Facet, ...]] = (
    "scenarios",
    "fields",
    "departments",
    "colors",
    "icons",
    "voices",
    "instructions",
)
OPTIONS_MAX: Final = 100

PersonaRow = TypedDict(
    "PersonaRow",
    {
        "n": str,
        "ni": str | None,
        "d": str | None,
        "di": str | None,
        "ii": str | None,
        "ih": str,
        "c": str | None,
        "i": str | None,
        "f": str | None,
        "dp": list[str],
        "pf": list[str],
        "ex": list[str],
        "vo": list[str],
        "sc": list[str],
        "as": list[str],
        "np": int,
        "g": bool,
        "m": bool,
        "ct": str | None,
        "ut": str | None,
    },
)
"""A persona's row as the store writes it (`personas.store.personas`). What a row leaves out is None, "", 0, False or
empty here; ids come without repeats, times in UTC. Keys that are not listed are not kept: whoever adds one raises the
format version of the snapshots, so that they are made anew."""

_FACET_KEYS: Final[Mapping[Facet, str]] = {
    "scenarios": "sc",
    "fields": "pf",
    "departments": "dp",
    "colors": "c",
    "icons": "i",
    "voices": "vo",
    "instructions": "ii",
}
_SINGLE_KEYS: Final = ("c", "i", "f", "ii")
_MANY_KEYS: Final = ("dp", "pf", "vo", "sc", "as")

# UTF-8 has neither of these bytes, so that no match spans two texts, whatever the texts are.
_BETWEEN: Final = b"\xfe"
_END: Final = b"\xff"
_SPACE: Final = b" "

_ID_BYTES: Final = 16
_NO_ID: Final = bytes(_ID_BYTES)
_PROFILES_END: Final = 1 << 32
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND: Final = timedelta(microseconds=1)

_HAS_DESCRIPTION: Final = 1
_HAS_NAME_ID: Final = 2
_HAS_DESCRIPTION_ID: Final = 4
_HAS_CREATED: Final = 8
_HAS_UPDATED: Final = 16
_GENERATED: Final = 32
_MCP: Final = 64

_LATE_LEAST: Final = 256
_WORDS_LEAST: Final = 20_000
_OFFERED_AT_ONCE: Final = 512
_WALK_SQUARE: Final = 128
"""To offer options by walking costs 0.7 µs a slot; to find 100 among the first codes takes as many times 100 of them as
the slots go into all slots, at 1.2 µs each: the two are equal where the square of the slots is about this times all."""
_LOOKS_A_SCAN: Final = 64
"""Looking into one text costs about as much as scanning so many."""

# Measured, in µs. Two bitmaps that are lists are merged, which costs by the members of both; where one of them is bits,
# each member of the other is tested. The third way is to count slot by slot by their own codes, at `walk_cost` each.
_PAIR_COST: Final = 0.12
_MERGED_COST: Final = 0.0002
_DENSE_PAIR_COST: Final = 0.2
_TESTED_COST: Final = 0.0006

# What CPython and CRoaring take beside the data, as measured.
_STRING_BYTES: Final = 49
_ENTRY_BYTES: Final = 220
_BITMAP_BYTES: Final = 180


class _Haystack(Protocol):
    """The part of `stringzilla.Str` that is used here."""

    def find(self, needle: bytes, start: int, end: int, /) -> int: ...


# ---- Columns ------------------------------------------------------------------------------------------------------


def _gathered(column: array[int], runs: Runs, width: int = 1) -> array[int]:
    """The column's values at these slots, in this order."""
    values = array(column.typecode)
    for start, stop in runs:
        values += column[start * width : stop * width]
    return values


def _bytes_of(columns: Iterable[array[int]]) -> int:
    return sum(len(column) * column.itemsize for column in columns)


class _Single:
    """One value a slot, 0 for none."""

    walk_cost: Final = 0.055

    def __init__(self, values: array[int]) -> None:
        self.values = values

    def append(self, values: array[int]) -> None:
        self.values.append(values[0] if values else 0)

    def at(self, slot: int) -> array[int]:
        return self.values[slot : slot + 1]

    def tally(self, slots: array[int]) -> Counter[int]:
        """How often each value is found at the slots."""
        return Counter(map(self.values.__getitem__, slots))

    def gather(self, runs: Runs) -> None:
        self.values = _gathered(self.values, runs)

    def arrays(self, name: str) -> dict[str, array[int]]:
        return {name: self.values}


class _Ragged:
    """Any number of values a slot: those of slot s are ``values[starts[s]:starts[s + 1]]``."""

    def __init__(self, values: array[int], starts: array[int]) -> None:
        self.values = values
        self.starts = starts

    def append(self, values: array[int]) -> None:
        self.values += values
        self.starts.append(len(self.values))

    def at(self, slot: int) -> array[int]:
        return self.values[self.starts[slot] : self.starts[slot + 1]]

    @property
    def walk_cost(self) -> float:
        return 0.3 + 0.04 * len(self.values) / len(self.starts)

    def tally(self, slots: array[int]) -> Counter[int]:
        """How often each value is found at the slots."""
        values, starts = self.values, self.starts
        return Counter(chain.from_iterable([values[starts[slot] : starts[slot + 1]] for slot in slots]))

    def gather(self, runs: Runs) -> None:
        values, starts = array(self.values.typecode), array("I", (0,))
        for start, stop in runs:
            first = self.starts[start]
            starts.extend(map((len(values) - first).__add__, self.starts[start + 1 : stop + 1]))
            values += self.values[first : self.starts[stop]]
        self.values, self.starts = values, starts

    def arrays(self, name: str) -> dict[str, array[int]]:
        return {name: self.values, f"{name}.starts": self.starts}


class _Options:
    """The ids under one key of the rows: codes by slot and, for what is counted, the slots of each code as a bitmap.

    Code 0 is "none": its bitmap holds the slots without any id.
    """

    def __init__(self, ids: list[str], cells: _Single | _Ragged, bitmaps: list[BitMap] | None) -> None:
        self.ids = ids
        self.cells = cells
        self.bitmaps = bitmaps
        self._code_of = dict(zip(ids, range(len(ids)), strict=True))

    def append(self, slot: int, ids: Collection[str]) -> None:
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
        return [self.ids[code] for code in self.cells.at(slot)]

    def id_at(self, slot: int) -> str | None:
        """The id of a slot that has one at most."""
        return self.ids[self.cells.values[slot]] or None

    def discard(self, slot: int) -> None:
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
        cells = _bytes_of(self.cells.arrays("").values())
        bitmaps = sum(_BITMAP_BYTES + 2 * len(bitmap) for bitmap in self.bitmaps or ())
        return cells + bitmaps + _ENTRY_BYTES * len(self.ids)


class _Labelled(_Options):
    """Options that bring their names along, as labels; there may be as many of them as personas.

    In the base, codes go by how many slots they have, then by folded label and id: the order in which options are
    offered where nothing is searched for. So the best options of a search are among the first codes, mostly.
    """

    def __init__(self, ids: list[str], cells: _Single | _Ragged, bitmaps: list[BitMap], labels: list[str]) -> None:
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

    def best(self, slots: BitMap, needle: str, others: Collection[str], in_use: int) -> "list[_Offer]":
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

    def offered(self, ids: Iterable[str], slots: BitMap) -> "list[_Offer]":
        """Those of the options that are in use at all, whether or not at one of these slots."""
        bitmaps, codes_of = self.bitmaps or [], self._code_of
        codes = [codes_of[each] for each in ids if each in codes_of and bitmaps[codes_of[each]]]
        return self._offers(codes, slots, "", least=0)

    def _offers(self, codes: Collection[int], slots: BitMap, needle: str, least: int = 1) -> "list[_Offer]":
        bitmaps, labels = self.bitmaps or [], [self.labels[code] for code in codes]
        counts = map(slots.intersection_cardinality, map(bitmaps.__getitem__, codes))
        return [
            _Offer(-count, folded, self.ids[code], label)
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


# ---- Texts --------------------------------------------------------------------------------------------------------


class _Corpus:
    """Texts in one buffer, one behind the other: text t is ``joined[starts[t]:starts[t + 1]]``.

    Each ends with a byte that no search is for.
    """

    def __init__(self, joined: bytes, starts: array[int]) -> None:
        self.joined = joined
        self.starts = starts
        self._haystack = cast("_Haystack", stringzilla.Str(joined))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def containing(self, needle: bytes) -> array[int]:
        """The numbers of the texts that contain the needle, in order."""
        find, starts, end = self._haystack.find, self.starts, len(self.joined)
        found = array("I")
        number = 0
        while (at := find(needle, starts[number], end)) >= 0:
            number = bisect_right(starts, at, number)
            found.append(number - 1)
        return found

    def contains(self, number: int, needle: bytes) -> bool:
        return self._haystack.find(needle, self.starts[number], self.starts[number + 1]) >= 0


class _Words:
    """Which slots have which word: what stands between two spaces of a folded text.

    A text contains a needle without spaces exactly if one of its words does, and there are far fewer words than texts:
    to look through the words and unite the slots of those that match takes a fraction of looking through the texts.
    The slots of a word may have gone out of use.
    """

    def __init__(self, corpus: _Corpus, bitmaps: list[BitMap]) -> None:
        self.corpus = corpus
        self.bitmaps = bitmaps
        self._new: list[str] = []
        self._codes: dict[str, int] | None = None

    def append(self, slot: int, words: Iterable[str]) -> None:
        """Note the words of a new slot."""
        if self._codes is None:
            self._codes = {word: code for code, word in enumerate(self._words())}
        for word in words:
            code = self._codes.get(word)
            if code is None:
                code = self._codes[word] = len(self.bitmaps)
                self._new.append(word)
                self.bitmaps.append(BitMap())
            self.bitmaps[code].add(slot)

    def containing(self, part: str) -> BitMap:
        """The slots with a word that contains the part of a needle, which has no spaces."""
        late = range(len(self.corpus), len(self.bitmaps))
        codes = chain(self.corpus.containing(_utf8(part)), compress(late, map(contains, self._new, repeat(part))))
        return BitMap().union(*map(self.bitmaps.__getitem__, codes))

    def gathered(self, place: array[int], in_use: BitMap) -> "_Words | None":
        """The words of the slots in use, which move; None if there are too many words to be worth it.

        Languages that do not part words by spaces have about as many of them as texts.
        """
        moved = [array("I", map(place.__getitem__, (bitmap & in_use).to_array())) for bitmap in self.bitmaps]
        if sum(map(bool, moved)) > max(_WORDS_LEAST, len(in_use)):
            return None
        words = [_utf8(word) + _SPACE for word in compress(self._words(), moved)]
        starts = array("I", accumulate(map(len, words), initial=0))
        # Not optimized: runs are slow to count with.
        bitmaps = [BitMap(slots, optimize=False) for slots in moved if slots]
        return _Words(_Corpus(b"".join(words), starts), bitmaps)

    def size_bytes(self) -> int:
        """About how much memory the words take."""
        entries = _ENTRY_BYTES * len(self._codes or ())
        bitmaps = sum(_BITMAP_BYTES + 2 * len(bitmap) for bitmap in self.bitmaps)
        return len(self.corpus.joined) + _bytes_of((self.corpus.starts,)) + entries + bitmaps

    def _words(self) -> Iterator[str]:
        return chain(_text(self.corpus.joined).split(" ")[:-1], self._new)


class _Texts:
    """Name and description of every slot, as written and folded, and the search for a text in the folded ones.

    What is late lies in lists and is looked through one by one.
    """

    def __init__(self, folded: _Corpus, written: bytes, written_starts: array[int], words: _Words | None) -> None:
        self.folded = folded
        self.written = written
        self.written_starts = written_starts
        self.words = words
        self.base = len(folded)
        self._late_folded: list[bytes] = []
        self._late_written: list[bytes] = []

    def append(self, name: str, description: str) -> bytes:
        """Add the next slot's texts; returns the folded name."""
        folded_name, folded_description = fold(name), fold(description)
        if self.words is not None:
            words = {*folded_name.split(" "), *folded_description.split(" ")}
            self.words.append(self.base + len(self._late_folded), words - {""})
        name_key = _utf8(folded_name)
        self._late_folded.append(b"".join((name_key, _BETWEEN, _utf8(folded_description), _END)))
        self._late_written.append(b"".join((_utf8(name), _BETWEEN, _utf8(description))))
        return name_key

    def written_at(self, slot: int) -> tuple[str, str]:
        """A slot's name and description."""
        if slot < self.base:
            text = self.written[self.written_starts[slot] : self.written_starts[slot + 1]]
        else:
            text = self._late_written[slot - self.base]
        name, _, description = text.partition(_BETWEEN)
        return _text(name), _text(description)

    def folded_name_at(self, slot: int) -> bytes:
        """The folded name of a slot of the base."""
        start = self.folded.starts[slot]
        return self.folded.joined[start : self.folded.joined.index(_BETWEEN, start)]

    def find(self, folded: str) -> BitMap:
        """The slots whose folded texts contain this folded text, among them slots that are no longer in use."""
        parts = folded.split(" ")
        if self.words is not None and any(parts):
            candidates = reduce(and_, map(self.words.containing, filter(None, parts)))
            if len(parts) == 1:
                return candidates
            if len(candidates) * _LOOKS_A_SCAN < self.base:
                needle = _utf8(folded)
                looked_at = candidates.to_array()
                return BitMap(array("I", (slot for slot in looked_at if self._contains(slot, needle))), optimize=False)
        needle = _utf8(folded)
        found = self.folded.containing(needle)
        found.extend(self.base + late for late, text in enumerate(self._late_folded) if needle in text)
        return BitMap(found, optimize=False)

    def _contains(self, slot: int, needle: bytes) -> bool:
        if slot < self.base:
            return self.folded.contains(slot, needle)
        return needle in self._late_folded[slot - self.base]

    def gathered(self, runs: Runs, place: array[int], in_use: BitMap) -> "_Texts":
        """The texts of these slots, in this order, as a new base."""
        folded_parts: list[bytes] = []
        written_parts: list[bytes] = []
        folded_starts, written_starts = array("I", (0,)), array("I", (0,))
        for start, stop in runs:
            if start < self.base:
                folded_parts.append(_copied(self.folded.joined, self.folded.starts, start, stop, folded_starts))
                written_parts.append(_copied(self.written, self.written_starts, start, stop, written_starts))
            else:
                for late in range(start - self.base, stop - self.base):
                    folded_parts.append(self._late_folded[late])
                    folded_starts.append(folded_starts[-1] + len(folded_parts[-1]))
                    written_parts.append(self._late_written[late])
                    written_starts.append(written_starts[-1] + len(written_parts[-1]))
        words = self.words and self.words.gathered(place, in_use)
        return _Texts(_Corpus(b"".join(folded_parts), folded_starts), b"".join(written_parts), written_starts, words)

    def size_bytes(self) -> int:
        """About how much memory the texts take."""
        texts = [self.folded.joined, self.written, *self._late_folded, *self._late_written]
        words = 0 if self.words is None else self.words.size_bytes()
        return sum(map(len, texts)) + _bytes_of((self.folded.starts, self.written_starts)) + words


def _copied(joined: bytes, starts: array[int], start: int, stop: int, into: array[int]) -> bytes:
    """The texts from ``start`` to ``stop``; where they start goes to the end of ``into``."""
    into.extend(map((into[-1] - starts[start]).__add__, starts[start + 1 : stop + 1]))
    return joined[starts[start] : starts[stop]]


def _utf8(text: str) -> bytes:
    # A lone surrogate cannot be stored; that a request looks for one is no reason to fail.
    return text.encode("utf-8", "surrogatepass")


def _text(utf8: bytes) -> str:
    return utf8.decode("utf-8", "surrogatepass")


# ---- Rows ---------------------------------------------------------------------------------------------------------


class _Cells(NamedTuple):
    """A row taken apart into what the columns hold."""

    name: str
    description: str
    head: str
    ids: dict[str, Collection[str]]
    examples: bytes
    name_id: bytes
    description_id: bytes
    flags: int
    profiles: int
    created: int
    updated: int


def _cells(row: Mapping[str, object]) -> _Cells:
    """Take a row apart.

    Raises:
        ValueError: it is not a persona's row.
    """
    name, description, head, profiles = row.get("n"), row.get("d"), row.get("ih"), row.get("np") or 0
    if not (isinstance(name, str) and isinstance(description, str | None) and isinstance(head, str | None)):
        raise ValueError("a persona's row has a text that is none")
    if not isinstance(profiles, int) or not 0 <= profiles < _PROFILES_END:
        raise ValueError("a persona's row has a number that is none")
    name_id, description_id = _packed(row.get("ni")), _packed(row.get("di"))
    created, updated = _microseconds(row.get("ct")), _microseconds(row.get("ut"))
    ids: dict[str, Collection[str]] = {key: _ids(row.get(key)) for key in _MANY_KEYS}
    for key in _SINGLE_KEYS:
        ids[key] = () if row.get(key) is None else _ids((row[key],))
    return _Cells(
        name=name,
        description=description or "",
        head=head or "",
        ids=ids,
        examples=b"".join(filter(None, map(_packed, _ids(row.get("ex"))))),
        name_id=name_id or _NO_ID,
        description_id=description_id or _NO_ID,
        flags=(description is not None) * _HAS_DESCRIPTION
        | (name_id is not None) * _HAS_NAME_ID
        | (description_id is not None) * _HAS_DESCRIPTION_ID
        | (created is not None) * _HAS_CREATED
        | (updated is not None) * _HAS_UPDATED
        | bool(row.get("g")) * _GENERATED
        | bool(row.get("m")) * _MCP,
        profiles=profiles,
        created=created or 0,
        updated=updated or 0,
    )


def _ids(value: object) -> Collection[str]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) and each for each in value):
        raise ValueError("a persona's row has ids that are none")
    return dict.fromkeys(value)


def _packed(value: object) -> bytes | None:
    """The 16 bytes of an id, None for none."""
    if value is None:
        return None
    if isinstance(value, str):
        packed = bytes.fromhex(value.replace("-", ""))
        if len(packed) == _ID_BYTES and _unpacked(packed) == value:
            return packed
    raise ValueError("an id is not a UUID in its usual form")


def _unpacked(packed: bytes) -> str:
    digits = packed.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _microseconds(value: object) -> int | None:
    """A time as microseconds since 1970, None for none."""
    if value is None:
        return None
    time = datetime.fromisoformat(value) if isinstance(value, str) else None
    if time is None or time.tzinfo is None:
        raise ValueError("a persona's row has a time that is none")
    return (time - _EPOCH) // _MICROSECOND


def _time(microseconds: int) -> str:
    return (_EPOCH + microseconds * _MICROSECOND).isoformat()


# ---- Options ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Option:
    """Something to filter by, and how many personas would match if it were chosen."""

    id: str
    name: str
    count: int


class _Offer(NamedTuple):
    """An option, in the order of the options: ``less`` is the count, negated."""

    less: int
    folded: str
    id: str
    name: str


class OptionNames:
    """What the options of a facet are called. Names are folded once, so keep it as long as they stay the same."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = dict(names)
        self._folded = dict(zip(names, fold_all(names.values()), strict=True))

    def offers(self, counts: Iterable[tuple[str, int]], needle: str = "") -> list[_Offer]:
        """Options that have a name here, and one that contains the needle."""
        names, folded = self._names, self._folded
        return [
            _Offer(-count, folded[each], each, names[each])
            for each, count in counts
            if each in names and needle in folded[each]
        ]


# ---- The index ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to look for: the text and each of the lists that is not empty must match, a list by any of its ids.

    ``caller_departments`` is what the caller belongs to; None is a superadmin, who sees everything.
    """

    caller_departments: Collection[str] | None
    text: str | None = None
    scenario_ids: Collection[str] = ()
    field_ids: Collection[str] = ()
    department_ids: Collection[str] = ()
    page_size: int = 12
    page_offset: int = 0

    def __post_init__(self) -> None:
        if self.page_size < 0 or self.page_offset < 0:
            raise ValueError("a page has no negative size or offset")


@dataclass(frozen=True, slots=True)
class Frozen:
    """All that an index holds, as plain columns: what a snapshot stores. The base is all there is: nothing is late.

    ``arrays`` named ``x.starts`` hold where each slot's part of ``x`` starts, and where the last one ends.
    """

    size: int
    arrays: dict[str, array[int]]
    strings: dict[str, list[str]]
    bitmaps: dict[str, list[BitMap]]
    folded: bytes
    written: bytes
    words: bytes | None
    tombstones: list[tuple[str, int, int]]

    def fits(self) -> bool:
        """Whether the columns have the lengths that go together."""
        arrays, size = self.arrays, self.size
        ragged: dict[str, Sequence[int]] = {"folded": self.folded, "written": self.written}
        ragged |= {name: arrays[name] for name in ("examples", *_MANY_KEYS)}
        return (
            all(len(arrays[name]) == size * width for name, (_, width) in _FIXED_COLUMNS.items())
            and all(len(arrays[key]) == size for key in _SINGLE_KEYS)
            and all(len(arrays[f"{name}.starts"]) == size + 1 for name in ragged)
            and all(arrays[f"{name}.starts"][-1] == len(values) for name, values in ragged.items())
            and all(len(self.bitmaps[key]) == len(self.strings[key]) for key in _COUNTED_KEYS)
            and (self.words is None or len(arrays["words.starts"]) == len(self.bitmaps["words"]) + 1)
        )


class Found:
    """What a search found: ``total`` in all, and ``personas``, ids and rows, as far as the page goes.

    Counts are made when they are asked for, from the index as it was: ask before it changes.
    """

    def __init__(
        self,
        index: "Index",
        total: int,
        personas: list[tuple[str, PersonaRow]],
        matches: BitMap,
        aside: Mapping[Facet, BitMap],
    ) -> None:
        self.total = total
        self.personas = personas
        self._index = index
        self._version = index.version
        self._matches = matches
        self._aside = aside
        self._counts: dict[Facet, dict[str, int]] = {}

    def counts(self, facet: Facet) -> dict[str, int]:
        """How many personas would match if an option were chosen, the facet's own selection set aside, by id.

        Options that nothing would match are left out.

        Raises:
            RuntimeError: the index has changed since the search.
        """
        if facet not in self._counts:
            self._counts[facet] = self._index.counts(facet, self._slots(facet))
        return self._counts[facet]

    def options(
        self, facet: Facet, names: OptionNames | None = None, search: str | None = None, selected: Collection[str] = ()
    ) -> list[Option]:
        """At most 100 options of the facet, by count from the highest, then by folded name, then by id.

        Offered are options that have a name and a count and whose name contains ``search``, compared folded: what
        nothing would match is left out. The selected ones that have a name are always among them, whatever their count
        and name; only if more than 100 are selected are there more than 100 options. ``names`` may be left out for
        instructions, whose names came with the rows.

        Raises:
            RuntimeError: the index has changed since the search.
        """
        needle, chosen = fold(search or ""), dict.fromkeys(selected)
        if names is None:
            kept, best = self._index.best(self._slots(facet), needle, chosen)
        else:
            counts = self.counts(facet)
            kept = names.offers((each, counts.get(each, 0)) for each in chosen)
            best = names.offers((each for each in counts.items() if each[0] not in chosen), needle)
        offers = sorted(kept + nsmallest(OPTIONS_MAX - len(kept), best))
        return [Option(offer.id, offer.name, -offer.less) for offer in offers]

    def _slots(self, facet: Facet) -> BitMap:
        if self._index.version != self._version:
            raise RuntimeError("the index has changed since it was searched")
        return self._aside.get(facet, self._matches)


class _Late(NamedTuple):
    """A late slot, as it stands in the list: by name and id. ``before`` is the slot of the base that it precedes."""

    name: bytes
    id: bytes
    slot: int
    before: int


class _Tombstone(NamedTuple):
    seq: int
    expires_at: int


_FIXED_COLUMNS: Final[Mapping[str, tuple[str, int]]] = {
    "id": ("B", _ID_BYTES),
    "name_id": ("B", _ID_BYTES),
    "description_id": ("B", _ID_BYTES),
    "seq": ("Q", 1),
    "flags": ("B", 1),
    "profiles": ("I", 1),
    "created": ("q", 1),
    "updated": ("q", 1),
}
_COUNTED_KEYS: Final = frozenset(_FACET_KEYS.values())
_LABELLED_KEY: Final = "ii"


class Index:
    """The personas of a group, found by text, facets and departments.

    Build one by `upsert`, in any order, or from what `frozen` gave.
    """

    def __init__(self, frozen: Frozen | None = None) -> None:
        """An empty index, or the one that was frozen; then it takes the columns over: do not use them afterwards.

        Raises:
            KeyError, ValueError: a column is missing or has another length than the others.
        """
        frozen = frozen or _nothing()
        if not frozen.fits():
            raise ValueError("the columns do not fit together")
        arrays = frozen.arrays
        self._columns = {name: arrays[name] for name in _FIXED_COLUMNS}
        self._examples = _Ragged(arrays["examples"], arrays["examples.starts"])
        words = None
        if frozen.words is not None:
            words = _Words(_Corpus(frozen.words, arrays["words.starts"]), frozen.bitmaps["words"])
        folded = _Corpus(frozen.folded, arrays["folded.starts"])
        self._texts = _Texts(folded, frozen.written, arrays["written.starts"], words)
        self._options: dict[str, _Options] = {}
        for key in (*_SINGLE_KEYS, *_MANY_KEYS):
            cells = _Single(arrays[key]) if key in _SINGLE_KEYS else _Ragged(arrays[key], arrays[f"{key}.starts"])
            if key != _LABELLED_KEY:
                self._options[key] = _Options(frozen.strings[key], cells, frozen.bitmaps.get(key))
                continue
            self._instructions = _Labelled(
                frozen.strings[key], cells, frozen.bitmaps[key], frozen.strings[f"{key}.labels"]
            )
            self._options[key] = self._instructions
        self._tombstones = {_key(each): _Tombstone(seq, expires_at) for each, seq, expires_at in frozen.tombstones}
        self._live = BitMap(range(frozen.size))
        self._end = frozen.size
        self._late: list[_Late] = []
        self._unplaced: list[tuple[bytes, bytes, int]] = []
        self._slots: dict[bytes, int] | None = None
        self._field_of: dict[str, str] = {}
        self._code_fields: list[str] = []
        self._parameter_fields: dict[str, list[str]] = {}
        self._composed_fields: dict[str, list[str]] = {}
        self._changes = 0
        self._version = 0

    def __len__(self) -> int:
        return len(self._live)

    # -- Writing

    def upsert(self, persona_id: str, seq: int, row: Mapping[str, object]) -> bool:
        """Take in a persona as of ``seq``; returns False, and does nothing, if as new a state of it is known.

        Raises:
            ValueError: the id is not a UUID in its usual form, or the row not one of a persona. Nothing is changed.
        """
        persona_key = _key(persona_id)
        if seq <= self._known_seq(persona_key):
            return False
        cells = _cells(row)
        slot = self._end
        columns = self._columns
        columns["seq"].append(seq)  # which nothing has looked at, so that it can only fail before anything is changed
        self._forget(persona_key)
        columns["id"].frombytes(persona_key)
        columns["name_id"].frombytes(cells.name_id)
        columns["description_id"].frombytes(cells.description_id)
        columns["flags"].append(cells.flags)
        columns["profiles"].append(cells.profiles)
        columns["created"].append(cells.created)
        columns["updated"].append(cells.updated)
        self._examples.append(array("B", cells.examples))
        for key, options in self._options.items():
            options.append(slot, cells.ids[key])
        for instructions_id in cells.ids[_LABELLED_KEY]:
            self._instructions.label(instructions_id, cells.head)
        self._unplaced.append((self._texts.append(cells.name, cells.description), persona_key, slot))
        self._end = slot + 1
        self._live.add(slot)
        self._slot_of()[persona_key] = slot
        self._changed()
        return True

    def delete(self, persona_id: str, seq: int, expires_at: int = 0) -> bool:
        """Take a persona out as of ``seq``, and remember that; returns False if as new a state of it is known.

        ``expires_at``, in unix seconds, is when the tombstone may be forgotten; see `forget_tombstones`.

        Raises:
            ValueError: the id is not a UUID in its usual form.
        """
        persona_key = _key(persona_id)
        if seq <= self._known_seq(persona_key):
            return False
        self._forget(persona_key)
        self._tombstones[persona_key] = _Tombstone(seq, expires_at)
        self._changed()
        return True

    def forget_tombstones(self, now: int) -> None:
        """Forget the tombstones that had expired at ``now``, in unix seconds."""
        self._tombstones = {each: tomb for each, tomb in self._tombstones.items() if tomb.expires_at > now}

    # -- Reading

    def row(self, persona_id: str) -> PersonaRow | None:
        """A persona's row, or None."""
        slot = self._slot_of().get(_key(persona_id))
        return None if slot is None else self._row(slot)

    def search(self, query: Query, field_of: Mapping[str, str]) -> Found:
        """Find personas. ``field_of`` is the field of each parameter field of the catalogue, as it is now."""
        self._settle()
        self._use_fields(field_of)
        matches, aside = self._matches(query)
        slots = self._window(matches, query.page_offset, query.page_size)
        return Found(self, len(matches), [(self._id(slot), self._row(slot)) for slot in slots], matches, aside)

    def ids(self, query: Query, field_of: Mapping[str, str]) -> list[str]:
        """The ids of all that a query finds, in the order of the list, whatever page it asks for."""
        self._settle()
        self._use_fields(field_of)
        matches, _ = self._matches(query)
        return list(map(self._id, self._window(matches, 0, len(matches))))

    @property
    def version(self) -> int:
        """A number that grows with every change."""
        return self._version

    def counts(self, facet: Facet, slots: BitMap) -> dict[str, int]:
        """How many of the slots have each option of the facet. For `Found`."""
        options = self._options[_FACET_KEYS[facet]]
        if facet != "fields":
            return options.counts(slots, len(self._live), self._end)
        fields = options.counts(slots, len(self._live), self._end, self._fields_by_code())
        for field_id, parameter_fields in self._composed_fields.items():
            if field_id in fields:
                # A persona may have several of them and counts once.
                fields[field_id] = slots.intersection_cardinality(options.having(parameter_fields))
        return fields

    def best(self, slots: BitMap, needle: str, chosen: Collection[str]) -> tuple[list[_Offer], list[_Offer]]:
        """The options of instructions for these slots: the chosen ones, and the best of the others. For `Found`."""
        return self._instructions.offered(chosen, slots), self._instructions.best(slots, needle, chosen, len(self))

    def size_bytes(self) -> int:
        """About how much memory the index takes."""
        columns = _bytes_of(chain(self._columns.values(), self._examples.arrays("").values()))
        options = sum(each.size_bytes() for each in self._options.values())
        entries = len(self._slots or ()) + len(self._tombstones) + len(self._late)
        return columns + options + self._texts.size_bytes() + _ENTRY_BYTES * entries

    def frozen(self) -> Frozen:
        """Everything as columns, in a new base. They are the index's own, and change with it."""
        if self._changes:
            self._place()
            self._compact()
        arrays = self._columns | self._examples.arrays("examples")
        arrays |= {"folded.starts": self._texts.folded.starts, "written.starts": self._texts.written_starts}
        strings: dict[str, list[str]] = {}
        bitmaps: dict[str, list[BitMap]] = {}
        for key, options in self._options.items():
            arrays |= options.cells.arrays(key)
            strings[key] = options.ids
            if options.bitmaps is not None:
                bitmaps[key] = options.bitmaps
        strings[f"{_LABELLED_KEY}.labels"] = self._instructions.labels
        words = self._texts.words
        if words is not None:
            arrays["words.starts"] = words.corpus.starts
            bitmaps["words"] = words.bitmaps
        tombstones = [(_unpacked(each), *tombstone) for each, tombstone in self._tombstones.items()]
        return Frozen(
            size=self._end,
            arrays=arrays,
            strings=strings,
            bitmaps=bitmaps,
            folded=self._texts.folded.joined,
            written=self._texts.written,
            words=None if words is None else words.corpus.joined,
            tombstones=tombstones,
        )

    # -- Slots

    def _slot_of(self) -> dict[bytes, int]:
        """The slot of each persona. Made when it is first needed: a group that nobody writes to never needs it."""
        if self._slots is None:
            ids = self._columns["id"].tobytes()
            self._slots = {ids[_ID_BYTES * slot : _ID_BYTES * (slot + 1)]: slot for slot in self._live}
        return self._slots

    def _known_seq(self, persona_key: bytes) -> int:
        slot = self._slot_of().get(persona_key)
        if slot is not None:
            return self._columns["seq"][slot]
        tombstone = self._tombstones.get(persona_key)
        return -1 if tombstone is None else tombstone.seq

    def _forget(self, persona_key: bytes) -> None:
        self._tombstones.pop(persona_key, None)
        slot = self._slot_of().pop(persona_key, None)
        if slot is not None:
            self._live.discard(slot)
            for options in self._options.values():
                options.discard(slot)

    def _changed(self) -> None:
        self._changes += 1
        self._version += 1

    def _id_at(self, slot: int) -> bytes:
        return self._columns["id"][_ID_BYTES * slot : _ID_BYTES * (slot + 1)].tobytes()

    def _id(self, slot: int) -> str:
        return _unpacked(self._id_at(slot))

    def _row(self, slot: int) -> PersonaRow:
        columns, options = self._columns, self._options
        flags = columns["flags"][slot]
        name, description = self._texts.written_at(slot)
        ids = slice(_ID_BYTES * slot, _ID_BYTES * slot + _ID_BYTES)
        examples = self._examples.at(slot).tobytes()
        return {
            "n": name,
            "ni": _unpacked(columns["name_id"][ids].tobytes()) if flags & _HAS_NAME_ID else None,
            "d": description if flags & _HAS_DESCRIPTION else None,
            "di": _unpacked(columns["description_id"][ids].tobytes()) if flags & _HAS_DESCRIPTION_ID else None,
            "ii": options["ii"].id_at(slot),
            "ih": self._instructions.labels[self._instructions.cells.values[slot]],
            "c": options["c"].id_at(slot),
            "i": options["i"].id_at(slot),
            "f": options["f"].id_at(slot),
            "dp": options["dp"].ids_at(slot),
            "pf": options["pf"].ids_at(slot),
            "ex": [_unpacked(examples[at : at + _ID_BYTES]) for at in range(0, len(examples), _ID_BYTES)],
            "vo": options["vo"].ids_at(slot),
            "sc": options["sc"].ids_at(slot),
            "as": options["as"].ids_at(slot),
            "np": columns["profiles"][slot],
            "g": bool(flags & _GENERATED),
            "m": bool(flags & _MCP),
            "ct": _time(columns["created"][slot]) if flags & _HAS_CREATED else None,
            "ut": _time(columns["updated"][slot]) if flags & _HAS_UPDATED else None,
        }

    # -- The order of the list

    def _late_limit(self) -> int:
        """How many changes a base may bear.

        Writing a new base costs about 3 µs a slot, a late slot 50 ns at every search that it takes part in. Where a
        search comes with every change, the two together are least at the square root of 2 × 3 µs / 50 ns × slots.
        """
        return max(_LATE_LEAST, isqrt(120 * self._texts.base))

    def _settle(self) -> None:
        if self._changes > self._late_limit():
            self._place()
            self._compact()
        elif self._unplaced:
            self._place()

    def _place(self) -> None:
        """Sort the late slots in that are not yet."""
        base = range(self._texts.base)
        placed = [late for late in self._late if late.slot in self._live]
        for name, persona_key, slot in self._unplaced:
            if slot in self._live:
                before = bisect_left(base, (name, persona_key), key=self._order_of)
                placed.append(_Late(name, persona_key, slot, before))
        placed.sort()
        self._late = placed
        self._unplaced.clear()

    def _order_of(self, slot: int) -> tuple[bytes, bytes]:
        return self._texts.folded_name_at(slot), self._id_at(slot)

    def _window(self, matches: BitMap, offset: int, size: int) -> list[int]:
        """The slots of the matches from the given place of the list on."""
        base = self._texts.base
        offset = min(offset, len(matches))
        in_base = matches.range_cardinality(0, base)
        if in_base == len(matches):
            return list(matches[offset : offset + size])
        late = [each for each in self._late if each.slot in matches]

        def place(number: int) -> int:
            before = late[number].before
            return number + (matches.rank(before - 1) if before else 0)

        number = bisect_left(range(len(late)), offset, key=place)
        rest = iter(matches[min(offset - number, in_base) : min(offset - number + size, in_base)])
        slots: list[int] = []
        for at in range(offset, min(offset + size, len(matches))):
            if number < len(late) and place(number) == at:
                slots.append(late[number].slot)
                number += 1
            else:
                slots.append(next(rest))
        return slots

    def _compact(self) -> None:
        """Write everything that is in use as a new base, in the order of the list."""
        runs = list(self._runs())
        place = array("I", bytes(4 * self._end))
        size = 0
        for start, stop in runs:
            place[start:stop] = array("I", range(size, size + stop - start))
            size += stop - start
        self._columns = {name: _gathered(self._columns[name], runs, _FIXED_COLUMNS[name][1]) for name in self._columns}
        self._examples.gather(runs)
        for options in self._options.values():
            options.gather(runs, place)
        self._texts = self._texts.gathered(runs, place, self._live)
        self._live = BitMap(range(size))
        self._end = size
        self._late.clear()
        self._code_fields.clear()
        self._slots = None
        self._changes = 0
        self._version += 1

    def _runs(self) -> Iterator[tuple[int, int]]:
        """What is in use, in the order of the list, as runs of slots."""
        base = self._texts.base
        gone = iter(BitMap(range(base)) - self._live)
        next_gone, start = next(gone, base), 0
        for stop, slot in chain(((late.before, late.slot) for late in self._late), ((base, None),)):
            while next_gone < stop:
                if start < next_gone:
                    yield start, next_gone
                start, next_gone = next_gone + 1, next(gone, base)
            if start < stop:
                yield start, stop
            start = max(start, stop)
            if slot is not None:
                yield slot, slot + 1

    # -- Sets

    def _use_fields(self, field_of: Mapping[str, str]) -> None:
        """Counting goes by parameter field, so that a change of the catalogue changes no column, only this map."""
        if field_of != self._field_of:
            self._field_of = dict(field_of)
            self._code_fields.clear()
            by_field: dict[str, list[str]] = {}
            for parameter_field, field in field_of.items():
                by_field.setdefault(field, []).append(parameter_field)
            self._parameter_fields = by_field
            self._composed_fields = {field: each for field, each in by_field.items() if len(each) > 1}
            self._version += 1

    def _fields_by_code(self) -> list[str]:
        """The field of each parameter field's code, or an empty string."""
        ids, known = self._options["pf"].ids, self._code_fields
        known += [self._field_of.get(each, "") for each in ids[len(known) :]]
        return known

    def _matches(self, query: Query) -> tuple[BitMap, dict[Facet, BitMap]]:
        """What the query finds, and for each facet that it selects from, what it would find without that selection."""
        seen = self._visible(query.caller_departments)
        text = fold(query.text or "")
        if text:
            seen = seen & self._texts.find(text)
        chosen: dict[Facet, BitMap] = {}
        if query.scenario_ids:
            chosen["scenarios"] = self._options["sc"].having(query.scenario_ids)
        if query.field_ids:
            fields = (self._parameter_fields.get(field, ()) for field in dict.fromkeys(query.field_ids))
            chosen["fields"] = self._options["pf"].having(chain.from_iterable(fields))
        if query.department_ids:
            chosen["departments"] = self._options["dp"].having(query.department_ids)
        # Not BitMap.intersection: it turns its result into runs, which are slow to count with.
        aside = {facet: _all_of(seen, (each for other, each in chosen.items() if other != facet)) for facet in chosen}
        return _all_of(seen, chosen.values()), aside

    def _visible(self, departments: Collection[str] | None) -> BitMap:
        if departments is None:
            return self._live
        return self._options["dp"].having(departments, or_none=True)


def _all_of(slots: BitMap, conditions: Iterable[BitMap]) -> BitMap:
    return reduce(and_, conditions, slots)


def _key(persona_id: str) -> bytes:
    packed = _packed(persona_id)
    if packed is None:
        raise ValueError("a persona has an id")
    return packed


def _nothing() -> Frozen:
    arrays = {name: array(typecode) for name, (typecode, _) in _FIXED_COLUMNS.items()}
    arrays |= {key: array("I") for key in (*_SINGLE_KEYS, *_MANY_KEYS)} | {"examples": array("B")}
    ragged = ("folded", "written", "words", "examples", *_MANY_KEYS)
    return Frozen(
        size=0,
        arrays=arrays | {f"{name}.starts": array("I", (0,)) for name in ragged},
        strings={key: [""] for key in (*_SINGLE_KEYS, *_MANY_KEYS, f"{_LABELLED_KEY}.labels")},
        bitmaps={key: [BitMap()] for key in _COUNTED_KEYS} | {"words": []},
        folded=b"",
        written=b"",
        words=b"",
        tombstones=[],
    )
