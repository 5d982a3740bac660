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
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from heapq import nsmallest
from itertools import chain, compress, repeat
from math import isqrt
from operator import and_, contains
from typing import Final, Literal, NamedTuple, Protocol, TypedDict, cast

import stringzilla  # type: ignore[import-not-found]  # it ships no types; `_Haystack` is what is used
from pyroaring import BitMap

from personas.domain.folding import fold

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

_ID_BYTES: Final = 16
_NO_ID: Final = bytes(_ID_BYTES)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND: Final = timedelta(microseconds=1)

_HAS_DESCRIPTION: Final = 1
_HAS_NAME_ID: Final = 2
_HAS_DESCRIPTION_ID: Final = 4
_HAS_CREATED: Final = 8
_HAS_UPDATED: Final = 16
_GENERATED: Final = 32
_MCP: Final = 64

_KEPT_FINDINGS: Final = 32
_STRIPS: Final = 32
_STRIP_LEAST: Final = 1024
_LATE_LEAST: Final = 256

# Measured, in µs: what it costs to intersect a bitmap with a dense one, and how much more for each of its members.
# `walk_cost` is the other side of the scales: a slot counted by its own codes.
_BITMAP_COST: Final = 0.2
_MEMBER_COST: Final = 0.0006

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

    Code 0 is "none": its bitmap holds the slots without any id. ``labels`` are texts that go with the ids.
    """

    def __init__(
        self, ids: list[str], cells: _Single | _Ragged, bitmaps: list[BitMap] | None, labels: list[str] | None
    ) -> None:
        self.ids = ids
        self.cells = cells
        self.bitmaps = bitmaps
        self.labels = labels
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
            if self.labels is not None:
                self.labels.append("")
        return code

    def ids_at(self, slot: int) -> list[str]:
        return [self.ids[code] for code in self.cells.at(slot) if code]

    def discard(self, slot: int) -> None:
        if self.bitmaps is not None:
            for code in self.cells.at(slot) or (0,):
                self.bitmaps[code].discard(slot)

    def having(self, ids: Iterable[str]) -> BitMap:
        """The slots with any of the ids."""
        bitmaps, codes = self.bitmaps or (), self._code_of
        return BitMap().union(*(bitmaps[codes[option_id]] for option_id in ids if option_id in codes))

    def counts(self, slots: BitMap, in_use: int, end: int) -> dict[str, int]:
        """How many of the slots have each id, without the ids that none has.

        ``in_use`` is how many slots are used at all, ``end`` the one behind the last.
        """
        bitmaps, size = self.bitmaps or [], len(slots)
        if size == in_use:
            counts = list(map(len, bitmaps))
        elif size * self.cells.walk_cost < len(bitmaps) * _BITMAP_COST + len(self.cells.values) * _MEMBER_COST:
            return {self.ids[code]: count for code, count in self.cells.tally(slots.to_array()).items() if code}
        elif 2 * size > in_use:
            counts = list(map(slots.intersection_cardinality, bitmaps))
        else:
            # Two sparse sets are slow to intersect, a sparse one with a dense one is fast: what an id has in common
            # with the slots is what it does not have in common with all the other slots, and those are dense.
            counts = list(map(BitMap.difference_cardinality, bitmaps, repeat(slots.flip(0, end))))
        counted = dict(zip(compress(self.ids, counts), filter(None, counts), strict=True))
        counted.pop("", None)
        return counted

    def gather(self, runs: Runs, place: array[int]) -> None:
        """Move to new slots, and forget the ids that none has. ``place`` has the new slot of each old one."""
        self.cells.gather(runs)
        if self.bitmaps is None:
            used = sorted({0, *self.cells.values})
        else:
            used = [code for code, bitmap in enumerate(self.bitmaps) if bitmap or code == 0]
            self.bitmaps = [BitMap(array("I", map(place.__getitem__, self.bitmaps[code].to_array()))) for code in used]
            for bitmap in self.bitmaps:
                bitmap.shrink_to_fit()
        if len(used) < len(self.ids):
            recoded = dict(zip(used, range(len(used)), strict=True))
            self.cells.values = array("I", map(recoded.__getitem__, self.cells.values))
            self.ids = [self.ids[code] for code in used]
            self.labels = self.labels and [self.labels[code] for code in used]
            self._code_of = dict(zip(self.ids, range(len(self.ids)), strict=True))

    def label(self, option_id: str, label: str) -> None:
        """Set the text that goes with an id that is known."""
        if self.labels is not None:
            self.labels[self._code_of[option_id]] = label

    def size_bytes(self) -> int:
        """About how much memory this takes."""
        cells = _bytes_of(self.cells.arrays("").values())
        bitmaps = sum(_BITMAP_BYTES + 2 * len(bitmap) for bitmap in self.bitmaps or ())
        labels = sum(_STRING_BYTES + len(label) for label in self.labels or ())
        return cells + bitmaps + labels + _ENTRY_BYTES * len(self.ids)


# ---- Texts --------------------------------------------------------------------------------------------------------


class _Texts:
    """Name and description of every slot, as written and folded, and the search for a text in the folded ones."""

    def __init__(self, folded: bytes, folded_starts: array[int], written: bytes, written_starts: array[int]) -> None:
        self.folded = folded
        self.folded_starts = folded_starts
        self.written = written
        self.written_starts = written_starts
        self.base = len(folded_starts) - 1
        self._haystack = cast("_Haystack", stringzilla.Str(folded))
        # Late texts are few and looked through one by one. They are bytes, held as Latin-1: `in` is several times as
        # fast between two str as between two bytes.
        self._late_folded: list[str] = []
        self._late_written: list[bytes] = []
        self._strips: dict[int, list[str]] = {}
        self._findings: OrderedDict[bytes, BitMap] = OrderedDict()

    def append(self, name: str, description: str) -> bytes:
        """Add the next slot's texts; returns the folded name."""
        folded_name = _utf8(fold(name))
        folded = b"".join((folded_name, _BETWEEN, _utf8(fold(description)), _END))
        self._late_folded.append(folded.decode("latin-1"))
        self._late_written.append(b"".join((_utf8(name), _BETWEEN, _utf8(description))))
        return folded_name

    def written_at(self, slot: int) -> tuple[str, str]:
        """A slot's name and description."""
        if slot < self.base:
            text = self.written[self.written_starts[slot] : self.written_starts[slot + 1]]
        else:
            text = self._late_written[slot - self.base]
        name, _, description = text.partition(_BETWEEN)
        return name.decode("utf-8", "surrogatepass"), description.decode("utf-8", "surrogatepass")

    def folded_name_at(self, slot: int) -> bytes:
        """The folded name of a slot of the base."""
        start = self.folded_starts[slot]
        return self.folded[start : self.folded.index(_BETWEEN, start)]

    def find(self, needle: bytes) -> BitMap:
        """The slots whose folded texts contain this, among them slots that are no longer in use."""
        found = self._findings.get(needle)
        if found is None:
            found = self._findings[needle] = BitMap(self._find_in_base(needle), optimize=False)
            if len(self._findings) > _KEPT_FINDINGS:
                self._findings.popitem(last=False)
        else:
            # The same text comes again with every page, and with every filter that is chosen beside it.
            self._findings.move_to_end(needle)
        late = range(self.base, self.base + len(self._late_folded))
        return found | BitMap(array("I", compress(late, _containing(self._late_folded, needle))))

    def gathered(self, runs: Runs) -> "_Texts":
        """The texts of these slots, in this order, as a new base."""
        folded_parts: list[bytes] = []
        written_parts: list[bytes] = []
        folded_starts, written_starts = array("I", (0,)), array("I", (0,))
        for start, stop in runs:
            if start < self.base:
                folded_parts.append(self._copy(self.folded, self.folded_starts, start, stop, folded_starts))
                written_parts.append(self._copy(self.written, self.written_starts, start, stop, written_starts))
            else:
                for late in range(start - self.base, stop - self.base):
                    folded_parts.append(self._late_folded[late].encode("latin-1"))
                    folded_starts.append(folded_starts[-1] + len(folded_parts[-1]))
                    written_parts.append(self._late_written[late])
                    written_starts.append(written_starts[-1] + len(written_parts[-1]))
        return _Texts(b"".join(folded_parts), folded_starts, b"".join(written_parts), written_starts)

    def size_bytes(self) -> int:
        late = sum(map(len, self._late_folded)) + sum(map(len, self._late_written))
        strips = sum(_STRING_BYTES * len(strip) + sum(map(len, strip)) for strip in self._strips.values())
        findings = sum(min(2 * len(found), self.base // 8) for found in self._findings.values())
        columns = _bytes_of((self.folded_starts, self.written_starts))
        return columns + len(self.folded) + len(self.written) + late + strips + findings

    def _find_in_base(self, needle: bytes) -> array[int]:
        """The slots of the base that contain the text, in order.

        Jumping from hit to hit costs per hit, looking into every text costs per text, and pays where more than half of
        them are hit: a single letter. Which of the two it is, is decided for a strip of slots by the one before it.
        """
        find, starts = self._haystack.find, self.folded_starts
        found = array("I")
        step = max(_STRIP_LEAST, -(-self.base // _STRIPS))
        common = False
        for first in range(0, self.base, step):
            last, before = min(first + step, self.base), len(found)
            if common:
                found.extend(compress(range(first, last), _containing(self._strip(first, last), needle)))
            else:
                slot, end = first, starts[last]
                while (at := find(needle, starts[slot], end)) >= 0:
                    slot = bisect_right(starts, at, slot, last)
                    found.append(slot - 1)
            common = 2 * (len(found) - before) > last - first
        return found

    def _strip(self, first: int, last: int) -> list[str]:
        strip = self._strips.get(first)
        if strip is None:
            text = self.folded[self.folded_starts[first] : self.folded_starts[last]].decode("latin-1")
            strip = self._strips[first] = text.split(_END.decode("latin-1"))[:-1]
        return strip

    @staticmethod
    def _copy(source: bytes, starts: array[int], start: int, stop: int, into: array[int]) -> bytes:
        into.extend(map((into[-1] - starts[start]).__add__, starts[start + 1 : stop + 1]))
        return source[starts[start] : starts[stop]]


def _containing(texts: Iterable[str], needle: bytes) -> Iterable[bool]:
    return map(contains, texts, repeat(needle.decode("latin-1")))


def _utf8(text: str) -> bytes:
    # A lone surrogate cannot be stored; that a request looks for one is no reason to fail.
    return text.encode("utf-8", "surrogatepass")


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
    if not isinstance(profiles, int) or profiles < 0:
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


class OptionNames:
    """What the options of a facet are called. Names are folded once, so keep it as long as they stay the same."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = dict(names)
        self._folded: dict[str, str] | None = None

    def put(self, option_id: str, name: str) -> None:
        """Name an option."""
        if self._names.get(option_id) != name:
            self._names[option_id] = name
            if self._folded is not None:
                self._folded[option_id] = fold(name)

    def options(self, counts: Mapping[str, int], search: str | None, selected: Collection[str]) -> list[Option]:
        """At most 100 options, by count from the highest, then by folded name, then by id.

        Offered are options that have a name and a count and whose name contains ``search``, compared folded: what
        nothing would match is left out. The selected ones that have a name are always among them, whatever their count
        and name; only if more than 100 are selected are there more than 100 options.
        """
        folded, needle = self._fold(), fold(search or "")
        chosen = dict.fromkeys(each for each in selected if each in folded)
        found = [
            (-count, folded[each], each)
            for each, count in counts.items()
            if each in folded and each not in chosen and (not needle or needle in folded[each])
        ]
        best = nsmallest(OPTIONS_MAX - len(chosen), found)
        best += [(-counts.get(each, 0), folded[each], each) for each in chosen]
        return [Option(each, self._names[each], -negated) for negated, _, each in sorted(best)]

    def size_bytes(self) -> int:
        """About how much memory the names take, twice: as they are and folded."""
        return sum(2 * (_STRING_BYTES + len(name)) + _ENTRY_BYTES for name in self._names.values())

    def _fold(self) -> dict[str, str]:
        if self._folded is None:
            # All in one go, which `fold` allows: a hundred thousand starts of instructions in milliseconds.
            folded = fold("\0".join(self._names.values())).split("\0")
            if len(folded) != len(self._names):
                folded = list(map(fold, self._names.values()))
            self._folded = dict(zip(self._names, folded, strict=True))
        return self._folded


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
    tombstones: list[tuple[str, int, int]]


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
            if self._index.version != self._version:
                raise RuntimeError("the index has changed since it was searched")
            self._counts[facet] = self._index.counts(facet, self._aside.get(facet, self._matches))
        return self._counts[facet]

    def options(
        self, facet: Facet, names: OptionNames, search: str | None = None, selected: Collection[str] = ()
    ) -> list[Option]:
        """The facet's options as `OptionNames.options` picks them."""
        return names.options(self.counts(facet), search, selected)


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
            KeyError: a column is missing.
        """
        frozen = frozen or _nothing()
        arrays = frozen.arrays
        self._columns = {name: arrays[name] for name in _FIXED_COLUMNS}
        self._examples = _Ragged(arrays["examples"], arrays["examples.starts"])
        self._texts = _Texts(frozen.folded, arrays["folded.starts"], frozen.written, arrays["written.starts"])
        self._options: dict[str, _Options] = {}
        for key in (*_SINGLE_KEYS, *_MANY_KEYS):
            cells = _Single(arrays[key]) if key in _SINGLE_KEYS else _Ragged(arrays[key], arrays[f"{key}.starts"])
            bitmaps = frozen.bitmaps[key] if key in _COUNTED_KEYS else None
            labels = frozen.strings[f"{key}.labels"] if key == _LABELLED_KEY else None
            self._options[key] = _Options(frozen.strings[key], cells, bitmaps, labels)
        self._tombstones = {_key(each): _Tombstone(seq, expires_at) for each, seq, expires_at in frozen.tombstones}
        self._live = BitMap(range(frozen.size))
        self._end = frozen.size
        self._late: list[_Late] = []
        self._unplaced: list[tuple[bytes, bytes, int]] = []
        self._slots: dict[bytes, int] | None = None
        self._instructions: OptionNames | None = None
        self._field_of: dict[str, str] = {}
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
        self._forget(persona_key)
        slot = self._end
        columns = self._columns
        columns["id"].frombytes(persona_key)
        columns["name_id"].frombytes(cells.name_id)
        columns["description_id"].frombytes(cells.description_id)
        columns["seq"].append(seq)
        columns["flags"].append(cells.flags)
        columns["profiles"].append(cells.profiles)
        columns["created"].append(cells.created)
        columns["updated"].append(cells.updated)
        self._examples.append(array("B", cells.examples))
        for key, options in self._options.items():
            options.append(slot, cells.ids[key])
        for instructions_id in cells.ids[_LABELLED_KEY]:
            self._options[_LABELLED_KEY].label(instructions_id, cells.head)
            if self._instructions is not None:
                self._instructions.put(instructions_id, cells.head)
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
    def instruction_names(self) -> OptionNames:
        """What the options of the facet "instructions" are called: the start of the text."""
        if self._instructions is None:
            options = self._options[_LABELLED_KEY]
            self._instructions = OptionNames(dict(zip(options.ids[1:], (options.labels or [])[1:], strict=True)))
        return self._instructions

    @property
    def version(self) -> int:
        """A number that grows with every change."""
        return self._version

    def counts(self, facet: Facet, slots: BitMap) -> dict[str, int]:
        """How many of the slots have each option of the facet. For `Found`."""
        counts = self._options[_FACET_KEYS[facet]].counts(slots, len(self._live), self._end)
        if facet != "fields":
            return counts
        field_of = self._field_of
        fields = {field_of[each]: count for each, count in counts.items() if each in field_of}
        for field_id, parameter_fields in self._composed_fields.items():
            if field_id in fields:
                # A persona may have several of them and counts once.
                fields[field_id] = slots.intersection_cardinality(self._options["pf"].having(parameter_fields))
        return fields

    def size_bytes(self) -> int:
        """About how much memory the index takes."""
        columns = _bytes_of(chain(self._columns.values(), self._examples.arrays("").values()))
        options = sum(each.size_bytes() for each in self._options.values())
        names = 0 if self._instructions is None else self._instructions.size_bytes()
        entries = len(self._slots or ()) + len(self._tombstones) + len(self._late)
        return columns + options + self._texts.size_bytes() + names + _ENTRY_BYTES * entries

    def frozen(self) -> Frozen:
        """Everything as columns, in a new base. They are the index's own, and change with it."""
        if self._changes:
            self._place()
            self._compact()
        arrays = self._columns | self._examples.arrays("examples")
        arrays |= {"folded.starts": self._texts.folded_starts, "written.starts": self._texts.written_starts}
        strings: dict[str, list[str]] = {}
        bitmaps: dict[str, list[BitMap]] = {}
        for key, options in self._options.items():
            arrays |= options.cells.arrays(key)
            strings[key] = options.ids
            if options.bitmaps is not None:
                bitmaps[key] = options.bitmaps
            if options.labels is not None:
                strings[f"{key}.labels"] = options.labels
        tombstones = [(_unpacked(each), *tombstone) for each, tombstone in self._tombstones.items()]
        return Frozen(
            size=self._end,
            arrays=arrays,
            strings=strings,
            bitmaps=bitmaps,
            folded=self._texts.folded,
            written=self._texts.written,
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
        ids = slice(_ID_BYTES * slot, _ID_BYTES * (slot + 1))
        examples = self._examples.at(slot).tobytes()
        labels = options[_LABELLED_KEY].labels
        instructions = options[_LABELLED_KEY].cells.at(slot)[0]
        single = {key: next(iter(options[key].ids_at(slot)), None) for key in _SINGLE_KEYS}
        return {
            "n": name,
            "ni": _unpacked(columns["name_id"][ids].tobytes()) if flags & _HAS_NAME_ID else None,
            "d": description if flags & _HAS_DESCRIPTION else None,
            "di": _unpacked(columns["description_id"][ids].tobytes()) if flags & _HAS_DESCRIPTION_ID else None,
            "ii": single["ii"],
            "ih": labels[instructions] if labels else "",
            "c": single["c"],
            "i": single["i"],
            "f": single["f"],
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
        self._texts = self._texts.gathered(runs)
        self._live = BitMap(range(size))
        self._end = size
        self._late.clear()
        self._slots = None
        self._instructions = None
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
            by_field: dict[str, list[str]] = {}
            for parameter_field, field in field_of.items():
                by_field.setdefault(field, []).append(parameter_field)
            self._parameter_fields = by_field
            self._composed_fields = {field: each for field, each in by_field.items() if len(each) > 1}
            self._version += 1

    def _matches(self, query: Query) -> tuple[BitMap, dict[Facet, BitMap]]:
        """What the query finds, and for each facet that it selects from, what it would find without that selection."""
        seen = self._visible(query.caller_departments)
        needle = _utf8(fold(query.text or ""))
        if needle:
            seen = seen & self._texts.find(needle)
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
        return self._options["dp"].having(("", *departments))


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
    ragged = ("folded", "written", "examples", *_MANY_KEYS)
    return Frozen(
        size=0,
        arrays=arrays | {f"{name}.starts": array("I", (0,)) for name in ragged},
        strings={key: [""] for key in (*_SINGLE_KEYS, *_MANY_KEYS, f"{_LABELLED_KEY}.labels")},
        bitmaps={key: [BitMap()] for key in _COUNTED_KEYS},
        folded=b"",
        written=b"",
        tombstones=[],
    )
